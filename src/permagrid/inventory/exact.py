"""Sums of many numbers without any rounding, so that neither order nor blocks nor workers are in them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.errors import PermagridError
from permagrid.grid import Float

_DIGITS = 20
"""Digits of 32 bits that a sum has."""
_LOWEST = -320
"""Exponent of two of the last bit of a sum; what a term has below it is left out."""
_HIGHEST = 2.0**250
"""A term must be below this; billions of them then fit."""
_FULL = 2**31
"""Terms that fit into a digit of 64 bits before what is over must be carried on."""

_Index = NDArray[np.int64]


class ExactSums:
    """Sums in rows and columns, exact in fixed point, to which terms may come in any order.

    Parameters
    ----------
    rows, columns
        How many sums there are.

    Notes
    -----
    Each term is taken apart into integers of 32 bits, which are added to the digits of a long accumulator
    (Kulisch 2013, Computer arithmetic and validity, chapter 8). A sum is rounded once, when it is read.

    Examples
    --------
    >>> sums = ExactSums(1, 1)
    >>> sums.add(np.array([[1e16], [1.0], [-1e16]]))
    >>> sums.values().tolist()
    [[1.0]]
    """

    def __init__(self, rows: int, columns: int) -> None:
        self._digits = np.zeros((rows, columns, _DIGITS), dtype=np.int64)
        self._added = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns, _ = self._digits.shape
        return int(rows), int(columns)

    def add(
        self,
        values: NDArray[np.floating[Any]],
        weights: Float | None = None,
        row: NDArray[np.integer] | None = None,
    ) -> None:
        """Add values times weights to the sums.

        Parameters
        ----------
        values
            One column per sum, shape ``(n, columns)``. Every number must be finite.
        weights
            Shape ``(n,)``, or that of the values; 1 if left out. A product is rounded to 53 bits before it
            is added.
        row
            The row of sums to which each row of values belongs, shape ``(n,)``; the first if left out.

        Raises
        ------
        PermagridError
            If a product is not finite, or 1e75 or more.
        """
        terms = np.ascontiguousarray(values)
        count = len(terms)
        if not count:
            return
        rows = np.zeros(count, dtype=np.int64) if row is None else np.ascontiguousarray(row, dtype=np.int64)
        factors = np.ones((count, 1)) if weights is None else np.asarray(weights, dtype=float)
        factors = np.ascontiguousarray(factors.reshape(count, -1))
        self._expect(count)
        bad = _accumulate(terms, factors, rows, self._digits)
        if bad >= 0:
            raise PermagridError(
                f"a sum cannot take the values of row {bad}: one is not finite, or 1e75 or more"
            )

    def merge(self, other: "ExactSums") -> None:
        """Add the sums of another accumulator of the same shape."""
        if other.shape != self.shape:
            raise PermagridError(f"sums of shape {other.shape} cannot be added to those of {self.shape}")
        self._carry()
        other._carry()
        self._digits += other._digits
        self._added = 2

    def whole_numbers(self) -> list[list[int]]:
        """Return the sums as integers, in units of 2**-320."""
        self._carry()
        low = self._digits[..., :-1].astype("<u4")
        return [
            [
                int.from_bytes(digits.tobytes(), "little") + (int(last) << 32 * (_DIGITS - 1))
                for digits, last in zip(row, ends, strict=True)
            ]
            for row, ends in zip(low, self._digits[..., -1], strict=True)
        ]

    def values(self) -> Float:
        """Return the sums, each rounded once, shape ``(rows, columns)``."""
        return rounded(self.whole_numbers())

    def column_sums(self) -> Float:
        """Return the sums of all rows, added before they are rounded, shape ``(columns,)``."""
        return np.asarray(rounded([[sum(column) for column in zip(*self.whole_numbers(), strict=True)]])[0])

    def plain(self) -> list[list[str]]:
        """Return the sums as texts in hexadecimal, for a file."""
        return [[format(number, "x") for number in row] for row in self.whole_numbers()]

    @classmethod
    def of(cls, plain: Sequence[Sequence[str]]) -> "ExactSums":
        """Return the sums that `plain` told.

        Examples
        --------
        >>> sums = ExactSums(1, 2)
        >>> sums.add(np.array([[-0.1, 1e9]]))
        >>> ExactSums.of(sums.plain()).values().tolist()
        [[-0.1, 1000000000.0]]
        """
        out = cls(len(plain), len(plain[0]) if plain else 0)
        for row, texts in enumerate(plain):
            for column, text in enumerate(texts):
                number = int(text, 16)
                sign, size = (-1, -number) if number < 0 else (1, number)
                for place in range(_DIGITS):
                    out._digits[row, column, place] = sign * (size >> (32 * place) & 0xFFFFFFFF)
        out._added = 1
        return out

    def _expect(self, count: int) -> None:
        """Make room for more terms."""
        if self._added + count >= _FULL:
            self._carry()
        self._added += count

    def _take(self, digits: _Index, count: int) -> None:
        self._expect(count)
        self._digits += digits

    def _carry(self) -> None:
        """Bring all digits but the last to 0 to 2**32 - 1."""
        for place in range(_DIGITS - 1):
            over = self._digits[..., place] >> 32
            self._digits[..., place] -= over << 32
            self._digits[..., place + 1] += over
        self._added = 1


def add_by_code(
    sums: Sequence[ExactSums],
    codes: NDArray[np.uint8],
    weights: Float,
    row: NDArray[np.integer] | None = None,
) -> None:
    """Add to the sums of each code the weights of what has it: all of them in one pass.

    The same as `ExactSums.add` of 1 where the code is that of the sums, and of 0 elsewhere.

    Parameters
    ----------
    sums
        Of code 0, 1 and so on, all of one shape.
    codes
        Shape ``(n, columns)``; a code that no sums have counts nothing.
    weights, row
        As in `ExactSums.add`, shape ``(n,)``.

    Raises
    ------
    PermagridError
        If a weight is not finite, or 1e75 or more.

    Examples
    --------
    >>> sums = [ExactSums(1, 2), ExactSums(1, 2)]
    >>> add_by_code(sums, np.array([[0, 1], [1, 1]], dtype=np.uint8), np.array([2.0, 3.0]))
    >>> [each.values().tolist() for each in sums]
    [[[2.0, 0.0]], [[3.0, 5.0]]]
    """
    count = len(codes)
    rows = np.zeros(count, dtype=np.int64) if row is None else np.ascontiguousarray(row, dtype=np.int64)
    digits = np.zeros((len(sums), *sums[0].shape, _DIGITS), dtype=np.int64)
    bad = _accumulate_codes(
        np.ascontiguousarray(codes), np.ascontiguousarray(weights, dtype=float), rows, digits
    )
    if bad >= 0:
        raise PermagridError(f"a sum cannot take the weight of row {bad}: it is not finite, or 1e75 or more")
    for each, more in zip(sums, digits, strict=True):
        each._take(more, count)


def rounded(numbers: Sequence[Sequence[int]]) -> Float:
    """Return integers in units of 2**-320 as the nearest floating-point numbers."""
    unit = 1 << -_LOWEST
    return np.array([[number / unit for number in row] for row in numbers], dtype=float)


@njit(inline="always")  # type: ignore[untyped-decorator]
def _parts(bits: int) -> tuple[Any, Any, Any, Any]:
    """Return the digit at which a number begins, and what it adds to this one and the two after it."""
    exponent = (bits >> 52) & 0x7FF
    # What lies below the last bit is cut off, and so are all numbers without a leading bit.
    place = exponent - 1075 - _LOWEST
    mantissa = (bits & 0xFFFFFFFFFFFFF) | (np.int64(exponent > 0) << 52)
    if place < 0:
        mantissa = mantissa >> min(-place, 63)
        place = 0
    sign = np.int64(-1) if bits < 0 else np.int64(1)
    digit, shift = place >> 5, place & 31
    low = np.uint64(mantissa & 0xFFFFFFFF) << np.uint64(shift)
    high = np.uint64(mantissa >> 32) << np.uint64(shift)
    middle = np.int64(low >> np.uint64(32)) + np.int64(high & np.uint64(0xFFFFFFFF))
    ends = np.int64(low & np.uint64(0xFFFFFFFF)), np.int64(high >> np.uint64(32))
    return digit, sign * ends[0], sign * middle, sign * ends[1]


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _accumulate(values: Float, factors: Float, rows: _Index, digits: _Index) -> int:
    """Add the products and return -1, or the row of the first that cannot be added."""
    columns, alike = values.shape[1], factors.shape[1] == 1
    term = np.empty(1)
    bits = term.view(np.int64)
    for i in range(len(values)):
        sums = digits[rows[i]]
        for j in range(columns):
            term[0] = np.float64(values[i, j]) * factors[i, 0 if alike else j]
            if not abs(term[0]) < _HIGHEST:
                return i
            digit, low, middle, high = _parts(bits[0])
            sums[j, digit] += low
            sums[j, digit + 1] += middle
            sums[j, digit + 2] += high
    return -1


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _accumulate_codes(codes: NDArray[np.uint8], weights: Float, rows: _Index, digits: _Index) -> int:
    """Add the weights and return -1, or the row of the first that cannot be added."""
    term = np.empty(1)
    bits = term.view(np.int64)
    for i in range(len(codes)):
        term[0] = weights[i]
        if not abs(term[0]) < _HIGHEST:
            return i
        digit, low, middle, high = _parts(bits[0])
        row = rows[i]
        for j in range(codes.shape[1]):
            code = np.int64(codes[i, j])
            if code < len(digits):
                digits[code, row, j, digit] += low
                digits[code, row, j, digit + 1] += middle
                digits[code, row, j, digit + 2] += high
    return -1
