"""The folder of a run: every file it writes, named once, and kept while its digest holds."""

import glob
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from shutil import rmtree
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout

from permagrid.errors import PermagridError
from permagrid.files import remove, replacing, sha256_of, write_text

FILES: dict[str, str] = {
    "maps": "{study}_{variable}_{epoch}.tif, Cloud-Optimised GeoTIFF with .qml style",
    "models": "fitted learners and ensembles, without the rows they were fitted to; see permagrid predict",
    "scores.csv": "scores of every learner, fold scheme and subset, with bootstrap intervals",
    "fold_distances.csv": "how far test sites are from training sites, and the map from the sites",
    "sites.parquet": "GeoParquet of all observations with flags, reasons and whether they were kept",
    "training.parquet": "GeoParquet of one row per site and epoch with target and covariates",
    "predictions.parquet": "out-of-fold predictions, one row per learner, fold scheme, site and epoch",
    "report.html": "the report, self-contained",
    "summary.json": "figures of the run for machines, schema 1",
    "study.resolved.yaml": "the study with every default written out",
    "work": "kept steps: covariate layers, predictions, unfinished blocks, digests; may be deleted",
}
"""Every file that a run leaves in its folder, and what it is."""

SEAL = "seal.json"
"""File of the hashes of all that a complete run left, in its folder of kept steps."""
LEDGER = "ledger.json"
"""File of the digests and hashes of kept steps and maps, in the same folder."""
_ENTRY = {"digest", "sha256"}
UNPREPARED = "nothing is prepared for this study, data and version: permagrid run --prepare comes first"
"""What a shard says that finds no kept steps."""
_A_MOMENT = 20.0
"""How long a shard waits for others that look whether a whole run is at work [s]."""


