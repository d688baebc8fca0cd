"""Clips from packets or latents of three dimensions, the way back of `codec.clip`.

Time comes first, while there are only latents of it; then the packets of a few frames at a time, which stay in cache.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from walloc_data.codec.line import around, merging
from walloc_data.codec.matrices import synthesis_matrix

__all__ = ["synthesize_clip"]

_BAND = 32  # samples that a window of a row gives
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
    at_once = max(1, _AT_ONCE // (signal_channels * height * width))
    x = y.new_empty(len(y), signal_channels, frames, height, width)
    if matrix is not None:  # a latent channel takes part in subbands of time of its parity
        matrix = matrix.reshape(signal_channels, *factors, -1).movedim(1, 3)
        subband, channel = torch.nonzero((matrix != 0).flatten(0, 2).any(0), as_tuple=True)
        of_time = of_time.reshape(frames, factors[0], -1).transpose(0, 1)[subband]
        matrix = matrix[..., subband, channel].transpose(0, 1).flatten(0, 2)  # [subbands of height, C and width, ...]
    for place, clip in enumerate(y.flatten(3)):
        if matrix is None:
            clip = clip.reshape(signal_channels, *factors, *clip.shape[1:]).movedim(1, 3).flatten(3, 4).transpose(0, 1)
            moving = torch.matmul(of_time, clip).flatten(0, 2)
        else:
            moving = torch.bmm(of_time, clip[channel])
        moving = moving.reshape(len(moving), frames, *y.shape[3:])
        for start in range(0, frames, at_once):
            part = moving[:, start : start + at_once].movedim(0, 2).flatten(0, 1)  # [frames * H', ..., W']
            part = part if matrix is None else torch.bmm(matrix.expand(len(part), -1, -1), part)
            part = part.reshape(-1, y.shape[3], factors[1], signal_channels * factors[2] * y.shape[4])
            rows = _merged(part, wavelet, levels[1])[:, :height]
            rows = rows.reshape(len(part) * height, signal_channels, factors[2], y.shape[4])
            whole = _windows_merged(rows, wavelet, levels[2]).reshape(len(part), height, signal_channels, -1)
            x[place, :, start : start + at_once] = finish(whole[..., :width].permute(2, 0, 1, 3))
    return x


def _merged(x: Tensor, wavelet: str, levels: int) -> Tensor:
    """Subbands `[frames, n, f, R]` to samples `[frames, f * n or more, R]`."""
    matrix, width, halo = merging(wavelet, levels, x.dtype, x.device)
    matrix = matrix.reshape(1 << levels, -1, matrix.shape[1]).permute(2, 1, 0).flatten(1)
    count = -(-x.shape[1] // width)
    rows = around(x, -halo, count * width + 2 * halo, 1).flatten(1, 2)
    windows = rows.unfold(1, matrix.shape[1], width << levels).transpose(2, 3).flatten(0, 1)
    return torch.bmm(matrix.expand(len(windows), -1, -1), windows).reshape(len(x), -1, x.shape[3])


def _windows_merged(x: Tensor, wavelet: str, levels: int) -> Tensor:
    """Subbands `[..., f, n]` to samples `[..., f * n or more]`."""
    matrix, width, halo = merging(wavelet, levels, x.dtype, x.device, _BAND)
    count = -(-x.shape[-1] // width)
    windows = around(x, -halo, count * width + 2 * halo).unfold(-1, width + 2 * halo, width)
    windows = windows.movedim(-2, -3)  # [..., windows, subbands, positions]
    step = max(1, _AT_ONCE // windows[0].numel())
    parts = [windows[start : start + step].flatten(0, -3) for start in range(0, len(windows), step)]
    return torch.cat([part.flatten(1) @ matrix for part in parts]).reshape(*x.shape[:-2], -1)
