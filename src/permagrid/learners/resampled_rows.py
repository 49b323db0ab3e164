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
    rows: Float32, vectors: Float32, gamma: np.float32, coefficients: Float32, intercepts: Float32
) -> Float32:
    """Return sums of exp(-gamma d**2) over training rows, for the coefficients of all members.

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
    """
    columns, many = vectors.shape
    out = np.empty((len(rows), coefficients.shape[1]), dtype=np.float32)
    near = np.empty(many, dtype=np.float32)
    bits = np.empty(many, dtype=np.int32)
    powers = bits.view(np.float32)
    places = np.arange(many)
    for row in range(len(rows)):
        near[:] = 0.0
        for column in range(columns):
            here, there = rows[row, column], vectors[column]
            for centre in range(many):
                apart = here - there[centre]
                near[centre] += apart * apart
        for centre in range(many):
            near[centre] *= -gamma
        exponentials(near, bits, powers)
        out[row] = intercepts
        add_rows(out[row], near, places, many, coefficients)
    return out
