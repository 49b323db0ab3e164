"""The hash of the code by which something is made: a module, and all of the package that it rests on."""

import ast
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock

from permagrid.files import sha256_of
from permagrid.rundir import digest
from permagrid.steps.versions import versions

_PACKAGE = Path(__file__).resolve().parents[1]
_ONE = Lock()


def code_digest(module: str) -> str:
    """Return the hash of a module, of all that it imports of this package, and of the versions beneath.

    What other code made is not taken over by a later run; a change of the report alone costs no fold.

    Parameters
    ----------
    module
        Dotted name of a module of the package.

    Examples
    --------
    >>> code_digest("permagrid.grid") == code_digest("permagrid.grid") != code_digest("permagrid.run")
    True
    """
    # All threads of a worker begin by asking this, and Python 3.11 cannot parse in two of them at a time.
    with _ONE:
        return _digest_of(module)


@lru_cache
def _digest_of(module: str) -> str:
    sources = [(str(path.relative_to(_PACKAGE)), sha256_of(path)) for path in sorted(sources_of(module))]
    return digest([sources, versions()])


def sources_of(module: str) -> set[Path]:
    """Return the files of a module and of all modules of this package that it imports, by whatever way.

    Parameters
    ----------
    module
        Dotted name of a module of the package.

    Examples
    --------
    >>> sorted(path.name for path in sources_of("permagrid.registry"))
    ['errors.py', 'registry.py', 'wording.py']
    """
    found, waiting = set[Path](), [*_files(module)]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(_rests_on(path))
    return found


def _files(module: str) -> Iterator[Path]:
    """Yield the file of a module and those of the packages that it is in; none for a name within a module.

    The package itself only hands on names of its parts.
    """
    first, *parts = module.split(".")
    if first != _PACKAGE.name:
        return
    for length in range(1, len(parts) + 1):
        place = _PACKAGE.joinpath(*parts[:length])
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.is_file():
                yield path


@cache
def _rests_on(path: Path) -> frozenset[Path]:
    """Return the files of what a file imports; each is parsed once, however many modules rest on it."""
    found, waiting = set[str](), [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        # Imports are statements, and statements hold others in these alone.
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting.extend(getattr(node, part, ()))
    return frozenset(file for name in found for file in _files(name))