class RunDir:
    """A folder that holds one run and can be run again.

    Used as a context manager it locks the folder: a second run in it is refused, and a killed one
    leaves no lock behind.

    Parameters
    ----------
    path
        The folder; made if absent.
    shard
        Name of the part of a run that works in it, beside other parts: it takes over what is kept and writes
        blocks, and nothing else. None for a whole run, which works alone.

    Raises
    ------
    PermagridError
        If the folder cannot be made or written to, or holds files of the same names that no run left.
    """

    def __init__(self, path: Path, *, shard: str | None = None) -> None:
        self.path, self._shard = path, shard
        self._refuse_foreign_files()
        if shard is not None and not (self.work / LEDGER).exists():
            raise PermagridError(f"{path}: {UNPREPARED}")
        try:
            (self.work if shard is None else self._shards).mkdir(parents=True, exist_ok=True)
            self.maps.mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=self.work):
                pass
        except OSError as error:
            raise PermagridError(
                f"{path}: cannot be written to ({error.strerror}); choose another --out"
            ) from error
        self._lock = FileLock(self.work / "lock")
        self._own = self._lock if shard is None else FileLock(self._shards / f"{shard}.lock")
        self._ledger_path = self.work / LEDGER
        self._ledger: dict[str, dict[str, str]] = {}
        self.reused: list[str] = []
        self._made: set[str] = set()

    @property
    def work(self) -> Path:
        """Folder of kept steps."""
        return self.path / "work"

    @property
    def _shards(self) -> Path:
        return self.work / "shards"

    @property
    def maps(self) -> Path:
        """Folder of the maps."""
        return self.path / "maps"

    @property
    def models(self) -> Path:
        """Folder of the fitted learners."""
        return self.path / "models"

    def _refuse_foreign_files(self) -> None:
        """Refuse to write over somebody's files, such as an input table that is called sites.parquet."""
        found = [name for name in FILES if (self.path / name).is_file()]
        own = (self.work / LEDGER).exists() or self._study_of_summary() is not None
        if found and not own:
            raise PermagridError(
                f"{self.path}: holds {', '.join(found)}, which no run of permagrid left; choose another --out"
            )

    def _study_of_summary(self) -> str | None:
        try:
            summary = json.loads((self.path / "summary.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return str(summary["study"]) if isinstance(summary, dict) and "study" in summary else None

    def claim(self, study: str) -> None:
        """Note that the folder belongs to a study, and remove what a killed run left half made.

        Raises
        ------
        PermagridError
            If it holds another study, whose maps would be removed.
        """
        note = self.work / "study"
        owner = note.read_text(encoding="utf-8") if note.exists() else self._study_of_summary()
        if owner not in (None, study):
            raise PermagridError(f"{self.path}: holds the study {owner}; choose another --out for {study}")
        if self._shard is not None:
            return
        write_text(note, study)
        self.sweep()

    def __enter__(self) -> Self:
        try:
            self._own.acquire(timeout=0)
            self._refuse_others()
        except Timeout as error:
            self._own.release()
            raise PermagridError(
                f"{self.path}: another run is at work in this folder; wait or choose another"
            ) from error
        # Only now: what was written before the lock was free would be forgotten.
        self._ledger = self._read_ledger()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._own.release()

    def _refuse_others(self) -> None:
        """Raise `Timeout` if a whole run and a shard would be at work together."""
        if self._shard is not None:
            # Held for a moment only: other shards look for the same.
            with self._lock.acquire(timeout=_A_MOMENT):
                return
        for path in self._shards.glob("*.lock"):
            with FileLock(path, timeout=0):
                pass

    def _read_ledger(self) -> dict[str, dict[str, str]]:
        try:
            ledger = json.loads(self._ledger_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        entries = ledger.items() if isinstance(ledger, dict) else ()
        return {name: entry for name, entry in entries if isinstance(entry, dict) and set(entry) == _ENTRY}

    def keep(self, name: str, ingredients: object, make: Callable[[Path], None]) -> Path:
        """Return the file `name`, made anew only if its ingredients changed or it was touched.

        Parameters
        ----------
        name
            Path within the folder.
        ingredients
            Everything that the content depends on; plain values.
        make
            Writes the file to the path it is given, a temporary one in the same folder.

        Returns
        -------
        Path
            The finished file.
        """
        path = self.path / name
        if self.is_kept(name, ingredients):
            if name not in self._made:
                self.reused.append(name)
            return path
        self.begin(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            make(temporary)
        self.record(name, ingredients)
        return path

    def reused_counts(self) -> dict[str, int]:
        """Return how many kept files of each kind the run took over instead of making them anew."""
        kinds = {"layers": "work/stack/", "folds": "work/folds/", "maps": "maps/", "report": "report.html"}
        names = [name for name in self.reused if not name.endswith((".qml", ".sld", ".xml"))]
        return {kind: sum(name.startswith(start) for name in names) for kind, start in kinds.items()}

    def unseal(self) -> None:
        """Forget the hashes of what is about to be made anew."""
        (self.work / SEAL).unlink(missing_ok=True)

    def seal(self, maps: Iterable[Path]) -> None:
        """Note the hashes of all that the run leaves, now that it is complete."""
        paths = [self.path / name for name in FILES if (self.path / name).is_file()]
        for made in maps:
            paths += self.maps.glob(f"{glob.escape(made.stem)}.*")
        hashes = {path.relative_to(self.path).as_posix(): sha256_of(path) for path in sorted(paths)}
        write_text(self.work / SEAL, json.dumps(hashes, indent=1))

    def begin(self, *names: str) -> None:
        """Note that files are about to be made, so that the next run knows them if this one is killed.

        Raises
        ------
        PermagridError
            In a shard, which makes none.
        """
        if self._shard is not None:
            if names:
                raise PermagridError(f"{self.path}: {names[0]} is not kept; {UNPREPARED}")
            return
        self._ledger |= {name: dict.fromkeys(sorted(_ENTRY), "") for name in names}
        self._write_ledger()

    def record(self, name: str, ingredients: object) -> None:
        """Note that the file or folder `name` is complete, and what it was made from."""
        self._made.add(name)
        self._ledger[name] = {"digest": digest(ingredients), "sha256": sha256_of(self.path / name)}
        self._write_ledger()

    def is_kept(self, name: str, ingredients: object) -> bool:
        """Return whether the file or folder `name` is there, made from the same, and untouched since."""
        path, entry = self.path / name, self._ledger.get(name)
        if entry is None or entry["digest"] != digest(ingredients) or not path.exists():
            return False
        return sha256_of(path) == entry["sha256"]

    def _write_ledger(self) -> None:
        write_text(self._ledger_path, json.dumps(self._ledger, indent=1, sort_keys=True))

    def sweep(self) -> None:
        """Remove temporary files that a killed run left behind."""
        for folder in (self.path, self.maps, self.work, self.work / "folds"):
            for path in folder.glob(".*.partial*"):
                path.unlink()
        for folder in (self.work / "stack", self.work / "blocks", self.models):
            for path in folder.glob("*.partial"):
                rmtree(path)
        for path in (self.work / "blocks").glob("*/.*.partial"):
            path.unlink()

    def forget(self, folder: str, keep: set[str]) -> None:
        """Remove what earlier studies left in `folder` and this one does not make, with its side files."""
        if self._shard is not None:
            return
        stale = [name for name in self._ledger if name.startswith(f"{folder}/") and name not in keep]
        for name in stale:
            for path in (self.path / folder).glob(f"{glob.escape(Path(name).stem)}.*"):
                remove(path)
            if (self.path / name).exists():
                remove(self.path / name)
            del self._ledger[name]
        if stale:
            self._write_ledger()


def digest(ingredients: object) -> str:
    """Return the SHA-256 of plain values, the same for the same values in any order of keys.

    Examples
    --------
    >>> digest({"a": 1, "b": [2.0, None]}) == digest({"b": [2.0, None], "a": 1})
    True
    """
    text = json.dumps(ingredients, sort_keys=True, default=_plain, allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple | set | frozenset):
        return sorted(value) if isinstance(value, set | frozenset) else list(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no plain value")
