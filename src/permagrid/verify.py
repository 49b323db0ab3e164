"""Whether the folder of a run still holds what the run left: everything is hashed again."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from permagrid.blockstore import fault_of, stored_blocks
from permagrid.errors import PermagridError
from permagrid.files import sha256_of
from permagrid.rundir import FILES, LEDGER, SEAL
from permagrid.steps.inputs import Hashes

Kind = Literal["rotted", "missing", "unfinished", "foreign", "changed input"]


@dataclass(frozen=True)
class Finding:
    """A file that is not as a run left it."""

    kind: Kind
    """What is wrong with it; only ``foreign`` files do no harm."""
    name: str
    """The file, within the folder of the run or of the data."""
    message: str
    """One clause on what was found."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.name} ({self.message})"


@dataclass(frozen=True)
class Verified:
    """What was found in the folder of a run."""

    checked: int
    """Files and folders whose hash is known, and was compared."""
    findings: tuple[Finding, ...]
    """What is not as it was left."""

    @property
    def status(self) -> int:
        """0 if all is whole, 1 if not, 3 if only inputs have changed, 4 if no run came to its end."""
        kinds = {finding.kind for finding in self.findings}
        order: tuple[tuple[Kind, int], ...] = (
            *(("rotted", 1), ("missing", 1)),
            *(("changed input", 3), ("unfinished", 4)),
        )
        return next((status for kind, status in order if kind in kinds), 0)

    def text(self) -> str:
        """Return a line for each finding, and one for the whole."""
        harmful = sum(finding.kind != "foreign" for finding in self.findings)
        end = f"{harmful} not as it was left" if harmful else "all as they were left"
        return "\n".join([*map(str, self.findings), f"{self.checked} hashes compared: {end}"])


def verify(out: Path, *, data: Path | None = None) -> Verified:
    """Hash again all that a run left, its kept steps and its unfinished blocks, and compare.

    Parameters
    ----------
    out
        The folder of the run; nothing in it is changed.
    data
        Folder from which the study's relative paths start; its files are compared with those that the run
        read. Left out, inputs are not looked at.

    Raises
    ------
    PermagridError
        If no run was there, or one is at work.
    """
    work = out / "work"
    ledger, seal = _read(work / LEDGER), _read(work / SEAL)
    summary = _read(out / "summary.json")
    if not ledger and not summary:
        raise PermagridError(f"{out}: holds no run of permagrid; give the folder that a run wrote")
    _refuse_while_at_work(out)
    known = _known(ledger, seal, summary)
    findings = list(_compared(out, known))
    if not seal:
        findings.append(
            Finding("unfinished", str(out), "no run came to its end here, or work/ was deleted: run it again")
        )
    blocks = list(stored_blocks(work / "blocks"))
    for path in blocks:
        fault = fault_of(path)
        if fault is not None:
            findings.append(Finding("rotted", _name(path, out), "a block; the next run makes it again"))
    findings += _foreign(out, set(known)) if seal else []
    inputs = {} if data is None else {entry["path"]: entry["sha256"] for entry in summary.get("inputs", [])}
    if data is not None:
        findings += _changed_inputs(data, inputs, Hashes())
    return Verified(len(known) + len(blocks) + len(inputs), tuple(findings))


def _known(ledger: Mapping[str, Any], seal: Mapping[str, Any], summary: Mapping[str, Any]) -> dict[str, str]:
    """Return file -> the hash that it must have; what the latest run made tells more than what it left."""
    made = [*summary.get("products", []), *summary.get("models", [])]
    known = {str(each["path"]): str(each["sha256"]) for each in made}
    known |= {name: str(entry.get("sha256", "")) for name, entry in ledger.items() if isinstance(entry, dict)}
    return known | {name: str(hashed) for name, hashed in seal.items()}


def _compared(out: Path, known: Mapping[str, str]) -> Iterator[Finding]:
    for name, wanted in sorted(known.items()):
        path = out / name
        if not wanted:
            yield Finding("unfinished", name, "its run was stopped while it was made; run it again")
        elif not path.exists():
            yield Finding("missing", name, "the run left it, and it is gone")
        else:
            try:
                found = sha256_of(path)
            except PermagridError as error:
                yield Finding("rotted", name, str(error))
                continue
            if found != wanted:
                yield Finding("rotted", name, f"its hash is {found[:12]}, and was {wanted[:12]}")


def _foreign(out: Path, known: set[str]) -> Iterator[Finding]:
    for path in sorted([*out.iterdir(), *(out / "maps").glob("*")]):
        name = _name(path, out)
        if name not in known and name not in FILES:
            yield Finding("foreign", name, "no run left it")


def _changed_inputs(data: Path, inputs: Mapping[str, str], hashes: Hashes) -> Iterator[Finding]:
    for name, wanted in sorted(inputs.items()):
        path = data / name
        if not path.exists():
            yield Finding("changed input", name, "it is gone")
        elif hashes.of(path) != wanted:
            yield Finding("changed input", name, "it is not the file that the run read")


def _refuse_while_at_work(out: Path) -> None:
    lock = out / "work" / "lock"
    if not lock.exists():
        return
    try:
        with FileLock(lock, timeout=0):
            pass
    except Timeout as error:
        raise PermagridError(f"{out}: a run is at work in this folder; verify when it has ended") from error
    except OSError:
        # A folder that cannot be written to has no run at work in it.
        return


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _name(path: Path, out: Path) -> str:
    return path.relative_to(out).as_posix()
