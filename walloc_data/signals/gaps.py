"""Values that are none: found, filled by what is around them, and kept as a mask."""

import math
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SampleError

__all__ = ["filled", "gaps_in", "pack_mask", "unpack_mask"]


def gaps_in(values: NDArray[Any], nodata: Iterable[float]) -> NDArray[np.bool_]:
    """Where `values` are NaN, or one of `nodata`; of a masked array, also where its mask is."""
    gaps = (
        np.array(np.ma.getmaskarray(values)) if isinstance(values, np.ma.MaskedArray) else np.zeros(values.shape, bool)
    )
    plain = np.asarray(values)
    if plain.dtype.kind == "f":
        gaps |= np.isnan(plain)
    for value in nodata:
        with np.errstate(over="ignore"):  # files of 32 bits may say a number of 64, which is infinity in them
            gaps |= plain == (plain.dtype.type(value) if plain.dtype.kind == "f" else value)
    return gaps


def filled(values: NDArray[Any], gaps: NDArray[np.bool_]) -> NDArray[Any]:
    """Signals `[C, *space]` with their gaps filled from around them: by means of 2, 4, 8 ... values a side, of the
    smallest that hold any. So no edge is coded that is not in the data.

    Raises `SampleError` for a band that is nothing but gaps.
    """
    whole = np.flatnonzero(gaps.reshape(len(gaps), -1).all(1))
    if len(whole):
        raise SampleError(
            "it holds no data" if len(whole) == len(gaps) else f"its bands {whole[:8].tolist()} (from 0) hold no data"
        )
    surroundings = _surroundings(np.where(gaps, 0, values).astype(np.float64), (~gaps).astype(np.float64))
    if values.dtype.kind in "iu":
        surroundings = surroundings.round()
    return np.where(gaps, surroundings.astype(values.dtype), values)


def _surroundings(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    means = sums / np.maximum(counts, 1)
    if counts.all():
        return means
    halves = []
    for one in (sums, counts):
        for axis in range(1, one.ndim):
            one = np.add.reduceat(one, np.arange(0, one.shape[axis], 2), axis)
        halves.append(one)
    coarse = _surroundings(*halves)
    for axis in range(1, sums.ndim):
        coarse = np.repeat(coarse, 2, axis).take(np.arange(sums.shape[axis]), axis)
    return np.where(counts > 0, means, coarse)


def pack_mask(mask: NDArray[np.bool_]) -> bytes:
    """A mask `[*space]` as bytes: its bits, deflated."""
    return zlib.compress(np.packbits(mask).tobytes(), 9)


def unpack_mask(data: bytes, size: Sequence[int]) -> NDArray[np.bool_]:
    """The inverse of `pack_mask`: bool `[*size]`, True where a value of any band is missing.

    Raises `SampleError` for bytes that are no mask of that size.
    """
    count = math.prod(map(int, size))
    try:
        bits = zlib.decompressobj().decompress(data, count // 8 + 2)
    except zlib.error as error:
        raise SampleError(f"a damaged mask ({error})") from error
    if len(bits) != -(-count // 8):
        raise SampleError(f"a mask of {len(bits)} bytes, and not of {list(size)}")
    return np.unpackbits(np.frombuffer(bits, np.uint8), count=count).astype(bool).reshape(tuple(map(int, size)))
