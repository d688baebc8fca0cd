"""How far a decoded signal is from its original."""

import math

from torch import Tensor

__all__ = ["psnr"]

_MOST = 100.0  # dB; stands for a perfect copy


def psnr(decoded: Tensor, original: Tensor) -> float:
    """Peak signal-to-noise ratio in dB (at most 100) of images in [0, 1], both rounded to 8 bits as files hold them."""
    error = ((decoded * 255).round() - (original * 255).round()).square().mean().item() / 255**2
    return min(_MOST, -10 * math.log10(error)) if error else _MOST
