"""The radial kernel between training rows, computed once for fits of the same rows with other penalties."""

import math
from collections import OrderedDict
from functools import cache
from hashlib import blake2b
from threading import Lock
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import get_cython_function_address, intrinsic
from numpy.typing import NDArray
from sklearn.svm import SVC, SVR

Float = NDArray[np.float64]

MOST_ROWS = 2500
"""Rows of which a kernel is computed whole: 50 MB."""
_MOST_BYTES = 64_000_000
_TILE = 32
_WORD = 8

_kept: OrderedDict[bytes, Float] = OrderedDict()
_lock = Lock()


def radial_kernel(rows: Float, gamma: float) -> Float:
    """Return ``exp(-gamma d**2)`` of the distances d between rows, to the last bit what libsvm computes.

    The last few are kept (64 MB of them), so that fits of the same rows, and of the parts of them that
    probabilities are learned from, share one. libsvm computes each value twice, in both directions.

    Parameters
    ----------
    rows
        Shape ``(n, columns)``.
    gamma
        Inverse of the squared distance over which rows are alike.

    Returns
    -------
    array
        Shape ``(n, n)``; not to be changed.

    Examples
    --------
    >>> radial_kernel(np.array([[0.0], [1.0]]), math.log(2.0)).round(12)
    array([[1. , 0.5],
           [0.5, 1. ]])
    """
    rows = np.ascontiguousarray(rows, dtype=float)
    told = np.array([gamma, *rows.shape]).tobytes()
    key = blake2b(rows.data, digest_size=32).digest() + told
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    kernel = np.empty((len(rows), len(rows)))
    _fill(_address(), rows, float(gamma), kernel)
    with _lock:
        _kept[key] = kernel
        while sum(each.nbytes for each in _kept.values()) > _MOST_BYTES:
            _kept.popitem(last=False)
    return kernel


def fitted_by_kernel(machine: Any, rows: Any, target: Any, weights: Any) -> bool:
    """Fit a radial `SVC` or `SVR` by a kernel that is kept; return False, and do nothing, if it has none.

    The machine is, to the last bit, the one that its own ``fit`` makes.

    Parameters
    ----------
    machine
        Not yet fitted.
    rows, target, weights
        What its ``fit`` is given.
    """
    gamma = machine.gamma
    plain = isinstance(rows, np.ndarray) and rows.ndim == 2 and rows.dtype == np.float64
    # libsvm leaves rows of no weight out, which a kernel made before does not know of.
    plain = plain and (weights is None or bool(np.all(np.asarray(weights) > 0)))
    if machine.kernel != "rbf" or gamma == "scale" or not plain or not 0 < len(rows) <= MOST_ROWS:
        return False
    gamma = 1.0 / rows.shape[1] if gamma == "auto" else float(gamma)
    parameters = {**machine.get_params(deep=False), "kernel": "precomputed", "gamma": "auto"}
    inner = (SVC if isinstance(machine, SVC) else SVR)(**parameters)
    inner.fit(radial_kernel(rows, gamma), target, sample_weight=weights)
    learned = {key: value for key, value in vars(inner).items() if key not in parameters}
    vars(machine).update(learned)
    machine.support_vectors_ = rows[machine.support_]
    machine.n_features_in_, machine.shape_fit_, machine._gamma = rows.shape[1], rows.shape, gamma
    return True


@cache
def _address() -> int:
    """Return where the product is that libsvm adds up its kernels by."""
    return int(get_cython_function_address("scipy.linalg.cython_blas", "ddot"))


@intrinsic  # type: ignore[untyped-decorator]
def _product(context: Any, address: Any, count: Any, one: Any, other: Any, step: Any) -> Any:
    """Return the product of two rows, told by addresses, by the function at an address."""
    del context, address, count, one, other, step
    signature = types.float64(*[types.intp] * 5)

    def emit(_: Any, builder: Any, __: Any, given: Any) -> Any:
        kind = ir.FunctionType(ir.DoubleType(), [ir.IntType(64)] * 5)
        function = builder.inttoptr(given[0], kind.as_pointer())
        _, count, one, other, step = given
        return builder.call(function, [count, one, step, other, step])

    return signature, emit


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _fill(address: int, rows: Float, gamma: float, kernel: Float) -> None:
    n, columns = rows.shape
    counts = np.array([columns, 1], dtype=np.int32)
    count, first, wide = counts.ctypes.data, rows.ctypes.data, _WORD * columns
    step = count + 4
    squares = np.empty(n)
    for i in range(n):
        squares[i] = _product(address, count, first + wide * i, first + wide * i, step)
    # Tile by tile, as the other half lies across the memory.
    for top in range(0, n, _TILE):
        for left in range(0, top + 1, _TILE):
            for i in range(top, min(n, top + _TILE)):
                for j in range(left, min(i + 1, left + _TILE)):
                    together = _product(address, count, first + wide * i, first + wide * j, step)
                    kernel[i, j] = math.exp(-gamma * (squares[i] + squares[j] - 2.0 * together))
                    kernel[j, i] = kernel[i, j]
