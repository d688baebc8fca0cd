"""Packets and linear encoder of three dimensions.

A clip goes a frame at a time, or a few, which stay in cache. And the linear encoder comes before the transform along
time: each latent channel takes its mixture of a frame's subbands once for each subband of time, and time has only those
few to transform. Decoding goes the same way back: along time first, then the packets of a few frames.

To encode, all axes are folded about their middle, as in `codec.fused`, so that reversals are exact; what then leads to
the packets of an axis are matrices that are 0 but near their diagonal, and go in bands.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from walloc_data.codec.line import around, merging
from walloc_data.codec.matrices import analysis_matrices, synthesis_matrix, unfold
from walloc_data.codec.packets import spread_rows, subband_parity

__all__ = ["encode_clip", "synthesize_clip"]

_BAND = 32  # samples to whose packets a band of a matrix leads
_AT_ONCE = 1 << 18  # samples, so that they stay in cache


def encode_clip(x: Tensor, *, wavelet: str, levels: Sequence[int], weight: Tensor, odd: Tensor) -> Tensor:
    """`weight @ analyze(x)` of `[B, C, T, H, W]`: `[B, c, *space / f]`; `weight` and `odd` as of `fused.encode_linear`.

    Every axis has levels, and the wavelet has parity.
    """
    blocks = tuple(size >> level for size, level in zip(x.shape[2:], levels, strict=True))
    order = torch.argsort(odd[:, 0].int(), stable=True)  # channels that are even in time first
    odd = odd[order]
    mixtures = _mixtures(weight[order], odd, x.shape[1], levels, wavelet)
    y = x.new_empty(len(x), len(weight), *blocks)
    for place, clip in enumerate(x):
        mixed = _mixed(clip, mixtures, blocks, wavelet, levels)
        parts: dict[tuple[int, ...], Tensor] = {}
        for sides in mixed[0]:
            whole = torch.cat([piece[sides] for piece in mixed], 2)
            for first, part in enumerate(_along_time(whole, odd[:, 0], blocks[0], wavelet, levels[0])):
                key = (first, *sides)
                parts[key] = part[None]
        y[place, order] = unfold(parts, odd, blocks)[0]
    return y


def _mixed(
    clip: Tensor, mixtures: Tensor, blocks: Sequence[int], wavelet: str, levels: Sequence[int]
) -> list[dict[tuple[int, int], Tensor]]:
    """Mixtures of the subbands of frames, `[mixtures, 2, frames, H' / 2, W' / 2]`, by side of height and width."""
    signal_channels, frames, height, width = clip.shape
    at_once = max(1, _AT_ONCE // (2 * signal_channels * height * width))
    rows, columns = (
        _bands(count, wavelet, level, clip.dtype, clip.device)
        for count, level in zip(blocks[1:], levels[1:], strict=True)
    )
    rows_wanted, columns_wanted = (-(-count // 2) for count in blocks[1:])
    pieces = []
    for start in range(0, frames // 2, at_once):
        stop = min(start + at_once, frames // 2)
        both = torch.stack(_fold(clip[:, start:stop], clip[:, frames - stop : frames - start], 1), 1).flatten(1, 2)
        piece = {}
        for other, part in enumerate(_fold(both[..., : width // 2], both[..., width // 2 :], 3)):
            across = torch.cat([part[..., first:last] @ matrix.T for first, last, matrix in columns[other]], 3)
            for side, half in enumerate(_fold(across[:, :, : height // 2], across[:, :, height // 2 :], 2)):
                y = torch.stack([matrix @ half[:, :, first:last] for first, last, matrix in rows[side]], 2)
                shape = (1 << levels[1], -1, len(columns[other]), 1 << levels[2], _width(levels[2]))
                y = y.reshape(*y.shape[:3], *shape).permute(3, 6, 0, 1, 2, 4, 5, 7)  # what is mixed comes first
                y = mixtures @ y.reshape(mixtures.shape[1], -1)
                y = y.reshape(len(mixtures), 2, stop - start, len(rows[side]) * _width(levels[1]), -1)
                piece[side, other] = y[..., :rows_wanted, :columns_wanted]
        pieces.append(piece)
    return pieces


def _width(levels: int) -> int:
    """Positions of a band."""
    return max(1, _BAND >> levels)


@lru_cache(maxsize=64)
def _bands(
    blocks: int, wavelet: str, levels: int, dtype: torch.dtype, device: torch.device
) -> list[list[tuple[int, int, Tensor]]]:
    """The matrices `[f * blocks / 2, samples / 2]` from even and odd parts to packets, in bands of a few positions:
    the samples from which to which a band is not 0, and it `[f * positions, samples]`."""
    width, sides = _width(levels), []
    with torch.inference_mode(mode=False), torch.no_grad():
        for matrix in analysis_matrices(blocks, 0, wavelet, levels, dtype, device):
            whole = matrix.reshape(1 << levels, -(-blocks // 2), -1)
            whole = torch.nn.functional.pad(whole, (0, 0, 0, -whole.shape[1] % width))
            bands = []
            for band in torch.split(whole, width, 1):
                used = torch.nonzero((band != 0).any(0).any(0))[:, 0]
                first, last = int(used[0]), int(used[-1]) + 1
                bands.append((first, last, band[..., first:last].flatten(0, 1).contiguous()))
            sides.append(bands)
    return sides


def _fold(front: Tensor, back: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Halves of the even and of the odd part, by the first half and the second one."""
    back = back.flip(axis)
    return front + back, front - back


