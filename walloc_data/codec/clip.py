"""Packets and linear encoder of three dimensions.

Reversals are exact: of height and width the second half is computed as the first one is, from the signal turned around;
time is folded about its middle, as in `codec.fused`, bytes as the whole numbers they are. Some rows of all frames go at
a time. Along height and width packets are convolutions, of which a stride gives all subbands at a few positions. These
leave subbands beside signal channels and frames, so that packets of time, which are one small matrix, and the linear
encoder are one product of what lies there.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from walloc_data.codec.line import around
from walloc_data.codec.matrices import analysis_matrices
from walloc_data.codec.packets import analyze, subband_parity
from walloc_data.codec.wavelets import margin

__all__ = ["encode_clip"]

_STRIDE = 16  # samples at whose positions a convolution gives all subbands: as many as a register holds
_AT_ONCE = 1 << 21  # samples, so that they stay in cache
_SIDES = ((0, 0), (0, 1), (1, 0), (1, 1))


def encode_clip(
    x: Tensor,
    *,
    wavelet: str,
    levels: Sequence[int],
    weight: Tensor,
    odd: Tensor,
    begin: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """`weight @ analyze(begin(x))` of `[B, C, T, H, W]`: `[B, c, *space / f]`; `weight` and `odd` as of
    `fused.encode_linear`.

    Every axis has levels, and the wavelet has parity. With a `begin`, which is affine, `x` is uint8.
    """
    batch, signal_channels, frames, height, width = x.shape
    blocks = [size >> level for size, level in zip(x.shape[2:], levels, strict=True)]
    centre = None
    if begin is not None:
        ends = begin(x.new_tensor([0, 255]).repeat(1, signal_channels, 1, 1, 1))[0]
        gain = (ends[..., 1:] - ends[..., :1]) / 255
        weight = (weight.reshape(len(weight), signal_channels, -1) * gain.reshape(-1, 1)).flatten(1)
        centre = -2 * ends[..., :1] / gain  # of two frames
    high, wide = (_filters(wavelet, level, weight.dtype, weight.device) for level in levels[1:])
    order, mixers = _mixers(weight, odd, signal_channels, frames, wavelet, levels)
    count, across = (-(-size // 2 // each.stride) for size, each in ((height, high), (width, wide)))
    step = max(1, _AT_ONCE // (signal_channels * frames // 2 * width * high.stride))
    y = weight.new_empty(batch, len(weight), *blocks)
    for (place, clip), start in product(enumerate(x), range(0, count, step)):
        rows = range(start, min(start + step, count))
        grid = (-(-blocks[0] // 2), high.positions, len(rows), across)
        mixed = weight.new_empty(2, 2, 2 * wide.positions, len(weight), *grid)
        for (later, below), packets in _packets(clip, rows, across, high, wide, centre, weight.dtype):
            for (tall, broad), (members, matrices) in mixers.items():
                matrix = matrices[later, below].repeat_interleave(wide.positions, 0)
                z = torch.bmm(matrix, packets[:, broad, :, tall])
                mixed[later, below, :, members] = z.reshape(len(z), -1, *grid)
        mixed = mixed.reshape(2, 2, 2, wide.positions, *mixed.shape[3:])
        mixed = mixed.permute(0, 1, 2, 4, 5, 7, 6, 8, 3).flatten(7).flatten(5, 6)  # [2, 2, 2, c, T', H', W']
        _join(mixed, odd[order, 0], y[place], start * high.positions)
    return y[:, torch.argsort(order)]


def _join(mixed: Tensor, odd: Tensor, y: Tensor, row: int) -> None:
    """What came of even and odd parts of time, and of both halves of height and width as they are turned, `[2, 2, 2, c,
    T' / 2, rows, W' / 2]` from a row on, to where it belongs in `[c, T', H', W']`. There may be more rows and columns.
    """
    first = (0, row, 0)
    for axis in (1, 2):
        middle = y.shape[axis + 1] // 2 - first[axis]
        if y.shape[axis + 1] % 2 and middle < mixed.shape[axis + 4]:  # it is of both halves, which round otherwise
            both = mixed.select(axis + 4, middle)
            both[:] = both.mean(axis, keepdim=True)
    even, uneven = mixed.unbind()
    of_time = even + uneven, (even - uneven) * (1 - 2 * odd.to(mixed))[:, None, None, None]
    for sides in product((0, 1), repeat=3):
        part, place = of_time[sides[0]][sides[1:]], y
        for axis, (side, begun, size) in enumerate(zip(sides, first, y.shape[1:], strict=True), 1):
            length = min(part.shape[axis], (size + 1 - side) // 2 - begun)
            part = part.narrow(axis, 0, length)
            place = place.narrow(axis, size - begun - length if side else begun, length)
        place[:] = part.flip([axis for axis, side in enumerate(sides, 1) if side])


class _Filters(NamedTuple):
    """Filters `[2, subbands, positions, samples]`, by parity of subbands, that stand for a `stride` of samples in the
    middle of a signal that goes on for a `halo` at both sides."""

    taps: Tensor
    stride: int
    halo: int

    @property
    def positions(self) -> int:
        return self.taps.shape[2]

    def on(self, x: Tensor, order: tuple[int, int, int], axis: int) -> Tensor:
        """What they give of `[n, 1, h, w]` along an axis."""
        taps = self.taps.permute(*order, 3).flatten(0, 2)
        if axis == 2:
            return conv2d(x, taps[:, None, :, None], stride=(self.stride, 1))
        return conv2d(x, taps[:, None, None], stride=(1, self.stride))


@lru_cache(maxsize=64)
def _filters(wavelet: str, level: int, dtype: torch.dtype, device: torch.device) -> _Filters:
    """Filters of packets of one axis."""
    factor = 1 << level
    positions, halo = max(1, _STRIDE >> level), margin(wavelet, level)
    with torch.inference_mode(mode=False), torch.no_grad():  # they are kept, and gradients may pass them later
        signal = torch.eye((positions + 2 * halo) * factor, dtype=torch.float64)[:, None]
        found = analyze(signal, wavelet=wavelet, levels=level)[:, :, halo : halo + positions]
        found = found[:, torch.argsort(subband_parity(1, level, 1)[:, 0].int(), stable=True)].permute(1, 2, 0)
        taps = found.reshape(2, -1, *found.shape[1:]).to(device, dtype).contiguous()
        return _Filters(taps, positions * factor, halo * factor)


def _packets(
    clip: Tensor, rows: range, across: int, high: _Filters, wide: _Filters, centre: Tensor | None, dtype: torch.dtype
) -> Iterator[tuple[tuple[int, int], Tensor]]:
    """Of the even (0) or odd (1) part of time and the first (0) or second (1) half of height, turned around, packets of
    height and width, in some strides of height and the first of both halves of width, the second turned around:
    `[2 * positions of width, 2, inputs, 2, positions]`, by the parities of width and of height. Inputs are subbands of
    width, C, T / 2, subbands of height.
    """
    frames, height, width = clip.shape[1] // 2, clip.shape[2], clip.shape[3] // 2
    start, length = rows.start * high.stride - high.halo, len(rows) * high.stride + 2 * high.halo
    for below in (0, 1):
        x = around(clip, height - start - length, length, 2).flip(2) if below else around(clip, start, length, 2)
        x = torch.stack([x[..., :width], x[..., width:].flip(3)])
        front, back = x[:, :, :frames], x[:, :, frames:].flip(2)
        if clip.dtype == torch.uint8:
            front, back = front.to(torch.int16), back.to(torch.int16)
        for later, x in enumerate((front + back, front - back)):
            x = x.to(dtype)
            if centre is not None and not later:
                x -= centre
            x = high.on(x.flatten(0, 2)[:, None], (1, 0, 2), 2)
            x = _going_on(x.reshape(2, 1, -1, width), -wide.halo, across * wide.stride + wide.halo)
            x = wide.on(x, (2, 0, 1), 3)
            inputs = high.taps.shape[1] * clip.shape[0] * frames * wide.taps.shape[1]
            yield (later, below), x.reshape(2 * wide.positions, 2, inputs, 2, -1)


def _going_on(halves: Tensor, start: int, stop: int) -> Tensor:
    """Two halves of what goes round, the second one turned around, each from `start` to `stop` of its last axis."""
    size, pieces = halves.shape[-1], []
    while start < stop:
        turns, begun = divmod(start, size)
        count = min(stop - start, size - begun)
        piece = halves.narrow(-1, size - begun - count if turns % 2 else begun, count)
        pieces.append(piece.flip(0, -1) if turns % 2 else piece)
        start += count
    return torch.cat(pieces, -1)


def _mixers(
    weight: Tensor, odd: Tensor, signal_channels: int, frames: int, wavelet: str, levels: Sequence[int]
) -> tuple[Tensor, dict[tuple[int, int], tuple[slice, Tensor]]]:
    """An order of latent channels; and by their parity of height and width which of that order they are, and matrices
    `[2, 2, 2, c * T' / 2, inputs]` to them from `_packets` of both parts of time and halves of height, and half of
    width."""
    half = [(1 << level) // 2 for level in levels]
    matrices = analysis_matrices(frames >> levels[0], 0, wavelet, levels[0], weight.dtype, weight.device)
    of_time = torch.stack([matrix.reshape(2, half[0], -1, frames // 2) for matrix in matrices])
    order = torch.argsort(odd[:, 1] * 2 + odd[:, 2].int(), stable=True)
    # v: even or odd part, r: channel, i: signal channel, s, h, w: subbands, t: position of time, f: frame
    whole = weight[order].reshape(-1, signal_channels, *half), of_time[:, odd[order, 0].int()]
    mixing = torch.einsum("rishw,vrstf->vrtwifh", *whole).flatten(3)
    mixers: dict[tuple[int, int], tuple[slice, Tensor]] = {}
    first = 0
    for sides in _SIDES:
        last = first + int((odd[:, 1:] == torch.tensor(sides, device=odd.device)).all(1).sum())
        if first < last:
            signs = weight.new_tensor([-1 if below & sides[0] ^ right & sides[1] else 1 for below, right in _SIDES])
            of_sides = mixing[:, None, None, first:last].flatten(3, 4) * signs.reshape(2, 2, 1, 1)
            mixers[sides] = slice(first, last), of_sides
        first = last
    return order, mixers
