"""The parts a report page is made of: sections, figures, tables, and their words."""

import base64
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any


@dataclass(frozen=True)
class Picture:
    """A figure with the words that go with it."""

    png: bytes
    """The image."""
    alt: str
    """What it shows, for readers who cannot see it."""
    caption: str
    """What stands below it."""

    @property
    def source(self) -> str:
        """The image as a data address, so that the page needs no other file."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")

    @property
    def width(self) -> int:
        """Width on the page [CSS pixel], at two thirds of the pixels of the image."""
        return round(int(struct.unpack(">I", self.png[16:20])[0]) * 2 / 3)

    @property
    def height(self) -> int:
        """Height on the page [CSS pixel]."""
        return round(int(struct.unpack(">I", self.png[20:24])[0]) * 2 / 3)


@dataclass(frozen=True)
class Cell:
    """One cell of a table."""

    text: str
    """What it says."""
    small: str = ""
    """A second line, such as an interval."""
    code: bool = False
    """Whether it is a path or a checksum."""


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    cells: tuple[Cell, ...]
    """Its cells; the first one heads it."""
    mark: str = ""
    """``quoted``, ``random`` or nothing."""


@dataclass(frozen=True)
class Grid:
    """A table."""

    heads: tuple[str, ...]
    """Heads of the columns."""
    rows: tuple[Row, ...]
    """The rows."""
    numeric: frozenset[int] = frozenset()
    """Columns of numbers, which are set flush right."""
    caption: str = ""
    """What stands above it."""


@dataclass(frozen=True)
class Folded:
    """Something shown on demand."""

    title: str
    """What is inside."""
    figures: tuple[Picture, ...] = ()
    """Figures inside."""
    tables: tuple[Grid, ...] = ()
    """Tables inside."""
    code: str = ""
    """Text of a file."""


@dataclass(frozen=True)
class Reference:
    """A source to cite."""

    text: str
    """The citation."""
    more: str
    """Licence, and what was taken from it."""


@dataclass(frozen=True)
class Part:
    """A stretch of a section: text, then figures, tables, things folded away, and references."""

    heading: str = ""
    """Heading of the third level."""
    text: tuple[str, ...] = ()
    """Paragraphs."""
    figures: tuple[Picture, ...] = ()
    """Figures."""
    tables: tuple[Grid, ...] = ()
    """Tables."""
    folded: tuple[Folded, ...] = ()
    """Things shown on demand."""
    references: tuple[Reference, ...] = ()
    """Sources to cite."""


@dataclass(frozen=True)
class Section:
    """A section with its entry in the table of contents."""

    id: str
    """Anchor."""
    title: str
    """Heading."""
    parts: tuple[Part, ...] = field(default=())
    """What it holds."""


@dataclass(frozen=True)
class Card:
    """One of the numbers at the top of a report."""

    name: str
    """What is counted or measured."""
    value: str
    """The number, with its unit."""
    more: str = ""
    """What to know beside it."""
    quoted: bool = False
    """Whether this is the number to quote."""


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]], *, caption: str = "") -> Grid:
    """Return a table of plain values; columns of numbers only are set flush right, with equal decimals.

    Examples
    --------
    >>> grid = table(["step", "time [s]"], [["sites", 1.5], ["maps", 1.0]])
    >>> sorted(grid.numeric), [row.cells[1].text for row in grid.rows]
    ([1], ['1.50', '1.00'])
    """
    columns = [[row[place] for row in rows] for place in range(len(heads))]
    numeric = frozenset(
        place
        for place, values in enumerate(columns)
        if rows and all(isinstance(value, Real) or value is None for value in values)
    )
    texts = [
        _decimal_texts(values) if place in numeric else [number(value) for value in values]
        for place, values in enumerate(columns)
    ]
    cells = [
        [cell if isinstance(cell, Cell) else Cell(texts[place][line]) for place, cell in enumerate(row)]
        for line, row in enumerate(rows)
    ]
    return Grid(tuple(heads), tuple(Row(tuple(row)) for row in cells), numeric, caption)


def _decimal_texts(values: Sequence[Any], digits: int = 3) -> list[str]:
    """Return numbers with as many decimals as the median of their sizes needs for `digits` digits."""
    sizes = sorted(
        abs(float(value)) for value in values if value is not None and math.isfinite(value) and value != 0
    )
    if not sizes or all(value is None or isinstance(value, Integral) for value in values):
        return [number(value) for value in values]
    decimals = max(digits - 1 - math.floor(math.log10(sizes[len(sizes) // 2])), 0)
    return [
        number(value)
        if value is None or not math.isfinite(value)
        else f"{round(float(value), decimals) + 0.0:.{decimals}f}".replace("-", "\N{MINUS SIGN}")
        for value in values
    ]


def number(value: object, digits: int = 3) -> str:
    """Return a value as text: numbers in `digits` significant digits, what is missing as a dash.

    Examples
    --------
    >>> number(1.23456), number(-0.5), number(250.0), number(12345).split(), number(None)
    ('1.23', '−0.500', '250', ['12', '345'], '–')
    """
    if value is None or (isinstance(value, Real) and not math.isfinite(value)):
        return "–"
    if isinstance(value, bool) or not isinstance(value, Real):
        return str(value)
    if isinstance(value, Integral):
        grouped = f"{int(value):,}" if abs(int(value)) >= 10_000 else str(int(value))
        return grouped.replace(",", "\N{NO-BREAK SPACE}").replace("-", "\N{MINUS SIGN}")
    if abs(value) >= 10**digits:
        return number(round(float(value)))
    return f"{float(value):#.{digits}g}".rstrip(".").replace("-", "\N{MINUS SIGN}")


def count(number_of: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> count(1, "site"), count(2, "site")
    ('1 site', '2 sites')
    """
    return f"{number(number_of)} {noun}{'' if number_of == 1 else 's'}"


def all_of(number_of: int, noun: str) -> str:
    """Return all of so many things in words: for two of them, both.

    Examples
    --------
    >>> all_of(2, "epoch"), all_of(3, "epoch")
    ('both epochs', 'all 3 epochs')
    """
    return f"both {noun}s" if number_of == 2 else f"all {count(number_of, noun)}"


def unbroken(text: str, longest: int = 26) -> str:
    """Return a name that is not torn apart in a table, unless it is longer than `longest` letters.

    Examples
    --------
    >>> unbroken("by site") == "by\N{NO-BREAK SPACE}site", unbroken("by site", 3)
    (True, 'by site')
    """
    return text.replace(" ", "\N{NO-BREAK SPACE}") if len(text) <= longest else text
