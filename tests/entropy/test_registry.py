"""Coders by id and name: permanent, unique, and all of them keep the contract."""

import numpy as np
import pytest

from walloc_data.entropy import CODERS, ZstdCoder, coder_class, load_coder
from walloc_data.errors import CoderError


def test_ids_are_permanent() -> None:
    assert CODERS[1] is ZstdCoder
    assert {number: coder.name for number, coder in CODERS.items()} | {1: "zstd"} == {
        number: coder.name for number, coder in CODERS.items()
    }


def test_ids_and_names_are_those_of_the_classes() -> None:
    assert all(coder.id == number for number, coder in CODERS.items())
    assert len({coder.name for coder in CODERS.values()}) == len(CODERS)
    for number, coder in CODERS.items():
        assert coder_class(number) is coder_class(coder.name) is coder


@pytest.mark.parametrize("key", [0, 255, "", "ZSTD", "1", None, b"zstd"])
def test_unknown_coders_are_refused_with_the_known_ones(key: object) -> None:
    with pytest.raises(CoderError, match=r"knows zstd \(1\)"):
        coder_class(key)


@pytest.mark.parametrize("number", CODERS)
def test_every_coder_keeps_the_contract(number: int) -> None:
    latents = np.random.default_rng(0).normal(0, 6, (20, 5, 7, 4)).round().astype(np.int8)
    fitted = CODERS[number].fit(list(latents))
    coder = load_coder(fitted.name, fitted.tables())
    payloads = coder.encode(latents)
    assert payloads == fitted.encode(latents)
    assert len(payloads) == len(latents)
    bits = coder.bits_by_channel(list(latents))
    assert bits.shape == (5,)
    assert ((bits > 3) & (bits < 6)).all()  # a normal distribution six wide has 4.6
    buffer = b"".join(payloads)
    lengths = np.array([len(payload) for payload in payloads], np.uint64)
    segments = np.stack([np.cumsum(lengths) - lengths, lengths], 1)
    out = np.empty_like(latents)
    coder.decode(buffer, segments, out)
    np.testing.assert_array_equal(out, latents)
    backwards = np.empty_like(latents)
    coder.decode(buffer, segments[::-1], backwards)
    np.testing.assert_array_equal(backwards, latents[::-1])
