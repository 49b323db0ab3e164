"""Words of 64 cells in vector registers: what LLVM does not find by itself in loops over single cells."""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

_BYTES = ir.VectorType(ir.IntType(8), 64)
_NUMBERS = ir.VectorType(ir.IntType(16), 64)
_BITS = ir.VectorType(ir.IntType(1), 64)
_WORD = ir.IntType(64)
_LANES = 8
_SUMS = ir.VectorType(ir.DoubleType(), _LANES)
_SOME = ir.VectorType(ir.IntType(1), _LANES)


def _at(context: Any, builder: Any, kind: Any, array: Any, place: Any, vector: Any) -> Any:
    """Return the address of a vector that begins at a place in a contiguous array of one axis."""
    data = context.make_array(kind)(context, builder, value=array).data
    return builder.bitcast(builder.gep(data, [place]), vector.as_pointer())


def _all(builder: Any, value: Any, vector: Any) -> Any:
    """Return a vector that holds one value throughout."""
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    places = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None)
    return builder.shuffle_vector(one, one, places)


@intrinsic  # type: ignore[untyped-decorator]
def add_bits(typing: Any, counts: Any, start: Any, word: Any) -> Any:
    """Add to 64 bytes from `start` the bits of a word."""
    signature = types.void(counts, types.uint64, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        counts, start, word = given
        address = _at(context, builder, signature.args[0], counts, start, _BYTES)
        ones = builder.sext(builder.bitcast(word, _BITS), _BYTES)
        builder.store(builder.sub(builder.load(address, align=1), ones), address, align=1)
        return context.get_dummy_value()

    return signature, generate


@intrinsic  # type: ignore[untyped-decorator]
def add_where(typing: Any, totals: Any, start: Any, word: Any, value: Any) -> Any:
    """Add a value to those of 64 totals from `start` that have their bit in a word."""
    signature = types.void(totals, types.uint64, types.uint64, types.float64)

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        totals, start, word, value = given
        first = _at(context, builder, signature.args[0], totals, start, _SUMS)
        # Adding -0 changes no number; sums stored only in part could not be read again at once.
        added, nothing = _all(builder, value, _SUMS), ir.Constant(_SUMS, [-0.0] * _LANES)
        for part in range(64 // _LANES):
            eight = builder.trunc(builder.lshr(word, _WORD(_LANES * part)), ir.IntType(_LANES))
            address = builder.gep(first, [_WORD(part)])
            own = builder.select(builder.bitcast(eight, _SOME), added, nothing)
            builder.store(builder.fadd(builder.load(address, align=8), own), address, align=8)
        return context.get_dummy_value()

    return signature, generate


@intrinsic  # type: ignore[untyped-decorator]
def fetch(typing: Any, nodes: Any, node: Any) -> Any:
    """Bring a row of a table of four columns of 32 bits to near memory ahead of its use."""
    signature = types.void(nodes, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        nodes, node = given
        number, row = ir.IntType(32), ir.VectorType(ir.IntType(32), 4)
        address = builder.gep(_at(context, builder, signature.args[0], nodes, _WORD(0), row), [node])
        address = builder.bitcast(address, ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
        # To be read, to be kept as near as can be, of data.
        builder.call(function, [address, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return signature, generate


@intrinsic  # type: ignore[untyped-decorator]
def not_above(typing: Any, codes: Any, start: Any, rank: Any) -> Any:
    """Return a word with the bits of those of 64 codes from `start` that are not above a rank."""
    signature = types.uint64(codes, types.uint64, codes.dtype)
    vector = ir.VectorType(ir.IntType(codes.dtype.bitwidth), 64)

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        codes, start, rank = given
        address = _at(context, builder, signature.args[0], codes, start, vector)
        own = builder.load(address, align=signature.args[0].dtype.bitwidth // 8)
        bits = builder.icmp_unsigned("<=", own, _all(builder, rank, vector))
        return builder.bitcast(bits, _WORD)

    return signature, generate


@intrinsic  # type: ignore[untyped-decorator]
def set_numbers(typing: Any, out: Any, start: Any, word: Any, number: Any) -> Any:
    """Set those of 64 numbers from `start` that have their bit in a word."""
    signature = types.void(out, types.uint64, types.uint64, types.uint16)

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        out, start, word, number = given
        address = _at(context, builder, signature.args[0], out, start, _NUMBERS)
        bits, before = builder.bitcast(word, _BITS), builder.load(address, align=2)
        builder.store(builder.select(bits, _all(builder, number, _NUMBERS), before), address, align=2)
        return context.get_dummy_value()

    return signature, generate


@intrinsic  # type: ignore[untyped-decorator]
def lowest(typing: Any, word: Any) -> Any:
    """Return the place of the lowest bit of a word that has one."""
    signature = types.uint64(types.uint64)

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.cttz(given[0], ir.Constant(ir.IntType(1), 1))

    return signature, generate
