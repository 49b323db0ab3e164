"""Names of tables and keywords of their functions, judged with their place in the study."""

from collections.abc import Iterator, Mapping
from typing import Any

from permagrid.registry import Table
from permagrid.study import Finding, Location


def named(
    table: Table[Any], place: Location, name: str, keywords: Mapping[str, Any], *, key: str = ""
) -> Iterator[Finding]:
    """Yield what is wrong with a name of a table, which stands under `key`, and with its keywords."""
    for message in table.faults(name, keywords):
        at = next(
            (word for word in keywords if f"keyword {word!r}" in message), key if name not in table else ""
        )
        yield Finding((*place, at) if at else place, message)
