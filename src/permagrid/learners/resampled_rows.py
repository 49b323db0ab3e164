"""Sums over many members at once, row by row: the work that all bootstrap members of a learner share."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from permagrid.sums import Float32, Index, add_rows

Float = NDArray[np.float64]
__all__ = ["Float", "Float32", "Index", "add_rows", "exponentials", "kernel_members"]

_LOG2_E = np.float32(1.4426950408889634)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_SMALLEST = np.float32(-87.0)
"""exp of less is 0 in single precision, all but."""
_C2, _C3, _C4 = np.float32(0.5), np.float32(1.0 / 6.0), np.float32(1.0 / 24.0)
_C5, _C6, _C7 = np.float32(1.0 / 120.0), np.float32(1.0 / 720.0), np.float32(1.0 / 5040.0)
_ONE = np.float32(1.0)
_AT_ONCE = 64
"""Rows that are added up in single precision before their sum goes into double precision."""
_EVERY = 16
_TOGETHER = 32
"""Rows whose sums are added up side by side."""


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def exponentials(values: Float32, bits: NDArray[np.int32], powers: Float32) -> None:
    """Replace numbers that are not above 0 by their exponentials, in single precision.

    By a power of two, whose bits are written as they are, times a polynomial of what is left: a loop that
    processors take many numbers of at once, as they cannot with calls of a library.

    Parameters
    ----------
    values
        What is replaced.
    bits
        Scratch of the same length.
    powers
        The same memory as `bits`, read as single precision.
    """
    for at in range(len(values)):
        value = max(values[at], _SMALLEST)
        whole = np.rint(value * _LOG2_E)
        left = (value - whole * _LN2_HIGH) - whole * _LN2_LOW
        inner = _C4 + left * (_C5 + left * (_C6 + left * _C7))
        values[at] = _ONE + left * (_ONE + left * (_C2 + left * (_C3 + left * inner)))
        bits[at] = (np.int32(whole) + np.int32(127)) << np.int32(23)
    for at in range(len(values)):
        values[at] *= powers[at]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def kernel_members(
    rows: Float32,
    vectors: Float32,
    gamma: np.float32,
    coefficients: Float32,
    intercepts: Float,
    totals: Float,
) -> Float32:
    """Return sums of exp(-gamma d**2) over training rows, for the coefficients of all members.

    Wide kernels are all but alike, and what coefficients of either sign make of them is a small difference
    of large sums. So what kernels have in common is taken from them and multiplied by the total of the
    coefficients, and the rest is added up a part at a time.

    Parameters
    ----------
    rows
        Shape ``(n, columns)``.
    vectors
        Training rows, shape ``(columns, m)``.
    gamma
        Of the kernel.
    coefficients
        Shape ``(m, members)``.
    intercepts
        Shape ``(members,)``.
    totals
        Of the coefficients, shape ``(members,)``.
    """
    many, members = coefficients.shape
    out = np.empty((len(rows), members), dtype=np.float32)
    near = np.empty((_TOGETHER, many), dtype=np.float32)
    bits = np.empty(many, dtype=np.int32)
    powers = bits.view(np.float32)
    places = np.arange(_AT_ONCE)
    part, whole = np.empty(members, dtype=np.float32), np.empty((_TOGETHER, members))
    for first in range(0, len(rows), _TOGETHER):
        count = min(_TOGETHER, len(rows) - first)
        for row in range(count):
            _distances(rows[first + row], vectors, -gamma, near[row])
            exponentials(near[row], bits, powers)
            common = _common(near[row])
            for centre in range(many):
                near[row, centre] -= common
            for member in range(members):
                whole[row, member] = intercepts[member] + common * totals[member]
        # Coefficients of a part of the training rows stay near while all these rows need them.
        for start in range(0, many, _AT_ONCE):
            stop = min(start + _AT_ONCE, many)
            for row in range(count):
                part[:] = 0.0
                add_rows(part, near[row, start:stop], places, stop - start, coefficients[start:stop])
                for member in range(members):
                    whole[row, member] += part[member]
        for row in range(count):
            for member in range(members):
                out[first + row, member] = whole[row, member]
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _distances(row: Float32, vectors: Float32, factor: np.float32, near: Float32) -> None:
    """Set squared distances of a row from all training rows, times a factor."""
    near[:] = 0.0
    for column in range(len(vectors)):
        here, there = row[column], vectors[column]
        for centre in range(len(near)):
            apart = here - there[centre]
            near[centre] += apart * apart
    for centre in range(len(near)):
        near[centre] *= factor


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _common(near: Float32) -> np.float32:
    """Return about the mean of some numbers."""
    total, count = np.float32(0.0), np.float32(0.0)
    for at in range(0, len(near), _EVERY):
        total += near[at]
        count += _ONE
    return total / max(count, _ONE)
