"""A whole fetch: each file that is not there yet, one after the other, and the record beside them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from filelock import FileLock, Timeout

from permagrid.catalogue import Source, find_source
from permagrid.errors import PermagridError
from permagrid.fetch import pangaea
from permagrid.fetch.archives import gunzip, unzip
from permagrid.fetch.checksums import Checksum, digest_of, from_side_file
from permagrid.fetch.download import Wanted, download
from permagrid.fetch.logins import logins_for
from permagrid.fetch.plan import Choice, Plan, Remote, make_plan
from permagrid.fetch.record import Record
from permagrid.fetch.web import MissingError, Web, shown
from permagrid.progress import Steps

_MEGABYTE = 1_000_000
_SIDES = (".sha256", ".md5")


@dataclass
class Fetched:
    """What a fetch did."""

    folder: Path
    """Where the files are."""
    fetched: list[str] = field(default_factory=list)
    """Names of files that came, within the folder."""
    kept: list[str] = field(default_factory=list)
    """Names of files that were there already."""
    absent: list[str] = field(default_factory=list)
    """Names of files that do not exist, such as tiles of the sea."""
    licence: str = ""
    """Licence of the data."""
    citation: str = ""
    """How to cite them."""


@dataclass(frozen=True)
class _Job:
    """What each step of a fetch needs."""

    plan: Plan
    web: Web
    folder: Path
    record: Record
    keep_archives: bool
    force: bool
    steps: Steps


def fetch(
    source: Source | str,
    out: Path,
    choice: Choice | None = None,
    *,
    mirror: str = "",
    keep_archives: bool = False,
    force: bool = False,
    steps: Steps | None = None,
    web: Web | None = None,
) -> Fetched:
    """Fetch what is chosen of a data set to a data folder.

    Files that are there are not fetched again; a fetch that was cut off goes on where it was. Beside the
    files stands ``SOURCE.json`` with their addresses, times, sizes, hashes, licence and citation.

    Parameters
    ----------
    source
        A data set, or its name in the catalogue.
    out
        Data folder; files go to the folder of the source in it, where studies look for them.
    choice
        Resolution, variables, region and years.
    mirror
        Address in place of the source's own. A mirror may state checksums in ``FILE.sha256`` or ``FILE.md5``.
    keep_archives
        Whether archives stay beside the files that were taken from them.
    force
        Whether files are fetched anew that are there.
    steps
        Shows progress; silent if left out.
    web
        Opens addresses.

    Returns
    -------
    Fetched
        What came, what was there, and what does not exist.

    Raises
    ------
    PermagridError
        If a login is not set, the choice does not suit, a server refuses, or a file is not right.
    """
    source = find_source(source) if isinstance(source, str) else source
    web = web or web_for(source, mirror=mirror)
    plan = make_plan(source, choice or Choice(), web, mirror=mirror)
    folder = out / plan.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PermagridError(
            f"{folder}: cannot be written to ({error.strerror}); choose another --out"
        ) from error
    with _alone(folder):
        record = Record(folder, source, plan.resolution)
        job = _Job(plan, web, folder, record, keep_archives, force, steps or Steps())
        done = Fetched(folder)
        lacking: list[str] = []
        for remote in plan.remotes:
            try:
                _one(job, remote, done)
            except MissingError as error:
                # One that does not exist says nothing of the others.
                if remote.may_lack:
                    done.absent.append(remote.name)
                else:
                    lacking.append(str(error))
        _learn_terms(job)
        _conclude(plan, done, lacking)
        record.write()
    done.licence, done.citation = record.terms.licence, record.terms.citation
    return done


def web_for(source: Source, *, mirror: str = "") -> Web:
    """Return what opens the addresses of a source, with its logins; a mirror is sent none.

    Raises
    ------
    PermagridError
        If a login is required and not set.
    """
    return Web(logins=() if mirror else logins_for(source.name, source.credential))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / ".fetch.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise PermagridError(f"{folder}: another fetch is at work here; wait for it") from error
    try:
        yield
    finally:
        lock.release()


def _conclude(plan: Plan, done: Fetched, lacking: Sequence[str]) -> None:
    if lacking:
        more = f" (and {len(lacking) - 1} more of {len(plan.remotes)})" if len(lacking) > 1 else ""
        rest = f"; the rest is in {done.folder}" if done.fetched or done.kept else ""
        raise PermagridError(f"{lacking[0]}{more}{rest}")
    if done.absent and not (done.fetched or done.kept):
        raise PermagridError(f"{plan.source.name} has no file there; none of {len(done.absent)} tiles exists")


def _one(job: _Job, remote: Remote, done: Fetched) -> None:
    """Bring the files of one download, those that are not there."""
    url = shown(remote.url)
    wanted = [name for name in remote.files if job.force or not job.record.holds(name, url)]
    for name in remote.files:
        if name in wanted:
            (job.folder / name).parent.mkdir(parents=True, exist_ok=True)
        else:
            if name not in job.record.files:
                _compare(job.folder / name, remote)
                job.record.note(name, None)
            done.kept.append(name)
    if wanted:
        names, compared = _brought(job, remote, wanted)
        for name in names:
            job.record.note(name, url, str(compared or ""))
        done.fetched += names


def _brought(job: _Job, remote: Remote, wanted: Sequence[str]) -> tuple[list[str], Checksum | None]:
    """Return the names of files that came of a download, and what it was compared with."""
    target = job.folder / remote.name
    # An archive that someone put there, or kept, need not be fetched.
    found = bool(remote.unpack) and target.is_file() and not job.force
    compared = None
    with job.steps.step(f"{remote.name} [MB]") as advance:

        def show(have: int, total: int) -> None:
            advance(have // _MEGABYTE, max(1, total // _MEGABYTE))

        if not found:
            checksum = remote.checksum or _of_mirror(job, remote)
            request = Wanted(remote.url, checksum, remote.size, _signer(job))
            compared = download(job.web, request, target, advance=show)
        if not remote.unpack:
            return list(wanted), compared
        try:
            names = _unpacked(remote, target, job.folder, wanted)
        except PermagridError:
            if not found:
                target.unlink()
            raise
    if not (found or job.keep_archives):
        target.unlink()
    return names, compared


def _unpacked(remote: Remote, archive: Path, folder: Path, wanted: Sequence[str]) -> list[str]:
    if remote.unpack == "zip":
        return [path.name for path in unzip(archive, folder, wanted)]
    gunzip(archive, folder / wanted[0])
    return list(wanted)


def _compare(path: Path, remote: Remote) -> None:
    """Refuse a file that was there before and is not what the source states."""
    expected = None if remote.unpack else remote.checksum
    if expected is not None and digest_of(path, expected.algorithm) != expected.digest:
        raise PermagridError(f"{path}: is there, but is not the file of the source; --force fetches it anew")


def _of_mirror(job: _Job, remote: Remote) -> Checksum | None:
    """Return the checksum that a mirror states beside a file, where it does."""
    if not job.plan.mirror or "?" in remote.url:
        return None
    for side in _SIDES:
        try:
            text = job.web.read(f"{remote.url}{side}").decode("utf-8", errors="replace")
        except MissingError:
            continue
        return from_side_file(text, urlsplit(remote.url).path.rpartition("/")[2])
    return None


def _signer(job: _Job) -> Callable[[str], str] | None:
    """Return what makes addresses valid for a short time, where the source needs it."""
    stac = job.plan.source.stac
    if stac is None or not stac.signing or job.plan.mirror:
        return None
    signing = stac.signing

    def sign(url: str) -> str:
        answer = job.web.json(f"{signing}?{urlencode({'href': url})}")
        href = answer.get("href") if isinstance(answer, dict) else None
        if not isinstance(href, str) or urlsplit(href).hostname != urlsplit(url).hostname:
            raise PermagridError(f"{shown(signing)}: did not sign {shown(url)}")
        return href

    return sign


def _learn_terms(job: _Job) -> None:
    """Take licence and citation from the head of a table that tells them."""
    table = job.folder / job.plan.remotes[0].files[0]
    if job.plan.source.layout_at(job.plan.resolution).access == "pangaea" and table.is_file():
        head, terms = pangaea.head_of(table), job.record.terms
        terms.citation, terms.licence = head.citation or terms.citation, head.licence or terms.licence
