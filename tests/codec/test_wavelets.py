"""Filter banks: the numbers of the paper, perfect reconstruction, and which ones have parity."""

import numpy as np
import pytest
import pywt

from walloc_data.codec.wavelets import DEFAULT_WAVELET, filter_bank, has_parity, synthesis_norms
from walloc_data.errors import CodecError


def test_10_18_is_the_pair_of_the_paper() -> None:
    bank = filter_bank("10/18")
    analysis = [
        0.02885256501123136,
        8.244478227504624e-05,
        -0.1575264469076351,
        0.07679048884691438,
        0.7589077294537618,
    ]
    synthesis = [
        0.0009544158682436510,
        -2.727196296995984e-06,
        -0.009452462998353147,
        -0.002528037293949898,
        0.03083373438534281,
        -0.01376513483818621,
        -0.08566118833165798,
        0.1633685405569902,
        0.6233596410344172,
    ]
    np.testing.assert_allclose(bank.dec_lo, np.pad(analysis + analysis[::-1], 4), atol=2e-12)
    np.testing.assert_allclose(bank.rec_lo, synthesis + synthesis[::-1], atol=2e-12)


def test_10_18_reconstructs_to_machine_precision() -> None:
    x = np.random.default_rng(0).standard_normal(64)
    low, high = pywt.dwt(x, filter_bank(DEFAULT_WAVELET), "periodization")
    np.testing.assert_allclose(pywt.idwt(low, high, filter_bank(DEFAULT_WAVELET), "periodization"), x, atol=1e-14)


@pytest.mark.parametrize(
    "name", ["10/18", "haar", "db1", "rbio1.3", "rbio1.5", "bior1.3", "bior1.5", "bior3.5", "rbio3.3"]
)
def test_even_symmetric_banks_have_parity(name: str) -> None:
    assert has_parity(name)


@pytest.mark.parametrize("name", ["bior4.4", "bior2.2", "rbio2.2", "db2", "db4", "sym4", "coif1"])
def test_all_others_have_none(name: str) -> None:
    assert not has_parity(name)


@pytest.mark.parametrize("name", ["db99", "", "morl", "18/10"])
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(CodecError, match="no wavelet called"):
        filter_bank(name)


@pytest.mark.parametrize("name", pywt.wavelist(kind="discrete"))
def test_every_discrete_wavelet_serves(name: str) -> None:
    bank = filter_bank(name)
    assert bank.dec_len == bank.rec_len
    assert bank.dec_len % 2 == 0


@pytest.mark.parametrize("name", ["haar", "db4", "sym5", "coif2"])
def test_orthonormal_synthesis_functions_have_norm_one(name: str) -> None:
    np.testing.assert_allclose(synthesis_norms(name, 3), 1, atol=1e-6)


@pytest.mark.parametrize("name", ["10/18", "bior4.4", "rbio1.3"])
@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_norms_are_those_of_pywavelets_own_synthesis(name: str, levels: int) -> None:
    bank = filter_bank(name)
    # Long enough that no synthesis function wraps round onto itself.
    blocks = 2 * bank.rec_len
    expected = []
    for subband in range(2**levels):
        bits = [(subband >> (levels - 1 - level)) & 1 for level in range(levels)]
        signal = np.zeros(blocks)
        signal[blocks // 2] = 1
        for bit in reversed(bits):
            nothing = np.zeros_like(signal)
            signal = pywt.idwt(*((nothing, signal) if bit else (signal, nothing)), bank, "periodization")
        expected.append(np.linalg.norm(signal))
    np.testing.assert_allclose(synthesis_norms(name, levels), expected, rtol=1e-10)
