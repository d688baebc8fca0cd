"""fit without a configuration: what a codec is for follows from the examples."""

import sys

import numpy as np
import pytest
import torch

from tests.photographs import window
from walloc_data import CodecConfig, fit, load_codec
from walloc_data.errors import CodecError

IMAGES = [np.asarray(window("chelsea", n, (48 + 8 * (n % 2), 40))) for n in range(6)]
RNG = np.random.default_rng(0)


def what(codec):
    config = codec.config
    return config.kind, config.signal_channels, config.dims, config.levels, codec.channels


def test_images_of_any_layout_give_one_codec():
    config = CodecConfig(name="fitted-f8c12", kind="image", signal_channels=3, dims=2, levels=3, wavelet="10/18")
    batches = [torch.from_numpy(image.transpose(2, 0, 1).copy())[None] for image in IMAGES]
    expected = fit(batches, config, channels=12)
    for examples in (IMAGES, tuple(image.transpose(2, 0, 1) for image in IMAGES), [batch[0] for batch in batches]):
        codec = fit(examples, channels=12)
        assert codec.fingerprint == expected.fingerprint
        assert what(codec) == ("image", 3, 2, 3, 12)
        assert codec.config.name == "fitted-f8c12"
    assert what(fit([image[..., 0] for image in IMAGES], channels=4)) == ("image", 1, 2, 3, 4)
    floats = fit([image.astype(np.float32) / 255 for image in IMAGES], channels=12, levels=2, wavelet="bior4.4")
    assert what(floats) == ("image", 3, 2, 2, 12)


def test_sound_and_volumes():
    sound = np.cumsum(RNG.normal(0, 300, (4, 2, 3000)), 2).clip(-(1 << 15), (1 << 15) - 1).astype(np.int16)
    assert what(fit(list(sound), channels=20)) == ("audio", 2, 1, 8, 20)
    assert what(fit(list(sound[:, :1] / 32768), channels=8, levels=4)) == ("audio", 1, 1, 4, 8)
    volumes = [RNG.integers(0, 256, (1, 8, 12, 8), np.uint8) for _ in range(3)]
    assert what(fit(volumes, channels=6)) == ("video", 1, 3, (2, 3, 3), 6)
    slow = fit(volumes, channels=6, levels=(0, 2, 2))
    assert (slow.name, what(slow)) == ("fitted-t1f4c6", ("video", 1, 3, (0, 2, 2), 6))
    deep = [RNG.integers(0, 5000, (5, 16, 16)).astype(np.uint16) for _ in range(3)]
    assert what(fit(deep, channels=6)) == what(fit([x.astype(np.int16) for x in deep], channels=6))
    assert what(fit(deep, channels=6)) == ("array", 5, 2, 3, 6)
    assert what(fit([x.reshape(5, -1) for x in deep], channels=6)) == ("array", 5, 1, 4, 6)
    assert what(fit([x.transpose(1, 2, 0)[..., :3] for x in deep], channels=6)) == ("array", 3, 2, 3, 6)
    signed = [RNG.uniform(-1, 1, (2, 16, 16)).astype(np.float32) for _ in range(3)]
    assert what(fit(signed, channels=6)) == ("audio", 2, 2, 3, 6)
    assert what(fit([abs(one) for one in signed], channels=6, kind="audio")) == ("audio", 2, 2, 3, 6)


def test_numbers_of_numpy_and_any_byte_order():
    floats = [RNG.uniform(0, 1, (3, 16, 16)).astype(np.float32) for _ in range(3)]
    expected = fit(floats, channels=6, kind="array", levels=2)
    for levels in (np.int64(2), (np.int32(2), np.int32(2))):
        other = fit([x.astype(">f4") for x in floats], channels=np.int64(6), kind="array", levels=levels)
        assert (other.fingerprint, other.config) == (expected.fingerprint, expected.config)
        assert type(other.config.levels) is int


@pytest.mark.parametrize(
    ("signals", "options", "message"),
    [
        ([], {}, "there are no signals to fit"),
        ([np.zeros((2, 3, 8, 8, 8), np.uint8)], {}, "not \\[2, 3, 8, 8, 8\\]: batches need a CodecConfig"),
        ([np.zeros(8, np.float32)], {}, "not \\[8\\]"),
        (["a.jpg"], {}, "str is no signal"),
        (IMAGES[:1] + [IMAGES[0][..., 0]], {}, "takes signals"),
        (IMAGES, {"levels": 20}, "1 to 12 levels"),
        (IMAGES, {"levels": 9}, r"positions of 512 x 512 samples, and signals are of \d+ x \d+ at most: take levels"),
        (IMAGES, {"kind": "smell"}, "kind 'smell' is not one of"),
        (IMAGES, {"config": load_codec("rgb-f8c12").config, "levels": 3}, "those of the config: give either"),
        (iter(IMAGES), {}, "not an iterator"),
        (None, {}, "NoneType is no list of signals"),
        ([IMAGES[0].astype(np.complex64)], {}, "of real numbers, not complex64"),
    ],
)
def test_what_cannot_be_fitted(signals, options, message):
    with pytest.raises(CodecError, match=message):
        fit(signals, channels=12, **options)


def test_too_many_packets_for_the_memory_is_one_sentence(monkeypatch):
    def refuse(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 309237645312 bytes.")

    monkeypatch.setattr(sys.modules["walloc_data.codec.fit"], "principal_components", refuse)
    with pytest.raises(
        CodecError, match="levels=3 make 192 channels of packets, too many to fit in the memory there is"
    ):
        fit(IMAGES, channels=12)
