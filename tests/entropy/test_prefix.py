"""The first channels of payloads, decoded without the rest."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from walloc_data.entropy import CODERS, Coder
from walloc_data.errors import CoderError

SPACES = [(40,), (500,), (9, 14), (40, 3), (33, 20), (3, 6, 5)]


def latents_of(space: tuple[int, ...], channels: int, samples: int, seed: int, scale: float = 3.0) -> NDArray[np.int8]:
    drawn = np.random.default_rng(seed).laplace(size=(samples, channels, *space)) * scale
    return np.asarray(np.clip(np.round(drawn), -128, 127), np.int8)


def read(coder: Coder, payloads: list[bytes], shape: tuple[int, ...]) -> NDArray[np.int8]:
    lengths = np.array([len(payload) for payload in payloads], np.uint64)
    segments = np.stack([np.cumsum(lengths, dtype=np.uint64) - lengths, lengths], 1)
    out = np.full((len(payloads), *shape), 77, np.int8)
    coder.decode(b"".join(payloads), segments, out)
    return out


@pytest.mark.parametrize("number", CODERS)
@settings(max_examples=30)
@given(data=st.data())
def test_a_prefix_is_the_first_channels(number: int, data: st.DataObject) -> None:
    space = data.draw(st.sampled_from(SPACES))
    channels, samples = data.draw(st.integers(1, 7)), data.draw(st.sampled_from([1, 2, 5, 40]))
    scale = data.draw(st.sampled_from([0.3, 3.0, 90.0]))  # the last is larger coded, so stored as it is, or escaped
    latents = latents_of(space, channels, samples, data.draw(st.integers(0, 99)), scale)
    fitted = data.draw(st.sampled_from([3.0, 1.0, 60.0]))
    coder = CODERS[number].fit(list(latents_of(space, channels, 12, 0, fitted)))
    payloads = coder.encode(latents)
    for kept in range(1, channels + 1):
        np.testing.assert_array_equal(read(coder, payloads, (kept, *space)), latents[:, :kept])


@pytest.mark.parametrize("number", CODERS)
def test_what_is_no_prefix(number: int) -> None:
    coder = CODERS[number].fit(list(latents_of((8, 8), 5, 12, 0)))
    payloads = coder.encode(latents_of((8, 8), 5, 2, 1))
    for shape in ((0, 8, 8), (6, 8, 8)):
        with pytest.raises(CoderError, match=r"takes int8 \[N, 5,"):
            read(coder, payloads, shape)
    with pytest.raises(CoderError):
        coder.encode(latents_of((8, 8), 4, 2, 1))
    for wrong in ([b"", payloads[1]], [payloads[0][:9], payloads[1]]):
        with pytest.raises(CoderError):
            read(coder, wrong, (3, 8, 8))


@pytest.mark.parametrize("number", CODERS)
def test_a_damaged_payload_writes_nowhere_else(number: int) -> None:
    """Nothing checks a prefix, so anything may come of it; but no more than its own samples."""
    coder: Any = CODERS[number].fit(list(latents_of((9, 14), 5, 12, 0)))
    payloads = coder.encode(latents_of((9, 14), 5, 3, 1))
    rng = np.random.default_rng(0)
    whole = read(coder, payloads, (2, 9, 14))
    for _ in range(200):
        spoilt = bytearray(payloads[1])
        for at in rng.integers(0, len(spoilt), 4):
            spoilt[at] = rng.integers(0, 256)
        try:
            found = read(coder, [payloads[0], bytes(spoilt), payloads[2]], (2, 9, 14))
        except CoderError:
            continue
        np.testing.assert_array_equal(found[[0, 2]], whole[[0, 2]])


@pytest.mark.parametrize("number", CODERS)
def test_a_coder_warms_up(number: int) -> None:
    coder = CODERS[number].fit(list(latents_of((9, 14), 5, 12, 0)))
    for channels in (None, 2, 5):
        coder.warm_up(channels)
