"""Archives unpacked safely: only the files that are wanted, none outside the folder, none half written."""

import gzip
import shutil
import stat
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from permagrid.errors import PermagridError
from permagrid.files import replacing

MOST_BYTES = 500_000_000_000
"""Bytes that may come out of one archive."""

_BLOCK = 1 << 20
_MOST_NAMED = 8


def unzip(archive: Path, folder: Path, wanted: Sequence[str]) -> list[Path]:
    """Take files out of a zip archive, with those beside them that differ in the suffix only, as ``.hdr``.

    Parameters
    ----------
    archive
        The archive.
    folder
        Where the files go, under their own names without folders.
    wanted
        Names of files.

    Returns
    -------
    list of Path
        What was written, in the order of `wanted` and then by name.

    Raises
    ------
    PermagridError
        If it is no zip archive, is damaged, lacks a file, or holds a name that leads elsewhere; then nothing
        of it is kept.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            _refuse_unsafe(archive, members)
            chosen = _chosen(archive, members, wanted)
            _refuse_too_large(archive, folder, sum(member.file_size for member in chosen.values()))
            for name, member in chosen.items():
                with opened.open(member) as source, replacing(folder / name) as temporary:
                    _copy(source, temporary, archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise PermagridError(f"{archive}: is no whole zip archive ({error})") from error
    return [folder / name for name in chosen]


def gunzip(archive: Path, path: Path) -> None:
    """Write the content of a gzip file to `path`.

    Raises
    ------
    PermagridError
        If it is no gzip file, or is damaged.
    """
    try:
        with gzip.open(archive) as source, replacing(path) as temporary:
            _copy(source, temporary, archive)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise PermagridError(f"{archive}: is no whole gzip file ({error})") from error


def _refuse_unsafe(archive: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    for member in members:
        name = member.filename
        parts = {*PurePosixPath(name).parts, *PureWindowsPath(name).parts}
        leads_out = ".." in parts or PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor
        link = stat.S_ISLNK(member.external_attr >> 16)
        if leads_out or link or "\0" in name:
            raise PermagridError(
                f"{archive}: holds {name!r}, which leads out of its folder; nothing was taken from it"
            )
        if member.flag_bits & 1:
            raise PermagridError(f"{archive}: is encrypted; nothing was taken from it")


def _chosen(
    archive: Path, members: Sequence[zipfile.ZipInfo], wanted: Sequence[str]
) -> dict[str, zipfile.ZipInfo]:
    named: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        named.setdefault(PurePosixPath(member.filename).name, member)
    lacking = [name for name in wanted if name not in named]
    if lacking:
        held = ", ".join(sorted(named)[:_MOST_NAMED]) + (", ..." if len(named) > _MOST_NAMED else "")
        raise PermagridError(f"{archive}: holds no {lacking[0]}; it holds {held or 'nothing'}")
    stems = {PurePosixPath(name).stem for name in wanted}
    beside = [name for name in sorted(named) if name not in wanted and PurePosixPath(name).stem in stems]
    return {name: named[name] for name in (*wanted, *beside)}


def _refuse_too_large(archive: Path, folder: Path, size: int) -> None:
    if size > MOST_BYTES:
        raise PermagridError(f"{archive}: would unpack to {size} bytes; at most {MOST_BYTES} are allowed")
    free = shutil.disk_usage(folder).free
    if size > free:
        raise PermagridError(f"{folder}: has {free} bytes free; {archive.name} needs {size} to unpack")


def _copy(source: IO[bytes] | gzip.GzipFile, path: Path, archive: Path) -> None:
    written = 0
    with path.open("wb") as target:
        while block := source.read(_BLOCK):
            written += len(block)
            if written > MOST_BYTES:
                raise PermagridError(f"{archive}: unpacks to more than {MOST_BYTES} bytes")
            target.write(block)
