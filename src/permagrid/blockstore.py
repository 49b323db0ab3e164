"""Finished blocks of maps on disk: each in a file of its own that counts only when it is whole."""

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
from numcodecs.blosc import Blosc
from numpy.typing import NDArray

from permagrid.errors import PermagridError, RunError
from permagrid.files import sync_folder

Window = tuple[slice, slice]

SUFFIX = ".block"
_MAGIC = b"permagrid block 1\n"
_HASH = hashlib.sha256().digest_size
_LENGTH = struct.Struct("<I")
_TYPES = ("float32", "float64", "uint8")
_CODEC = Blosc("lz4", 1, Blosc.SHUFFLE)
"""Thirty times as fast as zlib at its fastest, and no larger: some 2 ms for the 4 MB of a block."""


class BlockError(PermagridError):
    """A file in the place of a block is none, or not the one that was written."""


class StoredBlock(NamedTuple):
    """What the file of a block holds."""

    values: NDArray[Any]
    """Shape ``(outputs, rows, columns)``."""
    facts: Mapping[str, Any]
    """What was told of it beside its values, plain."""


@dataclass(frozen=True)
class BlockStore:
    """The blocks of some maps of one epoch, which are made from the same.

    A block is written under a temporary name, brought to the disk, and only then named: what a killed process
    leaves is never taken for a block. Its file begins with the hash of all that follows, which is checked
    when it is read. Any number of processes may write to a store at a time.

    Parameters
    ----------
    folder
        Where the blocks are; made by `open`.
    key
        Hash of all that they are made from, which stands in every file.
    """

    folder: Path
    key: str

    def open(self) -> None:
        """Make the folder, unless it is there.

        Raises
        ------
        RunError
            If it cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"cannot write {self.folder}: {error.strerror or error}") from error

    def path(self, window: Window) -> Path:
        """Return the file of a block."""
        return self.folder / f"{named(window)}{SUFFIX}"

    def missing(self, windows: Sequence[Window]) -> list[Window]:
        """Return those of some blocks that are not there; what is there is not read."""
        there = self._names()
        return [window for window in windows if self.path(window).name not in there]

    def others(self, windows: Sequence[Window]) -> int:
        """Return how many blocks are there beside some, as of another size."""
        return len(self._names() - {self.path(window).name for window in windows})

    def _names(self) -> set[str]:
        try:
            names = {entry.name for entry in os.scandir(self.folder)}
        except FileNotFoundError:
            return set()
        return {name for name in names if name.endswith(SUFFIX)}

    def write(self, window: Window, values: NDArray[Any], facts: Mapping[str, Any]) -> str:
        """Write a block and return its hash.

        Parameters
        ----------
        window
            Rows and columns of the grid.
        values
            Shape ``(outputs, rows, columns)``; float32, float64 or uint8.
        facts
            What else is known of the block; plain values.

        Raises
        ------
        RunError
            If it cannot be written, as when the disk is full. Blocks that were written stay.
        """
        values = np.ascontiguousarray(values)
        header = {
            "key": self.key,
            "window": named(window),
            "dtype": values.dtype.name,
            "shape": list(values.shape),
            "facts": facts,
        }
        # Totals of many members are long texts, mostly of zeros.
        text = zlib.compress(json.dumps(header, sort_keys=True).encode(), 1)
        content = _LENGTH.pack(len(text)) + text + _CODEC.encode(values)
        hashed = hashlib.sha256(content)
        path = self.path(window)
        temporary = path.with_name(f".{path.stem}.{uuid4().hex}.partial")
        try:
            try:
                with temporary.open("wb") as file:
                    file.write(_MAGIC + hashed.digest())
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
            sync_folder(self.folder)
        except OSError as error:
            raise RunError(
                f"cannot write {path}: {error.strerror or error}; finished blocks are kept, and the next run "
                "goes on from them"
            ) from error
        return hashed.hexdigest()

    def read(self, window: Window) -> StoredBlock:
        """Return a block.

        Raises
        ------
        BlockError
            If its file is missing, damaged, cut off, or that of another block.
        """
        path = self.path(window)
        header, payload = _content_of(path)
        rows, columns = (part.stop - part.start for part in window)
        if (header["key"], header["window"]) != (self.key, named(window)):
            raise BlockError(f"{path}: is the block {header['window']} of other maps")
        shape = tuple(header["shape"])
        if shape[1:] != (rows, columns) or header["dtype"] not in _TYPES:
            raise BlockError(f"{path}: has values of another shape or type than the block")
        values = np.frombuffer(_CODEC.decode(payload), dtype=header["dtype"]).reshape(shape)
        return StoredBlock(values, header["facts"])

    def discard(self, window: Window) -> None:
        """Remove a block, so that it is made again."""
        self.path(window).unlink(missing_ok=True)


def fault_of(path: Path) -> str | None:
    """Return what is wrong with the file of a block, whatever store it is of; None if nothing is."""
    try:
        _content_of(path)
    except BlockError as error:
        return str(error)
    return None


def stored_blocks(folder: Path) -> Iterator[Path]:
    """Yield the files of all blocks in a folder of stores."""
    yield from sorted(folder.glob(f"*/[!.]*{SUFFIX}"))


def named(window: Window) -> str:
    """Return the name of a block: its first row and column, and how many it has of both.

    Examples
    --------
    >>> named((slice(512, 1024), slice(0, 300)))
    'r512-c0-512x300'
    """
    rows, columns = window
    return f"r{rows.start}-c{columns.start}-{rows.stop - rows.start}x{columns.stop - columns.start}"


def _content_of(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return what the file of a block says, and its packed values, if it is the one that was written."""
    try:
        found = path.read_bytes()
    except OSError as error:
        raise BlockError(f"{path}: cannot be read ({error.strerror or error})") from error
    start = len(_MAGIC) + _HASH
    if not found.startswith(_MAGIC):
        raise BlockError(f"{path}: is no block of permagrid")
    content = found[start:]
    if hashlib.sha256(content).digest() != found[len(_MAGIC) : start]:
        raise BlockError(f"{path}: is damaged or cut off, as its hash tells")
    (length,) = _LENGTH.unpack_from(content)
    end = _LENGTH.size + length
    return json.loads(zlib.decompress(content[_LENGTH.size : end])), content[end:]
