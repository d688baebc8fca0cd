"""Packets and linear encoder of three dimensions.

All axes are folded about their middle, as in `codec.fused`, so that reversals are exact. Time comes first, whose
packets are one small matrix. Their frames then go some at a time, which stay in cache: along height and width packets
are convolutions, of which a stride gives all subbands at a few positions. What is folded is its own mirror image, or
that negated, and so goes on beyond its ends.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from walloc_data.codec.matrices import analysis_matrices, unfold
from walloc_data.codec.packets import analyze, parity_classes, subband_parity
from walloc_data.codec.wavelets import margin

__all__ = ["encode_clip"]

_STRIDE = 16  # samples at whose positions a convolution gives all subbands: as many as a register holds
_AT_ONCE = 1 << 19  # samples, so that they stay in cache
_SIDES = tuple(product((0, 1), repeat=2))


def encode_clip(
    x: Tensor,
    *,
    wavelet: str,
    levels: Sequence[int],
    weight: Tensor,
    odd: Tensor,
    begin: Callable[[Tensor], Tensor] = lambda x: x,
) -> Tensor:
    """`weight @ analyze(begin(x))` of `[B, C, T, H, W]`: `[B, c, *space / f]`; `weight` and `odd` as of
    `fused.encode_linear`.

    Every axis has levels, and the wavelet has parity. `begin` is applied to parts of the clips.
    """
    blocks = tuple(size >> level for size, level in zip(x.shape[2:], levels, strict=True))
    wanted = tuple(-(-count // 2) for count in blocks)
    classes, order = _classes(weight, odd, x.shape[1], levels, wavelet)
    odd = odd[order]
    of_time = [
        matrix.reshape(2, -1, wanted[0], matrix.shape[1]).transpose(1, 2).flatten(0, 2)
        for matrix in analysis_matrices(blocks[0], 0, wavelet, levels[0], weight.dtype, x.device)
    ]
    y = weight.new_empty(len(x), len(weight), *blocks)
    for place, clip in enumerate(x):
        parts: dict[tuple[int, ...], Tensor] = {}
        for side, moving in enumerate(_along_time(clip, begin, of_time)):
            mixed = _mixed(moving.reshape(2, wanted[0], -1, *moving.shape[1:]), classes, wavelet, levels)
            for below, right in _SIDES:
                part = mixed[below, right, :, :, : wanted[1], : wanted[2]]
                for axis, other in ((1, below), (2, right)):
                    if blocks[axis] % 2:  # in the middle half are 0 but for rounding, which no reversal would keep
                        part.select(axis + 1, -1)[odd[:, axis] != bool(other)] = 0
                parts[side, below, right] = part[None]
        y[place, order] = unfold(parts, odd, blocks)[0]
    return y


def _classes(
    weight: Tensor, odd: Tensor, signal_channels: int, levels: Sequence[int], wavelet: str
) -> tuple[list[list[Tensor]], Tensor]:
    """The linear encoder `[c, subbands of time, C, height and width]` of each parity, those of even and of odd time
    apart; and which channels these are."""
    shape = (signal_channels, *[max(1, (1 << level) // 2) for level in levels])
    found, rows = [], []
    for sides, _ in parity_classes(signal_channels, levels, 3, wavelet=wavelet):
        rows.append(torch.nonzero((odd == torch.tensor(sides)).all(1))[:, 0])
        each = weight[rows[-1]].reshape(-1, *shape).transpose(1, 2).flatten(1)
        found.append(each / 4)  # halves of two axes that were folded
    return [found[:4], found[4:]], torch.cat(rows)


def _along_time(clip: Tensor, begin: Callable[[Tensor], Tensor], matrices: Sequence[Tensor]) -> Tensor:
    """Of the even and of the odd part in time its packets in the corners of frames, which are turned so that the sides
    of a frame come first: `[2, packets, C, 2, 2, H / 2, W / 2]`."""
    signal_channels, frames, height, width = clip.shape
    half, rows_of_half, columns = frames // 2, height // 2, width // 2
    shape = (2, len(matrices[0]), signal_channels, 2, 2, rows_of_half, columns)
    packets = matrices[0].new_empty(shape)
    at_once = max(1, _AT_ONCE // (signal_channels * frames * columns))
    for (below, right), start in product(_SIDES, range(0, rows_of_half, at_once)):
        stop = min(start + at_once, rows_of_half)
        rows = slice(height - stop, height - start) if below else slice(start, stop)
        corner = clip[None, :, :, rows, width - columns :] if right else clip[None, :, :, rows, :columns]
        turned = [axis for axis, is_turned in ((3, below), (4, right)) if is_turned]
        front, back = begin(corner[:, :, :half].flip(turned))[0], begin(corner[:, :, half:].flip(2, *turned))[0]
        for part, matrix, out in zip((front + back, front - back), matrices, packets, strict=True):
            for channel, of_channel in enumerate(part.flatten(2)):
                place = out[:, channel, below, right, start:stop]
                torch.mm(matrix, of_channel, out=place.view(len(matrix), -1))
    return packets


def _mixed(moving: Tensor, classes: Sequence[Sequence[Tensor]], wavelet: str, levels: Sequence[int]) -> Tensor:
    """Channels `[2, 2, c, T' / 2, H' / 2 or more, W' / 2 or more]`, by parts of height and width, from packets of time
    `[2, T' / 2, subbands, C, 2, 2, H / 2, W / 2]`."""
    (_, times, subbands, signal_channels), channels = moving.shape[:4], sum(map(len, [*classes[0], *classes[1]]))
    step = max(1, _AT_ONCE // moving[0, 0].numel())
    mixed, first = moving.new_empty(0), 0
    for part, of_parity in zip(moving, classes, strict=True):
        for start in range(0, times, step):
            packets = _across(part[start : start + step].flatten(0, 2), wavelet, levels[1:])
            positions, inputs = packets.shape[-4:], subbands * signal_channels * packets.shape[5] * packets.shape[6]
            packets = packets.reshape(2, 2, 2, 2, -1, inputs, math.prod(positions))
            if not len(mixed):
                of_rows, of_columns, high, wide = positions
                mixed = moving.new_empty(2, 2, channels, times, high, of_rows, wide, of_columns)
            last = first
            for side, weight in zip(_SIDES, of_parity, strict=True):
                y = (weight @ packets[side]).reshape(*packets.shape[2:5], len(weight), *positions)
                mixed[:, :, last : last + len(weight), start : start + step] = y.permute(0, 1, 3, 2, 6, 4, 7, 5)
                last += len(weight)
        first = last
    return mixed.flatten(6).flatten(4, 5)


def _across(planes: Tensor, wavelet: str, levels: Sequence[int]) -> Tensor:
    """Packets of planes `[n, 2, 2, H / 2, W / 2]` by the parities of height and width, the parts of both and planes:
    `[2, 2, 2, 2, n, subbands of height, of width, k, l, H / 2 / k or more, W / 2 / l or more]`, whose positions are in
    strides of k and l."""
    (rows, high), (columns, wide) = (_filters(wavelet, level, planes.dtype, planes.device) for level in levels)
    shape = [size for level, n in zip(levels, (len(rows), len(columns)), strict=True) for size in _sizes(level, n)]
    whole = planes.new_empty(0)
    at_once = max(1, _AT_ONCE // planes[0].numel())
    for start in range(0, len(planes), at_once):
        part = planes[start : start + at_once]
        y = _folded(part, 1, 3, rows.shape[1], high)
        y = conv2d(y.flatten(0, 2)[:, None], rows[:, None, :, None], stride=(high, 1))
        y = _folded(y.reshape(len(part), 2, 2, *y.shape[1:]), 2, 5, columns.shape[1], wide)
        y = conv2d(y.flatten(0, 3)[:, None], columns[:, None, None], stride=(1, wide))
        y = y.reshape(len(part), 2, 2, *shape, *y.shape[2:]).permute(3, 6, 1, 2, 0, 4, 7, 5, 8, 9, 10)
        if not len(whole):
            whole = y.new_empty(*y.shape[:4], len(planes), *y.shape[5:])
        whole[:, :, :, :, start : start + at_once] = y
    return whole


def _sizes(level: int, filters: int) -> tuple[int, int, int]:
    """Parities, subbands of each and positions of the filters of `_filters`."""
    return 2, (1 << level) // 2, filters >> level


@lru_cache(maxsize=64)
def _filters(wavelet: str, level: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, int]:
    """Filters `[subbands * positions, samples]`, even subbands first, that give all subbands at a few positions; and
    how many samples these stand for, which are in the middle."""
    factor = 1 << level
    positions, halo = max(1, _STRIDE >> level), margin(wavelet, level)
    with torch.inference_mode(mode=False), torch.no_grad():  # they are kept, and gradients may pass them later
        signal = torch.eye((positions + 2 * halo) * factor, dtype=torch.float64)[:, None]
        found = analyze(signal, wavelet=wavelet, levels=level)[:, :, halo : halo + positions]
        found = found[:, torch.argsort(subband_parity(1, level, 1)[:, 0].int(), stable=True)].flatten(1)
        return found.T.to(device, dtype).contiguous(), positions * factor


def _folded(x: Tensor, axis: int, along: int, length: int, stride: int) -> Tensor:
    """The even and the odd part, by `axis`, of the two halves there, which are folded `along` a later axis: with what
    filters of a `length` take beyond both ends."""
    front, back = x.unbind(axis)
    size, reach, shape = x.shape[along], (length - stride) // 2, list(x.shape)
    shape[along] = -(-size // stride) * stride + 2 * reach
    folded, along = x.new_empty(shape), along - 1
    for part, sign, join in zip(folded.unbind(axis), (1, -1), (torch.add, torch.sub), strict=True):
        middle = part.narrow(along, reach, size)
        join(front, back, out=middle)
        for start, stop in ((-reach, 0), (size, part.shape[along] - reach)):
            beyond = part.narrow(along, start + reach, stop - start)
            if stop - start <= size:
                near = middle.narrow(along, 0 if start < 0 else 2 * size - stop, stop - start).flip(along)
                beyond.copy_(near) if sign > 0 else torch.neg(near, out=beyond)
            else:  # it goes to and fro
                index = torch.arange(start, stop, device=x.device) % (2 * size)
                signs = torch.where(index < size, 1, sign).to(x).reshape(-1, *[1] * (middle.dim() - along - 1))
                near = middle.index_select(along, torch.minimum(index, 2 * size - 1 - index))
                torch.mul(near, signs, out=beyond)
    return folded
