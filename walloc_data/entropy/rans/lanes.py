# mypy: disable-error-code="untyped-decorator,no-untyped-call,call-arg"
"""Sixteen 16-bit integers at a time in compiled code.

LLVM vectorises few of the short loops that contexts need, and other ones in every version; so `Lanes`
is a type of its own, an LLVM vector, which every target has (as AVX-512, AVX2, SSE or NEON registers).
Arithmetic wraps, comparisons are signed, nothing is checked: indices are the caller's to prove.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.extending import models, register_model

__all__ = [
    "WIDTH",
    "address",
    "byte",
    "clip",
    "holds",
    "joined",
    "load",
    "magnitude",
    "masked",
    "med",
    "minus",
    "number_of",
    "octave",
    "plus",
    "shifted",
    "spread",
    "store",
    "times",
    "word",
    "xor",
]

WIDTH = 16
intrinsic: Any = extending.intrinsic
_INT = ir.IntType(16)
_WIDE = ir.VectorType(ir.IntType(32), WIDTH)
_VECTOR = ir.VectorType(_INT, WIDTH)


class _Lanes(types.Type):
    def __init__(self) -> None:
        super().__init__(name="Int16x16")


_lanes = _Lanes()


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _VECTOR)


def _splat(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    if value.type != _INT:
        value = builder.trunc(value, _INT)
    nothing, zero = ir.Constant(_VECTOR, ir.Undefined), ir.Constant(ir.IntType(32), 0)
    return builder.shuffle_vector(
        builder.insert_element(nothing, value, zero), nothing, ir.Constant(_WIDE, [zero] * WIDTH)
    )


def _same(vector: ir.Type, number: int) -> ir.Value:
    return ir.Constant(vector, [ir.Constant(vector.element, number)] * WIDTH)


def _least(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    return builder.select(builder.icmp_signed("<", a, b), a, b)


def _most(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    return builder.select(builder.icmp_signed(">", a, b), a, b)


@intrinsic
def address(typing: Any, array: Any) -> tuple[Any, Callable[..., Any]]:
    """Where a contiguous array starts, for indexing without counting its references, which would take longer than
    the work. The array must be an argument of the function called from Python: nothing else keeps it alive.
    """

    def build(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return context.make_array(signature.args[0])(context, builder, args[0]).data

    return types.CPointer(array.dtype)(array), build


def _at(builder: ir.IRBuilder, pointer: ir.Value, index: ir.Value, element: ir.Type) -> ir.Value:
    return builder.bitcast(builder.gep(pointer, [index]), ir.VectorType(element, WIDTH).as_pointer())


@intrinsic
def load(typing: Any, pointer: Any, index: Any) -> tuple[Any, Callable[..., Any]]:
    """Sixteen neighbours from `index` on, of 8 or 16 signed bits each."""
    element = ir.IntType(pointer.dtype.bitwidth)

    def build(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        value = builder.load(_at(builder, *args, element), align=element.width // 8)
        return value if element == _INT else builder.sext(value, _VECTOR)

    return _lanes(pointer, types.intp), build


@intrinsic
def number_of(typing: Any, pointer: Any) -> tuple[Any, Callable[..., Any]]:
    """An address as an integer, for `byte` and `word`."""
    wide = ir.IntType(64)
    return types.uint64(pointer), lambda context, builder, signature, args: builder.ptrtoint(args[0], wide)


@intrinsic
def byte(typing: Any, start: Any, index: Any) -> tuple[Any, Callable[..., Any]]:
    """The uint8 that lies `index` bytes behind an address."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return builder.load(builder.gep(builder.inttoptr(args[0], ir.IntType(8).as_pointer()), [args[1]]))

    return types.uint8(types.uint64, types.uint64), build


@intrinsic
def word(typing: Any, start: Any, index: Any) -> tuple[Any, Callable[..., Any]]:
    """The uint32 that lies `index` of them behind an address, which the machine's order of bytes is for."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        pointer = builder.inttoptr(args[0], ir.IntType(32).as_pointer())
        return builder.load(builder.gep(pointer, [args[1]]), align=4)

    return types.uint32(types.uint64, types.uint64), build


@intrinsic
def store(typing: Any, pointer: Any, index: Any, value: Any) -> tuple[Any, Callable[..., Any]]:
    """The low bits of all lanes, from `index` on."""
    element = ir.IntType(pointer.dtype.bitwidth)

    def build(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        low = args[2] if element == _INT else builder.trunc(args[2], ir.VectorType(element, WIDTH))
        builder.store(low, _at(builder, *args[:2], element), align=element.width // 8)
        return context.get_dummy_value()

    return types.none(pointer, types.intp, _lanes), build


@intrinsic
def spread(typing: Any, value: Any) -> tuple[Any, Callable[..., Any]]:
    """One integer in all lanes."""
    return _lanes(types.int64), lambda context, builder, signature, args: _splat(builder, args[0])


@intrinsic
def times(typing: Any, total: Any, value: Any, weight: Any) -> tuple[Any, Callable[..., Any]]:
    """`total + (value * weight >> 16)`, `weight` an integer: one multiplication and one sum on every machine."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        value, weight = builder.sext(args[1], _WIDE), builder.sext(_splat(builder, args[2]), _WIDE)
        product = builder.ashr(builder.mul(value, weight), _same(_WIDE, 16))
        return builder.add(args[0], builder.trunc(product, _VECTOR))

    return _lanes(_lanes, _lanes, types.int64), build


