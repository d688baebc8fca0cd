"""Signals of any size to multiples of the codec's factor, and back."""

import operator
from collections.abc import Sequence

import torch
from torch import Tensor

from walloc_data.codec.levels import Levels, each_axis
from walloc_data.errors import CodecError

__all__ = ["crop", "pad"]


def pad(x: Tensor, factor: Levels) -> Tensor:
    """Symmetric padding of `[B, C, *space]` to multiples of `factor` (one for all axes, or one each).

    Both sides share it; of an odd one the last has more.
    """
    for axis, each in enumerate(each_axis(factor, x.dim() - 2), 2):
        size = x.shape[axis]
        extra = -size % each
        if extra:
            index = torch.arange(-(extra // 2), size + extra - extra // 2, device=x.device) % (2 * size)
            x = x.index_select(axis, torch.minimum(index, 2 * size - 1 - index))
    return x


def crop(x: Tensor, size: Sequence[int] | None, factor: Levels) -> Tensor:
    """The inverse of `pad`: the `size` in the middle of `[B, C, *space]`."""
    if size is None:
        return x
    factors = each_axis(factor, x.dim() - 2)
    try:
        size = [operator.index(n) for n in size]
    except TypeError as error:
        raise CodecError(f"size {size!r} is not a whole number for each axis of space") from error
    if len(size) != len(factors) or any(
        -(-n // f) * f != m for n, m, f in zip(size, x.shape[2:], factors, strict=True)
    ):
        raise CodecError(f"size {tuple(size)} is not one that pads to {tuple(x.shape[2:])}")
    for axis, n in enumerate(size, 2):
        x = x.narrow(axis, (x.shape[axis] - n) // 2, n)
    return x
