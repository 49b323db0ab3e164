"""The record beside fetched files: whence, when, how large, with which hash, licence and citation."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from permagrid.catalogue import VERSION, Source
from permagrid.errors import PermagridError
from permagrid.files import sha256_of, write_text

NAME = "SOURCE.json"
"""Name of the record in the folder of a source."""

SCHEMA = 1


@dataclass
class Terms:
    """Licence and citation, which some tables tell themselves."""

    licence: str
    """Name of the licence."""
    licence_url: str
    """Page with its terms."""
    citation: str
    """How to cite the data."""


class Record:
    """What is known of the files in the folder of a source.

    Parameters
    ----------
    folder
        The folder; it exists.
    source, resolution
        What is fetched to it.

    Raises
    ------
    PermagridError
        If the folder holds the record of another source.
    """

    def __init__(self, folder: Path, source: Source, resolution: str) -> None:
        self._path = folder / NAME
        self._folder, self._source, self._resolution = folder, source, resolution
        self.terms = Terms(source.licence.name, source.licence.url, source.citation)
        self.files: dict[str, dict[str, Any]] = {}
        try:
            held = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        found = held.get("source") if isinstance(held, dict) else None
        if found != source.name:
            raise PermagridError(
                f"{self._path}: is of {found!r}, not of {source.name!r}; choose another --out"
            )
        files = held.get("files")
        if isinstance(files, dict):
            self.files = {name: entry for name, entry in files.items() if isinstance(entry, dict)}

    def holds(self, name: str, url: str) -> bool:
        """Return whether a file is there as it was fetched from this address.

        A file of which nothing is recorded was put there by someone, and counts.
        """
        path, entry = self._folder / name, self.files.get(name)
        if not path.is_file():
            return False
        return entry is None or (
            entry.get("url") in (url, None) and entry.get("bytes") == path.stat().st_size
        )

    def note(self, name: str, url: str | None, checksum: str = "") -> None:
        """Record a file, and write the record.

        Parameters
        ----------
        name
            Its path within the folder.
        url
            Where it was fetched from; None for one that was there before.
        checksum
            What it, or the archive that held it, was compared with.
        """
        path = self._folder / name
        self.files[name] = {
            "url": url,
            "fetched": None if url is None else f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "bytes": path.stat().st_size,
            "sha256": sha256_of(path),
            "compared_with": checksum or None,
        }
        self.write()

    def write(self) -> None:
        """Write the record whole."""
        source = self._source
        content = {
            "schema": SCHEMA,
            "source": source.name,
            "title": source.title,
            "resolution": self._resolution or None,
            "doi": source.doi or None,
            "home": source.home or None,
            "licence": {"name": self.terms.licence, "url": self.terms.licence_url or None},
            "citation": self.terms.citation,
            "catalogue": VERSION,
            "permagrid": version("permagrid"),
            "files": dict(sorted(self.files.items())),
        }
        write_text(self._path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
