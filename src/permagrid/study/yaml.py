"""A YAML file read with the place of every value, and with the faults of its form."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from permagrid.errors import Fault, StudyError
from permagrid.study.places import Finding, Location, Places

LARGEST_FILE = 1_000_000
"""Bytes that a study file may have."""


def load_yaml(path: Path) -> tuple[dict[str, Any], Places, list[Finding]]:
    """Return what a study file holds, where it stands, and keys that stand twice.

    Raises
    ------
    StudyError
        If the file cannot be read, is too large, is no YAML, holds anchors or aliases, or no mapping.
    """
    text = _text(path)
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True
    try:
        constructor, _ = yaml.get_constructor_parser(text)
        node = constructor.composer.get_single_node()
        reader = _Reader(str(path))
        if node is not None:
            reader.walk(node, ())
        # An alias can make a small file expand without end: anchors are refused before it is constructed.
        content = constructor.construct_document(node) if node is not None else None
    except StudyError:
        raise
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
        raise StudyError([Fault(place, f"is not valid YAML ({problem})")]) from error
    except RecursionError as error:
        raise StudyError([Fault(str(path), "is nested too deeply to be a study")]) from error
    except (ValueError, TypeError) as error:
        raise StudyError([Fault(str(path), f"is not valid YAML ({error})")]) from error
    if not isinstance(content, dict):
        raise StudyError(
            [Fault(str(path), "holds no study; it needs keys such as study, target, grid, sites")]
        )
    return content, Places(str(path), reader.marks, reader.names), reader.findings


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise StudyError(
                [Fault(str(path), f"is {size} bytes long; a study file has at most {LARGEST_FILE}")]
            )
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise StudyError(
            [Fault(str(path), f"is not UTF-8 text ({error.reason} at byte {error.start})")]
        ) from error
    except OSError as error:
        raise StudyError([Fault(str(path), f"cannot be read ({error.strerror})")]) from error


class _Reader:
    """Notes line and order of every value, names of parts, and keys that stand twice."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.marks: dict[Location, tuple[int, int]] = {}
        self.names: dict[Location, str] = {}
        self.findings: list[Finding] = []

    def walk(self, node: Any, location: Location) -> None:
        if node.anchor is not None:
            raise StudyError(
                [
                    Fault(
                        f"{self.file}:{_line(node)}",
                        f"YAML anchors and aliases (&{node.anchor}) are not allowed; write it out",
                    )
                ]
            )
        if isinstance(node, MappingNode):
            self._mapping(node, location)
        elif isinstance(node, SequenceNode):
            for index, item in enumerate(node.value):
                self._mark((*location, index), item)
                self.walk(item, (*location, index))

    def _mapping(self, node: MappingNode, location: Location) -> None:
        lines: dict[str, int] = {}
        for key, value in node.value:
            self.walk(key, location)
            name = str(key.value) if isinstance(key, ScalarNode) else "?"
            here = (*location, name)
            if name in lines:
                first = lines[name]
                told = f"stands twice, in lines {first} and {_line(key)}; write it once"
                self.findings.append(Finding(here, told))
            else:
                self._mark(here, key)
            lines.setdefault(name, _line(key))
            if name == "name" and location and isinstance(location[-1], int):
                self.names[location] = str(value.value)
            self.walk(value, here)

    def _mark(self, location: Location, node: Any) -> None:
        self.marks[location] = (_line(node), len(self.marks))


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1
