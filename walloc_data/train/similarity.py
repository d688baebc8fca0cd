"""How alike signals are, beyond the error of their values: SSIM and MS-SSIM of images, SI-SDR of sound."""

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

__all__ = ["ms_ssim", "si_sdr", "ssim"]

_TAPS, _SIGMA = 11, 1.5
_LUMINANCE, _CONTRAST = 0.01**2, 0.03**2
_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def ssim(decoded: Tensor, original: Tensor) -> float:
    """The structural similarity of images `[C, H, W]` in [0, 1], at most 1; the mean over channels.

    Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004): a Gaussian window of
    11 pixels. Smaller images give NaN.
    """
    return float(_similarities(decoded[:, None].double(), original[:, None].double())[0])


def ms_ssim(decoded: Tensor, original: Tensor) -> float:
    """SSIM at five scales, as Wang, Simoncelli and Bovik (2003) weight them; NaN for sides below 176 pixels."""
    if min(original.shape[1:]) < _TAPS << len(_SCALES) - 1:
        return math.nan
    x, y = decoded[:, None].double(), original[:, None].double()
    product = torch.ones((), dtype=torch.float64)
    for scale, weight in enumerate(_SCALES):
        whole, contrast = _similarities(x, y)
        product = product * (whole if scale == len(_SCALES) - 1 else contrast).clamp_min(0) ** weight
        x, y = avg_pool2d(x, 2), avg_pool2d(y, 2)
    return float(product)


def si_sdr(decoded: Tensor, original: Tensor) -> float:
    """The scale-invariant ratio of signal to distortion in dB, of sound `[C, samples]`, the mean over channels.

    Le Roux et al., "SDR: half-baked or well done?" (2019).
    """
    x, y = decoded.double(), original.double()
    x, y = x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True)
    target = (x * y).sum(1, keepdim=True) / y.square().sum(1, keepdim=True).clamp_min(1e-12) * y
    ratio = target.square().sum(1) / (x - target).square().sum(1).clamp_min(1e-12)
    return float((10 * ratio.clamp_min(1e-12).log10()).mean())


def _similarities(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The means of SSIM, and of its part that luminance does not enter, of `[C, 1, H, W]`."""
    nothing = torch.tensor(float("nan"), dtype=x.dtype)
    if min(x.shape[2:]) < _TAPS:
        return nothing, nothing
    place = torch.arange(_TAPS, dtype=x.dtype) - _TAPS // 2
    window = (-(place**2) / (2 * _SIGMA**2)).exp()
    window = window / window.sum()

    def blurred(z: Tensor) -> Tensor:
        return conv2d(conv2d(z, window.reshape(1, 1, -1, 1)), window.reshape(1, 1, 1, -1))

    mx, my = blurred(x), blurred(y)
    vx, vy, both = blurred(x * x) - mx * mx, blurred(y * y) - my * my, blurred(x * y) - mx * my
    contrast = (2 * both + _CONTRAST) / (vx + vy + _CONTRAST)
    luminance = (2 * mx * my + _LUMINANCE) / (mx * mx + my * my + _LUMINANCE)
    return (luminance * contrast).mean(), contrast.mean()
