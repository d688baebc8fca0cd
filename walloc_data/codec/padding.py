"""Signals of any size to multiples of the codec's factor, and back."""

from collections.abc import Sequence

import torch
from torch import Tensor

from walloc_data.errors import CodecError

__all__ = ["crop", "pad"]


def pad(x: Tensor, factor: int) -> Tensor:
    """Symmetric padding of `[B, C, *space]` to multiples of `factor`, shared by both sides (an odd one goes last)."""
    for axis in range(2, x.dim()):
        size = x.shape[axis]
        extra = -size % factor
        if extra:
            index = torch.arange(-(extra // 2), size + extra - extra // 2, device=x.device) % (2 * size)
            x = x.index_select(axis, torch.minimum(index, 2 * size - 1 - index))
    return x


def crop(x: Tensor, size: Sequence[int] | None, factor: int) -> Tensor:
    """The inverse of `pad`: the `size` in the middle of `[B, C, *space]`."""
    if size is None:
        return x
    if len(size) != x.dim() - 2 or any(-(-n // factor) * factor != m for n, m in zip(size, x.shape[2:], strict=True)):
        raise CodecError(f"size {tuple(size)} is not one that pads to {tuple(x.shape[2:])}")
    for axis, n in enumerate(size, 2):
        x = x.narrow(axis, (x.shape[axis] - n) // 2, n)
    return x
