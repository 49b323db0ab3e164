"""Radial kernels of 32 cells and four vectors at a time, in vector registers from products to sums."""

from math import factorial, log
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

CELLS = 32
"""Cells that are taken at a time: their numbers of a column lie side by side."""
VECTORS = 4
"""Support vectors that are taken at a time."""

_LANES = 8
_PARTS = CELLS // _LANES
_DOUBLE, _WORD, _INT = ir.DoubleType(), ir.IntType(64), ir.IntType(32)
_NUMBERS, _WORDS = ir.VectorType(_DOUBLE, _LANES), ir.VectorType(_WORD, _LANES)
_SHIFT = 1.5 * 2.0**52
"""Added to a number, it leaves the nearest whole number in the lowest bits."""
_LEAST = -1000.0
"""Powers of 2 with a lower exponent count as this one: 1e-301."""
_TERMS = tuple(log(2.0) ** power / factorial(power) for power in range(13))
"""Of 2**x about 0: the rest is below 3e-16 up to 1/2."""


def _same(vector: Any, value: Any) -> Any:
    return ir.Constant(vector, [value] * _LANES)


def _spread(builder: Any, value: Any) -> Any:
    """Return a vector that holds one number throughout."""
    one = builder.insert_element(ir.Constant(_NUMBERS, ir.Undefined), value, ir.Constant(_INT, 0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(_INT, _LANES), None))


def _load(builder: Any, data: Any, place: Any, *, many: bool) -> Any:
    address = builder.gep(data, [place])
    if not many:
        return _spread(builder, builder.load(address))
    return builder.load(builder.bitcast(address, _NUMBERS.as_pointer()), align=8)


def _fused(builder: Any, first: Any, second: Any, added: Any) -> Any:
    """Return instructions for a product and a sum that are rounded once, on any processor."""
    kind = ir.FunctionType(_NUMBERS, [_NUMBERS] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.fma.v8f64")
    return builder.call(function, [first, second, added])


def power_of_two(builder: Any, exponent: Any) -> Any:
    """Return instructions for 2 to the power of each number of a vector, none of them much above 0.

    The whole part becomes bits of the exponent, the rest a polynomial: what a library's function is asked for
    one number at a time.
    """
    high = builder.fcmp_ordered(">", exponent, _same(_NUMBERS, _LEAST))
    bounded = builder.select(high, exponent, _same(_NUMBERS, _LEAST))
    shifted = builder.fadd(bounded, _same(_NUMBERS, _SHIFT))
    rest = builder.fsub(bounded, builder.fsub(shifted, _same(_NUMBERS, _SHIFT)))
    height = _same(_NUMBERS, _TERMS[-1])
    for term in reversed(_TERMS[:-1]):
        height = _fused(builder, height, rest, _same(_NUMBERS, term))
    whole = builder.shl(builder.bitcast(shifted, _WORDS), _same(_WORDS, 52))
    return builder.bitcast(builder.add(builder.bitcast(height, _WORDS), whole), _NUMBERS)


@intrinsic  # type: ignore[untyped-decorator]
def add_kernels(typing: Any, cells: Any, lengths: Any, vectors: Any, coefficients: Any, totals: Any) -> Any:
    """Add to the totals of 32 cells the kernels of four vectors, times their coefficients.

    Arguments are arrays of one axis of double precision, in one piece: numbers of the cells, column after
    column, 32 of each; exponents that these have by themselves; of the four vectors what they have by
    themselves, then their numbers, column after column; coefficients, four of each output; totals, 32 of
    each output.
    """
    signature = types.void(cells, lengths, vectors, coefficients, totals)

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kinds = signature.args
        arrays = [
            context.make_array(kind)(context, builder, value=value)
            for kind, value in zip(kinds, given, strict=True)
        ]
        cells, lengths, vectors, coefficients, totals = (array.data for array in arrays)
        sizes = [cgutils.unpack_tuple(builder, array.shape, 1)[0] for array in arrays]
        columns, outputs = (builder.udiv(size, _WORD(CELLS)) for size in (sizes[0], sizes[4]))
        near = _near(builder, (cells, lengths, vectors), columns)
        near = [[power_of_two(builder, part) for part in row] for row in near]
        with cgutils.for_range(builder, outputs, intp=_WORD) as loop:
            for part in range(_PARTS):
                place = builder.add(builder.mul(loop.index, _WORD(CELLS)), _WORD(_LANES * part))
                address = builder.bitcast(builder.gep(totals, [place]), _NUMBERS.as_pointer())
                total = builder.load(address, align=8)
                for vector in range(VECTORS):
                    at = builder.add(builder.mul(loop.index, _WORD(VECTORS)), _WORD(vector))
                    weight = _load(builder, coefficients, at, many=False)
                    total = _fused(builder, weight, near[vector][part], total)
                builder.store(total, address, align=8)
        return context.get_dummy_value()

    return signature, generate


def _near(builder: Any, given: Any, columns: Any) -> list[list[Any]]:
    """Return the exponents of four vectors and the parts of the cells: products added to what both have."""
    cells, lengths, vectors = given
    sums = [[cgutils.alloca_once(builder, _NUMBERS) for _ in range(_PARTS)] for _ in range(VECTORS)]
    for vector in range(VECTORS):
        own = _load(builder, vectors, _WORD(vector), many=False)
        for part in range(_PARTS):
            begun = builder.fadd(_load(builder, lengths, _WORD(_LANES * part), many=True), own)
            builder.store(begun, sums[vector][part])
    with cgutils.for_range(builder, columns, intp=_WORD) as loop:
        first = builder.mul(loop.index, _WORD(CELLS))
        parts = [
            _load(builder, cells, builder.add(first, _WORD(_LANES * part)), many=True)
            for part in range(_PARTS)
        ]
        begin = builder.mul(builder.add(loop.index, _WORD(1)), _WORD(VECTORS))
        for vector in range(VECTORS):
            number = _load(builder, vectors, builder.add(begin, _WORD(vector)), many=False)
            for part in range(_PARTS):
                added = _fused(builder, parts[part], number, builder.load(sums[vector][part]))
                builder.store(added, sums[vector][part])
    return [[builder.load(each) for each in row] for row in sums]
