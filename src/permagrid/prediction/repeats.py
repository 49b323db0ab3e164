"""Rows that repeat others to the bit, as many cells of a coarse covariate do: found, and computed once."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Index = NDArray[np.int64]
Words = NDArray[np.uint32]

_RUNS, _RUN, _APART = 64, 8, 256
"""So many runs of so many rows are looked at first, at least so far apart."""
_FEWEST = 8
"""Runs that tell anything."""
_DISTINCT = 0.75
"""Share of distinct rows in those runs from which on it does not pay to look further."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
_LONGEST = np.uint64(64)


class Repeats(NamedTuple):
    """Distinct rows, and which of them each row is."""

    first: Index
    """Places of the rows that are the first of their kind, rising, shape ``(distinct,)``."""
    number: Index
    """For each row its place among these, shape ``(n,)``."""


def repeats(rows: NDArray[Any]) -> Repeats | None:
    """Return which rows repeat others, if a look at some of them tells that many do; None else.

    Rows are the same if all their bits are, so that whatever is computed of each row by itself is the same
    for both: 0 and -0 are not, and missing values are if their bits are.

    Parameters
    ----------
    rows
        Shape ``(n, columns)``.

    Examples
    --------
    >>> rows = np.repeat(np.arange(1000.0)[:, np.newaxis], 10, axis=0)
    >>> found = repeats(rows)
    >>> len(found.first), np.array_equal(rows[found.first][found.number], rows)
    (1000, True)
    >>> repeats(np.arange(10_000.0)[:, np.newaxis]) is None
    True
    """
    runs = min(_RUNS, len(rows) // _APART)
    if runs < _FEWEST or rows.shape[1] == 0:
        return None
    starts = np.linspace(0, len(rows) - _RUN, runs).astype(np.int64)
    some = _words(rows[(starts[:, np.newaxis] + np.arange(_RUN)).ravel()])
    if len(_found(some).first) > _DISTINCT * len(some):
        return None
    return _found(_words(rows))


def of_distinct(predict: Callable[[NDArray[Any]], NDArray[Any]], rows: NDArray[Any]) -> NDArray[Any]:
    """Return predictions of rows, which are made of distinct ones only if many repeat others.

    Parameters
    ----------
    predict
        Predicts each row by itself; its first axis is that of the rows.
    rows
        Shape ``(n, columns)``.
    """
    found = repeats(rows)
    return predict(rows) if found is None else predict(rows[found.first])[found.number]


def _words(rows: NDArray[Any]) -> Words:
    """Return the bits of rows in words of 32."""
    wide = rows if rows.dtype.itemsize % 4 == 0 else rows.astype(np.float32)
    return np.ascontiguousarray(wide).view(np.uint32)


def _found(words: Words) -> Repeats:
    first, number = np.empty(len(words), dtype=np.int64), np.empty(len(words), dtype=np.int64)
    size = 1 << (2 * len(words) - 1).bit_length()
    count = _number(words, np.full(size, -1, dtype=np.int32), first, number)
    return Repeats(first[:count].copy(), number)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _number(words: Words, table: NDArray[np.int32], first: Index, number: Index) -> int:
    """Give distinct rows numbers as they come, and return how many there are.

    Parameters
    ----------
    words
        Bits of the rows.
    table
        Room for the numbers of twice as many rows or more, a power of 2 of it; -1 throughout.
    first, number
        What is set, as in `Repeats`.
    """
    count, mask = 0, np.uint64(len(table) - 1)
    bits = np.uint64(0)
    while (np.uint64(1) << bits) < len(table):
        bits += np.uint64(1)
    for row in range(len(words)):
        if row > 0 and _same(words, row, row - 1):
            number[row] = number[row - 1]
            continue
        place = _mixed(words, row) >> (_LONGEST - bits)
        while table[place] >= 0 and not _same(words, row, first[table[place]]):
            place = (place + np.uint64(1)) & mask
        if table[place] < 0:
            table[place], first[count] = count, row
            count += 1
        number[row] = table[place]
    return count


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _same(words: Words, one: int, other: int) -> bool:
    at = 0
    while at < words.shape[1] and words[one, at] == words[other, at]:
        at += 1
    return bool(at == words.shape[1])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _mixed(words: Words, row: int) -> np.uint64:
    """Return a word of 64 bits that depends on all bits of a row, its highest bits most of all."""
    mixed = np.uint64(0)
    for at in range(words.shape[1]):
        turned = (mixed << np.uint64(5)) | (mixed >> np.uint64(59))
        mixed = (turned ^ np.uint64(words[row, at])) * _MIX
    return mixed
