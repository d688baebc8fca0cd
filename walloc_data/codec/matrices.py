"""Packets of one axis as matrices, and what folding about the middle makes of them."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from walloc_data.codec.packets import analyze, subband_parity, synthesize
from walloc_data.codec.wavelets import has_parity

__all__ = ["analysis_matrices", "synthesis_matrix", "unfold"]


def unfold(parts: dict[tuple[int, ...], Tensor], odd: Tensor, widths: Sequence[int]) -> Tensor:
    """The first halves of what came of even (0) and odd (1) parts of each axis, to whole tiles."""
    for axis in reversed(range(len(widths))):
        whole = {}
        for key in {key[:-1] for key in parts}:
            even, odd_part = parts[key + (0,)], parts[key + (1,)]
            sign = (1 - 2 * odd[:, axis].to(even)).reshape(-1, *[1] * len(widths))
            back = ((even - odd_part) * sign).narrow(2 + axis, 0, widths[axis] // 2).flip(2 + axis)
            whole[key] = torch.cat([even + odd_part, back], 2 + axis)
        parts = whole
    return parts[()]


@lru_cache(maxsize=128)
def analysis_matrices(
    width: int, halo: int, wavelet: str, levels: int, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, ...]:
    """Matrices `[f * blocks, samples]` from a tile to its packets.

    With parity, from its even and its odd part to the first half of them, even subbands before odd ones.
    With a halo, the tile stands in a longer signal and only `width` blocks in its middle are wanted.
    """
    factor, blocks = 2**levels, width + 2 * halo
    size = blocks * factor
    matrix = analyze(torch.eye(size, dtype=torch.float64)[:, None], wavelet=wavelet, levels=levels)
    matrix = matrix[:, :, halo : halo + width]
    if not has_parity(wavelet):
        return (matrix.reshape(size, -1).T.to(device, dtype).contiguous(),)
    odd = subband_parity(1, levels, 1)[:, 0]
    matrix = matrix[:, torch.argsort(odd, stable=True), : -(-width // 2)].reshape(size, -1)
    front, back = matrix[: size // 2], matrix[size // 2 :].flip(0)
    folded = ((front + back) / 2, (front - back) / 2)
    # In the middle one of an odd number of blocks half of these are 0 but for rounding, which no reversal would keep.
    return tuple(part.where(part.abs() > 1e-14, 0.0).T.to(device, dtype).contiguous() for part in folded)


@lru_cache(maxsize=128)
def synthesis_matrix(
    width: int, halo: int, wavelet: str, levels: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Matrix `[samples, f * positions]` from packets at `width` positions, and at `halo` on each side, to the samples
    of those in the middle."""
    factor, blocks = 2**levels, width + 2 * halo
    with torch.inference_mode(mode=False), torch.no_grad():  # it is kept, and gradients may pass it later
        packets = torch.eye(factor * blocks, dtype=torch.float64).reshape(-1, factor, blocks)
        signal = synthesize(packets, wavelet=wavelet, levels=levels)[:, 0]
        signal = signal[:, halo * factor : (halo + width) * factor]
        return signal.T.to(device, dtype).contiguous()
