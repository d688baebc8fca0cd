"""Waveforms: mixing, lower sampling rates, folding to a grid, and how far an estimate is from the truth."""

import torch
from torch import Tensor

__all__ = ["fold", "mix", "resample", "si_sdr", "unfold"]

_PEAK = 0.9  # of the loudest of the signals that are mixed
_SMALL = 1e-8


def si_sdr(estimate: Tensor, truth: Tensor) -> Tensor:
    """Scale-invariant signal-to-distortion ratio in dB, `[...]` of `[..., samples]`; higher is better.

    `10 log10(|a s|^2 / |a s - e|^2)` with `a = <e, s> / |s|^2`, of estimate e and truth s without their means.
    Le Roux, Wisdom, Erdogan and Hershey, "SDR - half-baked or well done?", ICASSP 2019, equations 4 and 5.
    """
    estimate, truth = (x.double() - x.double().mean(-1, keepdim=True) for x in (estimate, truth))
    scale = (estimate * truth).sum(-1, keepdim=True) / truth.square().sum(-1, keepdim=True).clamp_min(_SMALL**2)
    target = scale * truth
    error = (target - estimate).square().sum(-1)
    power = target.square().sum(-1)
    return 10 * torch.log10(power.clamp_min(_SMALL**2) / error.clamp_min(_SMALL**2))


def mix(stems: Tensor, gains: Tensor) -> Tensor:
    """Mixture and stems, `[B, 1 + S, samples]` in [-0.9, 0.9], of stems `[B, S, samples]` and gains in dB `[B, S]`.

    A stem's gain is to a common level (root mean square); all of a song are then scaled by one factor, so that the
    loudest sample of all is 0.9. Silence stays silent.
    """
    level = stems.square().mean(-1).sqrt().clamp_min(_SMALL)
    scaled = stems * (10 ** (gains / 20) / level)[..., None]
    signals = torch.cat([scaled.sum(1, keepdim=True), scaled], 1)
    return signals * (_PEAK / signals.abs().amax((1, 2)).clamp_min(_SMALL))[:, None, None]


def resample(x: Tensor, samples: int) -> Tensor:
    """Signals `[..., n]` at another rate, `[..., samples]`: the band both rates have, cut off as steeply as can be.

    The signal is taken to go round, as the codec's wavelets take it.
    """
    spectrum = torch.fft.rfft(x)
    kept = min(x.shape[-1], samples) // 2  # without the bin at half the lower rate, which stands for two
    low = spectrum.new_zeros(*x.shape[:-1], samples // 2 + 1)
    low[..., :kept] = spectrum[..., :kept]
    found: Tensor = torch.fft.irfft(low, samples) * (samples / x.shape[-1])
    return found


def fold(x: Tensor, factor: int) -> Tensor:
    """Signals `[..., n]` to `[..., factor, n / factor]`, consecutive samples at one position (space-to-depth)."""
    return x.reshape(*x.shape[:-1], -1, factor).transpose(-1, -2)


def unfold(x: Tensor) -> Tensor:
    """The inverse of `fold`."""
    return x.transpose(-1, -2).flatten(-2)