def _mixtures(weight: Tensor, odd: Tensor, signal_channels: int, levels: Sequence[int], wavelet: str) -> Tensor:
    """The linear encoder as mixtures of a frame's subbands, `[c * f / 2, subbands of width, height and C]`: for each
    subband of time of a channel's parity, even channels (which are first) before odd ones."""
    dense = spread_rows(weight, odd, signal_channels, levels, wavelet=wavelet)
    dense = dense.reshape(len(weight), signal_channels, *[1 << level for level in levels])
    for axis, level in enumerate(levels[1:], 3):  # even ones first, as `analysis_matrices` has them
        dense = dense.index_select(
            axis, torch.argsort(subband_parity(1, level, 1)[:, 0].int(), stable=True).to(dense.device)
        )
    of_time = subband_parity(1, levels[0], 1)[:, 0]
    mixtures = [
        dense[odd[:, 0] == side][:, :, of_time == side].permute(2, 0, 3, 4, 1).flatten(0, 1).flatten(1)
        for side in (False, True)
    ]
    return torch.cat(mixtures)


def _along_time(mixed: Tensor, odd: Tensor, blocks: int, wavelet: str, levels: int) -> list[Tensor]:
    """Channels `[c, T' / 2, H' / 2, W' / 2]` of the even and of the odd part of time."""
    half, wanted = mixed.shape[2], -(-blocks // 2)
    count, matrices = int((~odd).sum()), analysis_matrices(blocks, 0, wavelet, levels, mixed.dtype, mixed.device)
    groups = (1 << levels) // 2
    sides = []
    for part, matrix in zip(mixed.unbind(1), matrices, strict=True):
        channels = []
        for of_class, (start, stop) in zip(
            matrix.reshape(2, groups, wanted, half), ((0, count), (count, len(odd))), strict=True
        ):
            if start == stop:
                continue
            x = part[start * groups : stop * groups].reshape(groups, stop - start, half, *part.shape[2:])
            x = x.transpose(1, 2)  # [subbands of time, frames, c, H', W']
            y = of_class.transpose(0, 1).flatten(1) @ x.reshape(groups * half, -1)
            channels.append(y.reshape(wanted, *x.shape[2:]).transpose(0, 1))
        sides.append(torch.cat(channels))
    return sides


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
