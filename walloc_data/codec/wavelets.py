"""Wavelet filter banks by name, and the one property that exact flips rest on."""

from functools import lru_cache

import numpy as np
import pywt

from walloc_data.errors import CodecError

__all__ = ["DEFAULT_WAVELET", "filter_bank", "has_parity", "margin", "synthesis_norms"]

DEFAULT_WAVELET = "10/18"

# First halves of the symmetric low-pass filters of Tsai, Villasenor and Chen, "Stack-run image
# coding" (1996): analysis with 10 taps, synthesis with 18. As published the pair reconstructs to
# 1e-12; the synthesis taps here carry the least change (1e-12) that makes it 1e-15.
_ANALYSIS_10 = (
    0.02885256501123136,
    8.244478227504624e-05,
    -0.1575264469076351,
    0.07679048884691438,
    0.7589077294537618,
)
_SYNTHESIS_18 = (
    0.0009544158682417356,
    -2.727196296981187e-06,
    -0.009452462998343483,
    -0.0025280372939446996,
    0.030833734385365665,
    -0.013765134838130392,
    -0.08566118833150767,
    0.16336854055703545,
    0.6233596410341279,
)


@lru_cache(maxsize=32)
def filter_bank(name: str) -> pywt.Wavelet:
    """The filter bank called `name`: `"10/18"` or any discrete wavelet of PyWavelets.

    Raises `CodecError` for a name that PyWavelets does not know or whose filters have odd length.
    """
    if name == DEFAULT_WAVELET:
        return _bank_10_18()
    try:
        bank = pywt.Wavelet(name)
    except (ValueError, TypeError) as error:
        raise CodecError(
            f"no wavelet called {name!r}: use {DEFAULT_WAVELET!r} or one of pywt.wavelist(kind='discrete')"
        ) from error
    if bank.dec_len % 2 or bank.dec_len != bank.rec_len:
        raise CodecError(f"wavelet {name!r} has filters of odd length, which periodization cannot use")
    return bank


def _bank_10_18() -> pywt.Wavelet:
    synthesis = np.array(_SYNTHESIS_18 + _SYNTHESIS_18[::-1])
    analysis = np.pad(np.array(_ANALYSIS_10 + _ANALYSIS_10[::-1]), 4)
    sign = np.where(np.arange(18) % 2, 1.0, -1.0)
    return pywt.Wavelet(DEFAULT_WAVELET, filter_bank=[analysis, sign * synthesis, synthesis, -sign * analysis])


@lru_cache(maxsize=32)
def has_parity(name: str) -> bool:
    """Whether reversing a signal reverses each subband and multiplies it by +1 or -1.

    True for an even, symmetric low-pass with an antisymmetric high-pass (10/18, haar, rbio1.3),
    whose filters are centred between the two samples that periodization keeps together. Filters of
    odd symmetry (bior4.4, stored with a zero in front) are centred on one of the two.
    """
    bank = filter_bank(name)
    low, high = np.array(bank.dec_lo), np.array(bank.dec_hi)
    return bool(np.allclose(low, low[::-1], atol=1e-12) and np.allclose(high, -high[::-1], atol=1e-12))


def margin(name: str, levels: int) -> int:
    """How many positions at an end of packets of `levels` depend on samples beyond it, and the other way round.

    A level's filters of length L are centred on two samples and reach over `(L - 2) / 2` more on each side; those of
    level j stand `2**j` samples apart.
    """
    factor = 2**levels
    reach = (factor - 1) * (filter_bank(name).dec_len - 2) // 2
    return int(-(-reach // factor))


@lru_cache(maxsize=32)
def synthesis_norms(name: str, levels: int) -> tuple[float, ...]:
    """L2 norm of the synthesis function of each of the `2**levels` subbands of one dimension.

    The mean squared error of a signal is, but for correlations, the sum of its subbands' errors
    weighted by the squares of these norms (all 1 for an orthonormal wavelet).
    """
    bank = filter_bank(name)
    functions = [np.ones(1)]
    for _ in range(levels):
        grown = []
        for function in functions:
            upsampled = np.zeros(2 * len(function) - 1)
            upsampled[::2] = function
            grown.append(upsampled)
        functions = [np.convolve(g, taps) for g in grown for taps in (bank.rec_lo, bank.rec_hi)]
    # Growing from the innermost level outwards makes the innermost choice the most significant
    # bit; subbands are numbered with the outermost (first) level there.
    order = [int(f"{index:0{levels}b}"[::-1], 2) if levels else 0 for index in range(2**levels)]
    return tuple(float(np.linalg.norm(functions[index])) for index in order)