@intrinsic
def plus(typing: Any, a: Any, b: Any) -> tuple[Any, Callable[..., Any]]:
    """`a + b`."""
    return _lanes(_lanes, _lanes), lambda context, builder, signature, args: builder.add(*args)


@intrinsic
def minus(typing: Any, a: Any, b: Any) -> tuple[Any, Callable[..., Any]]:
    """`a - b`."""
    return _lanes(_lanes, _lanes), lambda context, builder, signature, args: builder.sub(*args)


@intrinsic
def xor(typing: Any, a: Any, b: Any) -> tuple[Any, Callable[..., Any]]:
    """`a ^ b`."""
    return _lanes(_lanes, _lanes), lambda context, builder, signature, args: builder.xor(*args)


@intrinsic
def shifted(typing: Any, value: Any, bits: Any) -> tuple[Any, Callable[..., Any]] | None:
    """`value >> bits`, or `value << -bits`, for a literal number of bits."""
    if not isinstance(bits, types.IntegerLiteral):
        return None
    count = bits.literal_value

    def build(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        by = _same(_VECTOR, abs(count))
        return builder.ashr(args[0], by) if count > 0 else builder.shl(args[0], by)

    return _lanes(_lanes, bits), build


@intrinsic
def clip(typing: Any, value: Any, low: Any, high: Any) -> tuple[Any, Callable[..., Any]]:
    """`value` between the integers `low` and `high`."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return _least(builder, _most(builder, args[0], _splat(builder, args[1])), _splat(builder, args[2]))

    return _lanes(_lanes, types.int64, types.int64), build


@intrinsic
def med(typing: Any, w: Any, n: Any, nw: Any) -> tuple[Any, Callable[..., Any]]:
    """The middle one of `w`, `n` and `w + n - nw`, whatever these are: sums that wrap come back."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        w, n, nw = args
        corner = _least(builder, _most(builder, nw, _least(builder, w, n)), _most(builder, w, n))
        return builder.sub(builder.add(w, n), corner)

    return _lanes(_lanes, _lanes, _lanes), build


@intrinsic
def octave(typing: Any, value: Any) -> tuple[Any, Callable[..., Any]]:
    """`8 * (127 + e) + m` for values from `(8 + m) / 8 * 2**e` on, eight steps an octave: the top bits of a float32."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        real = builder.sitofp(builder.sext(args[0], _WIDE), ir.VectorType(ir.FloatType(), WIDTH))
        bits = builder.lshr(builder.bitcast(real, _WIDE), _same(_WIDE, 20))
        return builder.trunc(bits, _VECTOR)

    return _lanes(_lanes), build


@intrinsic
def holds(typing: Any, value: Any, number: Any) -> tuple[Any, Callable[..., Any]]:
    """Whether an integer stands in any lane."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        same = builder.icmp_signed("==", args[0], _splat(builder, args[1]))
        bits = ir.IntType(WIDTH)
        return builder.icmp_unsigned("!=", builder.bitcast(same, bits), ir.Constant(bits, 0))

    return types.boolean(_lanes, types.int64), build


@intrinsic
def joined(typing: Any, low: Any, high: Any) -> tuple[Any, Callable[..., Any]]:
    """Sixteen signed bytes from two integers of 64 bits."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        pair: ir.Value = ir.Constant(ir.VectorType(ir.IntType(64), 2), ir.Undefined)
        for place, half in enumerate(args):
            pair = builder.insert_element(pair, half, ir.Constant(ir.IntType(32), place))
        return builder.sext(builder.bitcast(pair, ir.VectorType(ir.IntType(8), WIDTH)), _VECTOR)

    return _lanes(types.uint64, types.uint64), build


@intrinsic
def magnitude(typing: Any, value: Any) -> tuple[Any, Callable[..., Any]]:
    """`abs(value)`."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return _most(builder, args[0], builder.neg(args[0]))

    return _lanes(_lanes), build


@intrinsic
def masked(typing: Any, value: Any, count: Any, other: Any) -> tuple[Any, Callable[..., Any]]:
    """The first `count` lanes, and an integer in the others."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        numbers = ir.Constant(_VECTOR, [ir.Constant(_INT, i) for i in range(WIDTH)])
        inside = builder.icmp_signed("<", numbers, _splat(builder, args[1]))
        return builder.select(inside, args[0], _splat(builder, args[2]))

    return _lanes(_lanes, types.int64, types.int64), build
