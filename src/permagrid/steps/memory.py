"""Step: how large the blocks of maps may be, and how many at a time, for a memory to hold them."""

import re
from dataclasses import dataclass

from permagrid.errors import PermagridError
from permagrid.grid import BlockSize, sides
from permagrid.steps.inputs import predictors
from permagrid.steps.layers import TOGETHER
from permagrid.study import Study

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
_LEAST_BLOCK = 64
_APART = 2**30
"""Least that is left to the process and the learners [bytes]; half of the memory, where that is more."""
_READ, _READ_ONCE, _HELD, _TOLD = 17, 24, 5, 34
"""Bytes of a cell: of each covariate while a block is read, beside them, of each covariate while it is
predicted, and of each output. Measured with tracemalloc; a test holds them against it."""
_LAYER, _KEPT = 4, 16
"""Bytes of a cell of a layer, and of each output of each epoch until its block is done."""
_CLASSES = 8
"""Classes of which a map shows the most probable, taken to be so many."""
_DRAWN, _PER_DRAW = 4096, 64
"""Cells of which all members are drawn at a time, and bytes of each member and cell."""


@dataclass(frozen=True)
class Plan:
    """Blocks that a memory holds."""

    block: BlockSize
    """Cells per side of a block, or its rows and columns."""
    workers: int
    """Blocks in work at a time."""
    bytes: int
    """What these take at most, beside the process and its learners [bytes]."""


def parse_size(text: str) -> int:
    """Return a number of bytes.

    Raises
    ------
    PermagridError
        If the text names none.

    Examples
    --------
    >>> parse_size("4GiB"), parse_size("1.5 GB")
    (4294967296, 1500000000)
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None or found[2].upper() not in _UNITS or float(found[1]) == 0:
        raise PermagridError(f"--memory {text}: allowed is a number with a unit, such as 4GiB or 500MB")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def planned(study: Study, memory: int | None, *, block: BlockSize, workers: int) -> Plan:
    """Return the largest blocks, and the most at a time, that a memory holds.

    Half of it, and at least 1 GiB, is left to the process and the learners.

    Parameters
    ----------
    study
        The study.
    memory
        Bytes in all; None for any.
    block, workers
        Blocks are not larger than this, nor more at a time. Those that must be smaller are squares again.

    Raises
    ------
    PermagridError
        If it holds not even one small block.
    """
    if memory is None:
        return Plan(block, workers, workers * block_bytes(study, block))
    room = memory - max(_APART, memory // 2)
    size = block
    if block_bytes(study, size) > room:
        size = max(sides(size))
    while isinstance(size, int) and size > _LEAST_BLOCK and block_bytes(study, size) > room:
        size = max(size // 2, _LEAST_BLOCK)
    each = block_bytes(study, size)
    if each > room:
        high, wide = sides(size)
        raise PermagridError(
            f"--memory: {memory / 2**30:.2g} GiB do not hold a block of {high} x {wide} cells "
            f"({each / 2**20:.1f} MiB) beside 1 GiB for the process and its learners"
        )
    fitting = min(workers, room // each)
    return Plan(size, fitting, fitting * each)


def block_bytes(study: Study, block: BlockSize) -> int:
    """Return what a block in work takes at most [bytes]."""
    high, wide = sides(block)
    covariates, epochs = len(predictors(study)) + 1, len(study.epoch_names)
    outputs = 4 if study.target.kind == "value" else _CLASSES
    together = min(epochs, TOGETHER)
    # Of several epochs, static layers are held as they were read, until all rows are put together.
    read = _READ + (together - 1) * _HELD + (_LAYER if together > 1 else 0)
    predicted = together * (_HELD * covariates + _KEPT * outputs) + (_TOLD - _KEPT) * outputs
    cell = max(read * covariates + _READ_ONCE, predicted)
    members = study.ensemble.members if study.ensemble is not None else 0
    if not members:
        return cell * high * wide
    # All epochs are read before members are drawn in any.
    drawn = (_READ + (epochs - 1) * _HELD) * covariates + _READ_ONCE + _TOLD * 3
    learners = len(study.ensemble.learners) if study.ensemble is not None else 0
    return max(cell, drawn) * high * wide + _DRAWN * members * (_PER_DRAW + 4 * learners + 4 * epochs)
