# mypy: disable-error-code="untyped-decorator,no-untyped-call,call-arg"
"""Four pixels of four bytes at a time in compiled code, as sixteen 32-bit integers: an LLVM vector, which every target
has. Nothing is checked: indices, in bytes or weights, are the caller's to prove."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.extending import models, register_model

__all__ = ["BITS", "load_pixels", "load_weights", "nothing", "put_pixel", "put_pixels", "put_planes", "spread", "times"]

BITS = 22  # of a weight, behind the point
intrinsic: Any = extending.intrinsic
_INT, _BYTE = ir.IntType(32), ir.IntType(8)
_VECTOR = ir.VectorType(_INT, 16)


class _Lanes(types.Type):
    def __init__(self) -> None:
        super().__init__(name="Int32x16")


_lanes = _Lanes()


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _VECTOR)


def _same(number: int) -> ir.Value:
    return ir.Constant(_VECTOR, [ir.Constant(_INT, number)] * 16)


def _chosen(numbers: list[int]) -> ir.Value:
    return ir.Constant(ir.VectorType(_INT, len(numbers)), [ir.Constant(_INT, number) for number in numbers])


def _at(context: Any, builder: ir.IRBuilder, array: Any, value: ir.Value, index: ir.Value, kind: ir.Type) -> ir.Value:
    start = context.make_array(array)(context, builder, value).data
    return builder.bitcast(builder.gep(start, [index]), kind.as_pointer())


def _bytes_of(builder: ir.IRBuilder, sums: ir.Value) -> ir.Value:
    """Sums of pixels times weights to 16 bytes, rounded and clipped."""
    value = builder.ashr(builder.add(sums, _same(1 << BITS - 1)), _same(BITS))
    value = builder.select(builder.icmp_signed("<", value, _same(0)), _same(0), value)
    value = builder.select(builder.icmp_signed(">", value, _same(255)), _same(255), value)
    return builder.trunc(value, ir.VectorType(_BYTE, 16))


@intrinsic
def load_pixels(typing: Any, pixels: Any, index: Any) -> tuple[Any, Callable[..., Any]]:
    """Four pixels of a flat uint8 array."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        place = _at(context, builder, signature.args[0], *args, ir.VectorType(_BYTE, 16))
        return builder.zext(builder.load(place, align=1), _VECTOR)

    return _lanes(pixels, types.intp), build


@intrinsic
def load_weights(typing: Any, weights: Any, index: Any) -> tuple[Any, Callable[..., Any]]:
    """Sixteen of a flat int32 array."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return builder.load(_at(context, builder, signature.args[0], *args, _VECTOR), align=4)

    return _lanes(weights, types.intp), build


@intrinsic
def spread(typing: Any, weight: Any) -> tuple[Any, Callable[..., Any]]:
    """One weight in all lanes."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        empty = ir.Constant(_VECTOR, ir.Undefined)
        return builder.shuffle_vector(
            builder.insert_element(empty, args[0], ir.Constant(_INT, 0)), empty, _chosen([0] * 16)
        )

    return _lanes(types.int32), build


@intrinsic
def nothing(typing: Any) -> tuple[Any, Callable[..., Any]]:
    """Zeros."""
    return _lanes(), lambda context, builder, signature, args: _same(0)


@intrinsic
def times(typing: Any, total: Any, pixels: Any, weights: Any) -> tuple[Any, Callable[..., Any]]:
    """`total + pixels * weights`."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return builder.add(args[0], builder.mul(args[1], args[2]))

    return _lanes(_lanes, _lanes, _lanes), build


@intrinsic
def put_pixel(typing: Any, pixels: Any, index: Any, total: Any) -> tuple[Any, Callable[..., Any]]:
    """The sum of four pixels as one, into a flat uint8 array."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        total = args[2]
        for half in (8, 4):
            other = builder.shuffle_vector(total, total, _chosen([(i + half) % 16 for i in range(16)]))
            total = builder.add(total, other)
        packed = _bytes_of(builder, total)
        pixel = builder.shuffle_vector(packed, packed, _chosen([0, 1, 2, 3]))
        builder.store(pixel, _at(context, builder, signature.args[0], *args[:2], pixel.type), align=1)
        return context.get_dummy_value()

    return types.none(pixels, types.intp, _lanes), build


@intrinsic
def put_pixels(typing: Any, pixels: Any, index: Any, total: Any) -> tuple[Any, Callable[..., Any]]:
    """Four pixels, into a flat uint8 array."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        packed = _bytes_of(builder, args[2])
        builder.store(packed, _at(context, builder, signature.args[0], *args[:2], packed.type), align=1)
        return context.get_dummy_value()

    return types.none(pixels, types.intp, _lanes), build


@intrinsic
def put_planes(
    typing: Any, planes: Any, index: Any, step: Any, pixels: Any, first: Any
) -> tuple[Any, Callable[..., Any]]:
    """The first three bytes of each of sixteen pixels from `first` on, to `index`, and one and two steps behind it."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        planes, index, step, pixels, first = args
        whole = ir.VectorType(_BYTE, 64)
        source = builder.load(_at(context, builder, signature.args[3], pixels, first, whole), align=1)
        for channel in range(3):
            plane = builder.shuffle_vector(source, source, _chosen([channel + 4 * i for i in range(16)]))
            builder.store(plane, _at(context, builder, signature.args[0], planes, index, plane.type), align=1)
            index = builder.add(index, step)
        return context.get_dummy_value()

    return types.none(planes, types.intp, types.intp, pixels, types.intp), build
