"""How far a decoded signal is from its original."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["psnr"]

_MOST = 100.0  # dB; stands for a perfect copy


def psnr(decoded: Tensor, original: Tensor, kind: str = "image", *, peaks: Sequence[float] = ()) -> float:
    """Peak signal-to-noise ratio in dB (at most 100), the peak being the whole range of a kind of signal.

    Images and video in [0, 1] are both rounded to 8 bits first, as files hold them. Sound in [-1, 1] is compared as it
    is, and its peak is 2: 10 log10(4 / mean squared error). Arrays `[C, *space]` are compared in their own units, the
    errors of a band with its own of the `peaks` (`CodecConfig.peaks`: the span of the band in the data of the fit), or
    with 1.
    """
    if kind in ("image", "video"):
        error = ((decoded * 255).round() - (original * 255).round()).square().mean().item() / 255**2
    elif kind == "array":
        of_bands = torch.tensor(peaks or (1.0,), dtype=decoded.dtype).reshape(-1, *[1] * (decoded.dim() - 1))
        error = ((decoded - original) / of_bands).square().mean().item()
    else:
        error = (decoded - original).square().mean().item() / 4
    return min(_MOST, -10 * math.log10(error)) if error else _MOST
