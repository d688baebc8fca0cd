"""Packets of which the deepest levels are undone: those of fewer levels, on a finer grid."""

from collections.abc import Callable, Sequence

from torch import Tensor

from walloc_data.codec.fused import decode_linear, synthesize_fast
from walloc_data.codec.levels import Levels, each_axis

__all__ = ["decode_partly", "levels_left", "levels_undone", "undo"]


def levels_undone(levels: Sequence[int], finer: int) -> tuple[int, ...]:
    """Levels that are undone of each axis: `finer`, or as many as it has."""
    return tuple(min(finer, level) for level in levels)


def levels_left(levels: Sequence[int], finer: int) -> tuple[int, ...]:
    """Levels of each axis that are left to undo."""
    return tuple(level - undone for level, undone in zip(levels, levels_undone(levels, finer), strict=True))


def undo(y: Tensor, *, wavelet: str, levels: Levels, finer: int) -> Tensor:
    """Packets `[B, C * 2**sum(levels), *space]` to those of `finer` levels fewer an axis, in the order of
    `packets.analyze`: `[B, C * 2**sum(left), *space * 2**undone]`."""
    each = each_axis(levels, y.dim() - 2)
    return synthesize_fast(_deepest_last(y, 1, each, finer), wavelet=wavelet, levels=levels_undone(each, finer))


def decode_partly(
    z: Tensor,
    matrix: Tensor,
    detail: Tensor | None,
    refined: Callable[[Tensor], Tensor],
    wavelet: str,
    levels: Levels,
    finer: int,
    *,
    finish: Callable[[Tensor], Tensor],
) -> Tensor:
    """What `fused.decode_linear` gives, where `refined` makes others of the packets of `finer` levels fewer."""
    each = each_axis(levels, z.dim() - 2)
    rows, added = _deepest_last(matrix, 0, each, finer), None
    if detail is not None:
        added = _deepest_last(detail, 1, each, finer)
    y = decode_linear(z, rows, added, wavelet, levels_undone(each, finer), finish=lambda x: x)
    return finish(synthesize_fast(refined(y), wavelet=wavelet, levels=levels_left(each, finer)))


def _deepest_last(y: Tensor, axis: int, levels: Sequence[int], finer: int) -> Tensor:
    """Packets along an axis so that those of the levels which are undone follow one another: each packet of the levels
    that are left is then a signal of its own."""
    pairs = zip(levels_left(levels, finer), levels_undone(levels, finer), strict=True)
    sizes = [2**level for pair in pairs for level in pair]
    apart = y.reshape(*y.shape[:axis], -1, *sizes, *y.shape[axis + 1 :])
    left, undone = (range(axis + first, axis + 1 + len(sizes), 2) for first in (1, 2))
    together = apart.permute(*range(axis + 1), *left, *undone, *range(axis + 1 + len(sizes), apart.dim()))
    return together.reshape(y.shape)
