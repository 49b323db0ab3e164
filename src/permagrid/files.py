"""Files and folders written whole or not at all, and their hashes."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

from permagrid.errors import PermagridError, RunError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; what is written there gets its name when the body succeeds.

    That may be a folder, too, which takes the place of one of the same name. A failure leaves what was there
    before, and no temporary file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "a.txt") as temporary:
    ...         _ = temporary.write_text("whole")
    ...     sorted(p.name for p in Path(folder).iterdir())
    ['a.txt']
    """
    temporary = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        yield temporary
        if path.is_dir():
            remove(path)
        temporary.replace(path)
    finally:
        # A file in the place of the folder makes even the removal fail.
        if temporary.is_dir():
            rmtree(temporary)
        elif temporary.exists():
            temporary.unlink()


def remove(path: Path) -> None:
    """Remove a file or folder such that no half of it is ever seen under its name."""
    if path.is_dir():
        doomed = path.with_name(f"{path.name}.partial")
        path.rename(doomed)
        rmtree(doomed)
    else:
        path.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole or not at all, with the same line ends on every system.

    Raises
    ------
    PermagridError
        If the file cannot be written; a `RunError` where its folder is there.
    """
    try:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        # A folder that is not there is a slip of the one who named it; a full disk is not.
        kind = PermagridError if isinstance(error, FileNotFoundError) else RunError
        raise kind(f"cannot write {path}: {error.strerror or error}") from error


def sync_folder(folder: Path) -> None:
    """Bring the names of a folder's files to the disk, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, or of the names and contents of a folder's files.

    Raises
    ------
    PermagridError
        If a file cannot be read.
    """
    try:
        if not path.is_dir():
            with path.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        hasher = hashlib.sha256()
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            # The length keeps a name and the content after it apart.
            hasher.update(f"{file.relative_to(path).as_posix()}\0{file.stat().st_size}\0".encode())
            hasher.update(file.read_bytes())
        return hasher.hexdigest()
    except OSError as error:
        raise PermagridError(f"cannot read {path}: {error.strerror or error}") from error
