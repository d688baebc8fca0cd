"""Wavelet packet analysis and linear encoder as one linear map: fast, and exact under reversal.

Periodized packets of one dimension are a matrix, and a matrix product is what processors do best.
Two things make the product small. A long axis is cut into overlapping tiles, so the matrix stays
near `TILE` samples. And where the wavelet has parity (`wavelets.has_parity`), a tile is folded
about its centre into an even part `x + reverse(x)` and an odd part `x - reverse(x)`; each part meets
a matrix of half the size in both directions, which halves the work of each dimension. The linear
encoder mixes only subbands of one parity, so it runs on the folded parts, and only its few channels
are unfolded.

Reversing the signal leaves even parts as they are and negates odd ones. Both are exact in floating
point, so the latents of a reversed signal are the reversed latents to the last bit, wherever tiles
cut the axis evenly.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product

import torch
from torch import Tensor

from walloc_data.codec.clip import encode_clip
from walloc_data.codec.clip_back import synthesize_clip
from walloc_data.codec.levels import Levels, each_axis
from walloc_data.codec.line import around, encode_line, synthesize_line
from walloc_data.codec.matrices import analysis_matrices, synthesis_matrix, unfold
from walloc_data.codec.packets import analyze, parity_classes, spread_rows, subband_parity, synthesize
from walloc_data.codec.wavelets import filter_bank, has_parity

__all__ = ["decode_linear", "encode_linear", "synthesize_fast"]

TILE = 384  # samples; the longest axis that is transformed by one matrix, and the longest clip that is so both ways
_SHORT = 64  # samples that a tile of the way back has, or as many as its halo
MOST_LEVELS = 4  # of a clip
LONGEST_TILE = 1024  # samples, halo included; many levels need longer ones, where level by level is faster


def encode_linear(
    x: Tensor,
    *,
    wavelet: str,
    levels: Levels,
    weight: Tensor | None,
    odd: Tensor,
    begin: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """`weight @ analyze(begin(x))`, without the intermediate packets.

    `begin` makes uint8 `[B, C, *space]` what is transformed, by a factor and a summand for each of C. Without it `x` is
    that, a float tensor. Each size is a multiple of its `f = 2**levels`. `odd` is a bool `[c, dims]`: the axes whose
    reversal negates a channel. `weight` is `[c, n]`, each row over the n subbands of its channel's parity (half of
    them for each axis that has levels; over all where the wavelet has no parity) in the order of `packets.analyze`; or
    None for all the packets.
    Returns `[B, c, *space / f]` in the dtype of what is transformed.
    """
    each = each_axis(levels, x.dim() - 2)
    if weight is not None and has_parity(wavelet) and _is_clip(x.shape[2:], each):
        return encode_clip(x, wavelet=wavelet, levels=each, weight=weight, odd=odd, begin=begin)
    x = x if begin is None else begin(x)
    if weight is None:
        odd = subband_parity(x.shape[1], each, x.dim() - 2)
    if 0 in each:
        axis, rest = _others(each)
        odd = torch.cat([odd[:, :axis], odd[:, axis + 1 :]], 1)
        return _along_others(partial(encode_linear, wavelet=wavelet, levels=rest, weight=weight, odd=odd), x, axis)
    if len(each) == 1:
        if weight is not None and has_parity(wavelet):
            weight = spread_rows(weight, odd, x.shape[1], each, wavelet=wavelet)
        return encode_line(x, wavelet=wavelet, levels=each[0], weight=weight, odd=odd[:, 0])
    factors = [2**level for level in each]
    plans = [_plan(n >> level, wavelet, level) for n, level in zip(x.shape[2:], each, strict=True)]
    if _is_long(plans, factors):
        return _mix(analyze(x, wavelet=wavelet, levels=each), x.shape[1], wavelet, each, weight, odd)
    widths = [width for width, _, _ in plans]
    mixer = _Mixer(weight, odd, factors, has_parity(wavelet))
    out = x.new_empty(x.shape[0], len(odd), *[width * count for width, count, _ in plans])
    for tile in product(*[range(count) for _, count, _ in plans]):
        part = x
        for axis, (index, factor, (width, count, halo)) in enumerate(zip(tile, factors, plans, strict=True)):
            if count > 1:
                part = around(part, (index * width - halo) * factor, (width + 2 * halo) * factor, 2 + axis)
        place = out
        for axis, (index, width) in enumerate(zip(tile, widths, strict=True)):
            place = place.narrow(2 + axis, index * width, width)
        place[:] = _encode_tile(part, wavelet, each, mixer, widths)
    for axis, (n, factor) in enumerate(zip(x.shape[2:], factors, strict=True)):
        out = out.narrow(2 + axis, 0, n // factor)
    return out


def synthesize_fast(y: Tensor, *, wavelet: str, levels: Levels) -> Tensor:
    """`packets.synthesize` by matrix products, an axis and a tile at a time; contiguous."""
    dims, sizes = y.dim() - 2, y.shape[2:]
    each = each_axis(levels, dims)
    factors = [2**level for level in each]
    if 0 in each:
        axis, rest = _others(each)
        return _along_others(partial(synthesize_fast, wavelet=wavelet, levels=rest), y, axis)
    if _clip_of(sizes, each):
        return synthesize_clip(y, wavelet=wavelet, levels=each)
    if dims == 1:
        return synthesize_line(y, wavelet=wavelet, levels=each[0])
    plans = [_plan_back(n, wavelet, level) for n, level in zip(sizes, each, strict=True)]
    if _is_long(plans, factors):
        return synthesize(y, wavelet=wavelet, levels=each)
    y = y.reshape(y.shape[0], y.shape[1] // math.prod(factors), *factors, *sizes)
    y = y.permute(0, 1, *[axis for i in range(dims) for axis in (2 + i, 2 + dims + i)])
    for axis, (n, factor, level, (width, count, halo)) in enumerate(zip(sizes, factors, each, plans, strict=True)):
        matrix = synthesis_matrix(width, halo, wavelet, level, y.dtype, y.device)
        axes = (2 + axis, 3 + axis)  # axes to the left are samples by now, so one each
        tiles = []
        for index in range(count):
            part = around(y, index * width - halo, width + 2 * halo, axes[1]) if count > 1 else y
            tiles.append(_apply(part.flatten(*axes), axes[0], matrix))
        y = torch.cat(tiles, axes[0]).narrow(axes[0], 0, n * factor) if count > 1 else tiles[0]
    return y.contiguous()


def decode_linear(
    z: Tensor,
    matrix: Tensor,
    detail: Tensor | None,
    wavelet: str,
    levels: Levels,
    *,
    finish: Callable[[Tensor], Tensor],
) -> Tensor:
    """`finish(synthesize_fast(matrix @ z + detail))` of latents `[B, c, *space]`; a clip's some frames at a time.

    `matrix` is `[packets, c]`, `detail` `[B, packets, *space]`. `finish` takes `[..., C, *space]`, and may write there.
    """
    each = each_axis(levels, z.dim() - 2)
    if detail is None and _clip_of(z.shape[2:], each):
        return synthesize_clip(z, wavelet=wavelet, levels=each, matrix=matrix, finish=finish)
    y = (matrix @ z.flatten(2)).reshape(len(z), len(matrix), *z.shape[2:])
    return finish(synthesize_fast(y if detail is None else y + detail, wavelet=wavelet, levels=each))


def _is_clip(sizes: Sequence[int], levels: Sequence[int]) -> bool:
    """Whether a signal goes as a clip: along time by one matrix, and by few levels."""
    return len(sizes) == 3 and sizes[0] <= TILE and 0 < min(levels) <= max(levels) <= MOST_LEVELS


def _clip_of(sizes: Sequence[int], levels: Sequence[int]) -> bool:
    """Whether latents of these `sizes` come back as a clip."""
    return _is_clip([n << level for n, level in zip(sizes, levels, strict=True)], levels)


def _others(levels: Sequence[int]) -> tuple[int, list[int]]:
    """An axis without levels, and the levels of the others."""
    axis = levels.index(0)
    return axis, [*levels[:axis], *levels[axis + 1 :]]


def _along_others(transform: Callable[[Tensor], Tensor], x: Tensor, axis: int) -> Tensor:
    """A transform of the axes of space but one, along which it is another of the batch."""
    whole = (len(x), x.shape[2 + axis])
    y = transform(x.movedim(2 + axis, 1).flatten(0, 1))
    return y.reshape(*whole, *y.shape[1:]).movedim(1, 2 + axis)


def _plan(blocks: int, wavelet: str, levels: int) -> tuple[int, int, int]:
    """How to cut an axis: (blocks a tile, tiles, blocks of halo on each side), a block being `2**levels` samples."""
    halo = _halo(wavelet, levels)
    longest = max(TILE >> levels, 2 * halo, 1)
    return (blocks, 1, 0) if blocks <= longest else _even(blocks, longest, halo)


def _plan_back(blocks: int, wavelet: str, levels: int) -> tuple[int, int, int]:
    """The same for the way back, where nothing is folded: all samples of a tile and its halo meet one another. So tiles
    are short, but where they would save less than a quarter of the work."""
    halo = _halo(wavelet, levels)
    longest = max(_SHORT >> levels, halo, 1)
    return (blocks, 1, 0) if 3 * blocks < 4 * (longest + 2 * halo) else _even(blocks, longest, halo)


def _halo(wavelet: str, levels: int) -> int:
    """Blocks to each side that what is in a block depends on."""
    factor = 1 << levels
    reach: int = ((factor - 1) * (filter_bank(wavelet).dec_len - 1) + 1 - factor) // 2
    return -(-reach // factor)


def _even(blocks: int, longest: int, halo: int) -> tuple[int, int, int]:
    """Tiles of one width."""
    count = -(-blocks // longest)
    return -(-blocks // count), count, halo


def _is_long(plans: Sequence[tuple[int, int, int]], factors: Sequence[int]) -> bool:
    return any((width + 2 * halo) * f > LONGEST_TILE for (width, _, halo), f in zip(plans, factors, strict=True))


def _mix(y: Tensor, signal_channels: int, wavelet: str, levels: Levels, weight: Tensor | None, odd: Tensor) -> Tensor:
    """The linear encoder on the packets of `analyze`."""
    if weight is None:
        return y
    out = y.new_empty(len(y), len(odd), *y.shape[2:])
    for sides, index in parity_classes(signal_channels, levels, y.dim() - 2, wavelet=wavelet):
        rows = torch.nonzero((odd == torch.tensor(sides)).all(1))[:, 0]
        out[:, rows] = (weight[rows] @ y[:, index].flatten(2)).reshape(len(y), len(rows), *y.shape[2:])
    return out


class _Mixer:
    """The linear encoder as one small matrix for each parity class of channels."""

    def __init__(self, weight: Tensor | None, odd: Tensor, factors: Sequence[int], folds: bool) -> None:
        self.factors, self.folds, self.odd = factors, folds, odd
        dims = odd.shape[1]
        self.classes: list[tuple[tuple[int, ...], Tensor | None]] = []
        order = []
        for sides in product((0, 1), repeat=dims) if folds else [(0,) * dims]:
            rows = torch.nonzero((odd == torch.tensor(sides)).all(1) if folds else torch.ones(len(odd)))[:, 0]
            if len(rows):
                self.classes.append((sides, None if weight is None else weight[rows]))
                order.append(rows)
        self.place = torch.argsort(torch.cat(order))

    def __call__(self, y: Tensor, blocks: Sequence[int]) -> Tensor:
        """Packets with axes of `(subband, block)` pairs, `[b, C, *(f * n)]`, to channels `[b, c, *n]`."""
        dims = len(blocks)
        y = y.reshape(*y.shape[:2], *[size for pair in zip(self.factors, blocks, strict=True) for size in pair])
        subbands, places = range(2, 2 + 2 * dims, 2), range(3, 3 + 2 * dims, 2)
        mixed = []
        for sides, weight in self.classes:
            part = y
            for axis, side, factor in zip(subbands, sides, self.factors, strict=True):
                if self.folds:
                    part = part.narrow(axis, side * factor // 2, factor // 2)
            part = part.permute(0, 1, *subbands, *places).flatten(1, 1 + dims).flatten(2)
            mixed.append(part if weight is None else weight @ part)
        return torch.cat(mixed, 1)[:, self.place.to(y.device)].reshape(len(y), len(self.place), *blocks)


def _encode_tile(x: Tensor, wavelet: str, levels: Sequence[int], mixer: _Mixer, widths: Sequence[int]) -> Tensor:
    """Channels `[b, c, *widths]` of a tile, halo included: `[b, C, *space]`."""
    folds, blocks = mixer.folds, [-(-width // 2) for width in widths] if mixer.folds else widths
    parts: dict[tuple[int, ...], Tensor] = {(): x}
    for axis in reversed(range(len(widths))):
        halo = ((x.shape[2 + axis] >> levels[axis]) - widths[axis]) // 2
        matrices = analysis_matrices(widths[axis], halo, wavelet, levels[axis], x.dtype, x.device)
        parts = {
            (side, *key): _apply(half, 2 + axis, matrix)
            for key, part in parts.items()
            for side, (half, matrix) in enumerate(
                zip(_fold(part, 2 + axis) if folds else (part,), matrices, strict=True)
            )
        }
    parts = {key: mixer(part, blocks) for key, part in parts.items()}
    return unfold(parts, mixer.odd, widths) if folds else parts[(0,) * len(widths)]


def _fold(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    half = x.shape[axis] // 2
    front, back = x.narrow(axis, 0, half), x.narrow(axis, half, half).flip(axis)
    return front + back, front - back


def _apply(x: Tensor, axis: int, matrix: Tensor) -> Tensor:
    """The matrix `[out, in]` on one axis."""
    if axis == x.dim() - 1:
        return x @ matrix.T
    shape = x.shape
    y = matrix @ x.reshape(shape[:axis].numel(), shape[axis], shape[axis + 1 :].numel())
    return y.reshape(*shape[:axis], len(matrix), *shape[axis + 1 :])
