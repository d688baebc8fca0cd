"""Wavelet packets of 1-, 2- and 3-dimensional signals, level by level: the definition.

Everything faster is checked against this file, and this file against PyWavelets.
"""

from itertools import product
from math import prod

import torch
from torch import Tensor
from torch.nn.functional import conv1d, conv_transpose1d

from walloc_data.codec.levels import Levels, each_axis
from walloc_data.codec.wavelets import filter_bank, has_parity
from walloc_data.errors import CodecError

__all__ = ["analyze", "centre_frequencies", "parity_classes", "spread_rows", "subband_parity", "synthesize"]


def analyze(x: Tensor, *, wavelet: str, levels: Levels) -> Tensor:
    """Wavelet packet analysis with periodization.

    `x` is a float tensor `[B, C, *space]` with 1 to 3 space dimensions, each a multiple of its
    `f = 2**levels` (`levels` are one number, or one for each dimension). Returns
    `[B, C * f0 * f1 * ..., *space / f]`; the channel of signal channel `i` and subband
    `(k0, k1, ...)` is `((i * f0 + k0) * f1 + k1) ...`. A subband's bits, first level first, say
    low-pass (0) or high-pass (1): the natural order of `pywt.WaveletPacket`.
    Raises `CodecError` where a size is not such a multiple.
    """
    dims = x.dim() - 2
    each = each_axis(levels, dims)
    factors = [2**level for level in each]
    if not 1 <= dims <= 3 or any(n % factor or n == 0 for n, factor in zip(x.shape[2:], factors, strict=True)):
        raise CodecError(
            f"shape {tuple(x.shape)} is not [B, C, *space] with 1 to 3 sizes that are multiples of "
            + " x ".join(map(str, factors))
        )
    batch, signal_channels = x.shape[:2]
    sizes = [n // factor for n, factor in zip(x.shape[2:], factors, strict=True)]
    for axis, level in enumerate(each):
        x = x.movedim(2 + axis, -1)
        rest, n = x.shape[:-1], x.shape[-1]
        x = _split(x.reshape(-1, n), wavelet, level).reshape(*rest, n)
        x = x.movedim(-1, 2 + axis)
    x = x.reshape(batch, signal_channels, *(size for pair in zip(factors, sizes, strict=True) for size in pair))
    x = x.permute(0, 1, *range(2, 2 + 2 * dims, 2), *range(3, 3 + 2 * dims, 2))
    return x.reshape(batch, signal_channels * prod(factors), *sizes)


def synthesize(y: Tensor, *, wavelet: str, levels: Levels) -> Tensor:
    """The inverse of `analyze`: `[B, C * f0 * f1 * ..., *space / f]` to `[B, C, *space]`."""
    dims = y.dim() - 2
    each = each_axis(levels, dims)
    factors = [2**level for level in each]
    if not 1 <= dims <= 3 or y.shape[1] % prod(factors):
        raise CodecError(f"shape {tuple(y.shape)} is not [B, C * {prod(factors)}, *space]")
    batch, sizes = y.shape[0], y.shape[2:]
    signal_channels = y.shape[1] // prod(factors)
    y = y.reshape(batch, signal_channels, *factors, *sizes)
    y = y.permute(0, 1, *(axis for i in range(dims) for axis in (2 + i, 2 + dims + i)))
    y = y.reshape(batch, signal_channels, *(factor * n for factor, n in zip(factors, sizes, strict=True)))
    for axis, level in enumerate(each):
        y = y.movedim(2 + axis, -1)
        rest, n = y.shape[:-1], y.shape[-1]
        y = _merge(y.reshape(-1, n), wavelet, level).reshape(*rest, n)
        y = y.movedim(-1, 2 + axis)
    return y


def centre_frequencies(levels: int) -> Tensor:
    """Float64 `[2**levels]`: the middle of each subband of one dimension, 0 to 1 (half the sampling rate).

    A high-pass turns the order of frequencies around, so subbands in natural order have it by Gray code.
    """
    places = torch.zeros(1, dtype=torch.float64)
    for _ in range(levels):
        turned = places % 2
        places = torch.stack([2 * places + turned, 2 * places + 1 - turned], 1).flatten()
    middles: Tensor = (places + 0.5) / 2**levels
    return middles


def subband_parity(signal_channels: int, levels: Levels, dims: int) -> Tensor:
    """Bool `[packets, dims]`: whether reversing an axis negates a subband (it has an odd number of high-passes)."""
    odd = [torch.tensor([bin(k).count("1") % 2 == 1 for k in range(2**level)]) for level in each_axis(levels, dims)]
    grid = torch.meshgrid(*odd, indexing="ij")
    return torch.stack([g.reshape(-1) for g in grid], dim=1).repeat(signal_channels, 1)


def parity_classes(
    signal_channels: int, levels: Levels, dims: int, *, wavelet: str
) -> list[tuple[tuple[bool, ...], Tensor]]:
    """The classes of subbands that reversals keep apart: (odd along each axis, indices of the subbands).

    A wavelet without parity has one class of all, and an axis without levels no odd ones.
    """
    odd = subband_parity(signal_channels, levels, dims)
    if not has_parity(wavelet):
        return [((False,) * dims, torch.arange(len(odd)))]
    classes = product(*[(False, True) if level else (False,) for level in each_axis(levels, dims)])
    return [(sides, torch.nonzero((odd == torch.tensor(sides)).all(1))[:, 0]) for sides in classes]


def spread_rows(rows: Tensor, odd: Tensor, signal_channels: int, levels: Levels, *, wavelet: str) -> Tensor:
    """Rows `[c, n]` over the subbands of their parity (`odd`, bool `[c, dims]`) as `[c, packets]`, 0 for all others."""
    dims = odd.shape[1]
    dense = rows.new_zeros(len(rows), signal_channels * prod(2**level for level in each_axis(levels, dims)))
    for sides, index in parity_classes(signal_channels, levels, dims, wavelet=wavelet):
        members = torch.nonzero((odd == torch.tensor(sides)).all(1))[:, 0]
        dense[members[:, None], index] = rows[members]
    return dense


def _split(x: Tensor, wavelet: str, levels: int) -> Tensor:
    """Rows `[R, n]` to their packets `[R, f * n / f]`, subband by subband."""
    bank = filter_bank(wavelet)
    taps = torch.tensor([bank.dec_lo, bank.dec_hi], dtype=x.dtype, device=x.device).flip(1)[:, None]
    rows, n = x.shape
    reach = bank.dec_len // 2 - 1
    for level in range(levels):
        x = x.reshape(rows * 2**level, n >> level)
        index = torch.arange(-reach, x.shape[1] + reach, device=x.device) % x.shape[1]
        x = conv1d(x[:, index][:, None], taps, stride=2)
    return x.reshape(rows, n)


def _merge(y: Tensor, wavelet: str, levels: int) -> Tensor:
    bank = filter_bank(wavelet)
    taps = torch.tensor([bank.rec_lo, bank.rec_hi], dtype=y.dtype, device=y.device)[:, None]
    rows, n = y.shape
    reach = bank.rec_len // 2 - 1
    for level in reversed(range(levels)):
        size = n >> level
        grown = conv_transpose1d(y.reshape(rows * 2**level, 2, size // 2), taps, stride=2)[:, 0]
        index = torch.arange(-reach, grown.shape[1] - reach, device=y.device) % size
        y = torch.zeros(rows * 2**level, size, dtype=y.dtype, device=y.device).index_add_(1, index, grown)
    return y.reshape(rows, n)
