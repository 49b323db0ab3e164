"""Landsat's MTL files: the groups of keys and values that say how a scene is to be read."""

import json
from collections.abc import Mapping
from pathlib import Path

from permagrid.errors import PermagridError

SUFFIXES = ("_MTL.txt", "_MTL.json")
"""How the names of MTL files end: one scene may have both."""

Groups = dict[str, dict[str, str]]

_ROOTS = ("LANDSAT_METADATA_FILE", "L1_METADATA_FILE")


class Metadata:
    """What an MTL file says, group by group.

    Keys repeat: a Level-2 file also holds the factors of the Level-1 scene that it was made from, under the
    same names. They are looked up by group.

    Parameters
    ----------
    path
        The file, for messages.
    groups
        Group -> key -> value, as text without quotes.
    """

    def __init__(self, path: Path, groups: Mapping[str, Mapping[str, str]]) -> None:
        self.path, self.groups = path, groups

    def find(self, key: str, *groups: str) -> str | None:
        """Return the value of a key in the first of the groups that has it; in any group if none is named."""
        for group in groups or self.groups:
            if key in self.groups.get(group, {}):
                return self.groups[group][key]
        return None

    def text(self, key: str, *groups: str) -> str:
        """Return the value of a key as `find`.

        Raises
        ------
        PermagridError
            If no group has it.
        """
        found = self.find(key, *groups)
        if found is None:
            where = f" in {' or '.join(groups)}" if groups else ""
            raise PermagridError(f"{self.path}: has no {key}{where}")
        return found

    def number(self, key: str, *groups: str) -> float | None:
        """Return the value of a key as a number, or None where no group has it.

        Raises
        ------
        PermagridError
            If the value is no number.
        """
        found = self.find(key, *groups)
        if found is None:
            return None
        try:
            return float(found)
        except ValueError as error:
            raise PermagridError(f"{self.path}: {key} must be a number, found {found!r}") from error


def read_mtl(path: Path) -> Metadata:
    """Return what an MTL file says.

    Parameters
    ----------
    path
        ``..._MTL.txt`` or ``..._MTL.json``.

    Raises
    ------
    PermagridError
        If the file cannot be read or is no MTL file.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise PermagridError(f"{path}: cannot be read ({error.strerror or error})") from error
    groups = _from_json(path, text) if path.suffix.lower() == ".json" else groups_of(text)
    if not any(name in groups for name in ("PRODUCT_CONTENTS", "PRODUCT_METADATA")):
        raise PermagridError(
            f"{path}: is no MTL file of a Landsat scene (no group PRODUCT_CONTENTS or PRODUCT_METADATA)"
        )
    return Metadata(path, groups)


def groups_of(text: str) -> Groups:
    """Return the groups of an MTL file in its own notation.

    Examples
    --------
    >>> lines = ["GROUP = A", "  GROUP = B", '  NAME = "x"', "  SUN = 47.0", "  END_GROUP = B", "END"]
    >>> groups_of(chr(10).join(lines))
    {'A': {}, 'B': {'NAME': 'x', 'SUN': '47.0'}}
    """
    groups: Groups = {}
    open_groups: list[str] = []
    for line in text.splitlines():
        key, equals, value = (part.strip() for part in line.partition("="))
        # Old files go on behind their end, filled up with zero bytes.
        if key == "END":
            break
        if not equals:
            continue
        value = value.strip('"')
        if key == "GROUP":
            open_groups.append(value)
            groups.setdefault(value, {})
        elif key == "END_GROUP":
            open_groups = open_groups[:-1]
        elif open_groups:
            groups[open_groups[-1]][key] = value
    return groups


def _from_json(path: Path, text: str) -> Groups:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise PermagridError(f"{path}: is no JSON ({error})") from error
    for root in _ROOTS:
        content = content.get(root, content) if isinstance(content, dict) else {}
    return {
        name: {key: str(value) for key, value in group.items()}
        for name, group in content.items()
        if isinstance(group, dict)
    }
