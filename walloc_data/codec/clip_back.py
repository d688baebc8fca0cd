"""Clips from packets or latents of three dimensions, the way back of `codec.clip`.

Time comes first, while there are only latents of it; then the packets of a few frames at a time, which stay in cache.
Along height and width they are merged by convolutions, of which a stride gives all samples of a few positions.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from walloc_data.codec.line import around, merging
from walloc_data.codec.matrices import synthesis_matrix
from walloc_data.codec.packets import subband_parity
from walloc_data.codec.wavelets import has_parity

__all__ = ["synthesize_clip"]

_AT_ONCE = 1 << 18  # samples, so that they stay in cache


def synthesize_clip(
    y: Tensor,
    *,
    wavelet: str,
    levels: Sequence[int],
    matrix: Tensor | None = None,
    finish: Callable[[Tensor], Tensor] = lambda x: x,
) -> Tensor:
    """`packets.synthesize` of `[B, C * f0 * f1 * f2, T', H', W']`: `[B, C, T, H, W]`; every axis has levels.

    With a `matrix` `[C * f0 * f1 * f2, c]`, `y` are latents `[B, c, T', H', W']`, and it leads to their packets.
    `finish` is applied to some frames at a time.
    """
    factors = [1 << level for level in levels]
    frames, height, width = (count * factor for count, factor in zip(y.shape[2:], factors, strict=True))
    signal_channels = (y.shape[1] if matrix is None else len(matrix)) // math.prod(factors)
    of_time = synthesis_matrix(y.shape[2], 0, wavelet, levels[0], y.dtype, y.device)
    orders = [torch.arange(factor, device=y.device) for factor in factors]
    mixture = None
    if matrix is not None:
        if has_parity(wavelet):  # then subbands of one parity lie beside one another, the even ones first
            parities = (subband_parity(1, level, 1)[:, 0].int().to(y.device) for level in levels)
            orders = [torch.argsort(parity, stable=True) for parity in parities]
        mixture = _mixture(matrix.reshape(signal_channels, *factors, -1), orders, 2 if has_parity(wavelet) else 1)
        of_time = of_time.reshape(frames, factors[0], -1).transpose(0, 1)[mixture.subbands]
    joins = [_join(orders[axis], wavelet, levels[axis], axis + 1, y) for axis in (1, 2)]
    at_once = max(1, _AT_ONCE // (signal_channels * height * width))
    x = y.new_empty(len(y), signal_channels, frames, height, width)
    for place, clip in enumerate(y.flatten(3)):
        if mixture is None:
            clip = clip.reshape(signal_channels, *factors, *clip.shape[1:]).movedim(1, 3).flatten(3, 4).transpose(0, 1)
            moving = torch.matmul(of_time, clip).flatten(0, 2)
        else:
            moving = torch.bmm(of_time, clip[mixture.channels])
        for start in range(0, frames, at_once):
            part = moving[:, start : start + at_once]
            count, rows = part.shape[1], []
            for of_height in [[part]] if mixture is None else mixture.of(part):
                shape = (factors[1] // len(of_height), -1, count, *y.shape[3:])  # [..., C and width, frames, H', W']
                packets = torch.cat([one.reshape(shape).permute(1, 2, 0, 3, 4) for one in of_height], 2)
                merged = _merged(packets.flatten(0, 1), joins[0], 2)  # [C, width and frames, ., ., ., W']
                merged = merged.reshape(signal_channels, -1, count, *merged.shape[1:]).permute(0, 2, 1, 4, 3, 5)
                rows.append(merged.flatten(3, 4)[:, :, :, :height])
            merged = _merged(torch.cat(rows, 2).flatten(0, 1), joins[1], 3).permute(0, 2, 3, 1)
            whole = merged.reshape(1, signal_channels, count, height, -1)[..., :width]
            x[place, :, start : start + at_once] = finish(whole)[0]
    return x


class _Mixture(NamedTuple):
    """The linear decoder by parities of subbands: what it takes, subbands of time of latent channels, and for each
    parity of width and each of height which of these, and the matrix from them to the subbands of height, C and width.
    """

    subbands: Tensor
    channels: Tensor
    classes: list[list[tuple[slice, Tensor]]]

    def of(self, moving: Tensor) -> list[list[Tensor]]:
        """What it leads to from frames `[subbands of time, frames, H' * W']`."""
        return [[matrix @ moving[taken].flatten(1) for taken, matrix in of_height] for of_height in self.classes]


def _mixture(matrix: Tensor, orders: Sequence[Tensor], sides: int) -> _Mixture:
    """Of the linear decoder `[C, f0, f1, f2, c]`, with subbands in `orders`, what is not 0."""
    matrix = matrix.index_select(2, orders[1]).index_select(3, orders[2]).permute(1, 4, 2, 0, 3)
    matrix = matrix.reshape(*matrix.shape[:2], sides, -1, matrix.shape[3], sides, matrix.shape[4] // sides)
    found: list[Tensor] = []
    classes: list[list[tuple[slice, Tensor]]] = []
    first = 0
    for right in range(sides):
        classes.append([])
        for below in range(sides):
            block = matrix[:, :, below, :, :, right].flatten(2)
            found.append(torch.nonzero((block != 0).any(2)))
            subbands, channels = found[-1].unbind(1)
            classes[-1].append((slice(first, first + len(subbands)), block[subbands, channels].T))
            first += len(subbands)
    subbands, channels = torch.cat(found).unbind(1)
    return _Mixture(subbands, channels, classes)


def _join(order: Tensor, wavelet: str, level: int, axis: int, like: Tensor) -> tuple[Tensor, int, int]:
    """`line.merging` of subbands in an `order` as filters `[samples, f, positions]`, along one axis of two."""
    matrix, width, halo = merging(wavelet, level, like.dtype, like.device)
    filters = matrix.reshape(len(order), -1, matrix.shape[1])[order].permute(2, 0, 1)
    return filters.unsqueeze(5 - axis).contiguous(), width, halo


def _merged(x: Tensor, join: tuple[Tensor, int, int], axis: int) -> Tensor:
    """Subbands `[B, f, h, w]` to samples along an axis: `[B, samples of a stride, h, w]`, where that is of strides."""
    filters, width, halo = join
    x = around(x, -halo, -(-x.shape[axis] // width) * width + 2 * halo, axis)
    return conv2d(x, filters, stride=(width, 1) if axis == 2 else (1, width))
