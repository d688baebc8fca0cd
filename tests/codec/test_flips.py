"""Flips of latents are what encoding the flipped photograph gives."""

import pytest
import torch

from tests.synthetic import IMAGE_CODECS, NAMES, photograph
from walloc_data.codec import LATENT_MAX
from walloc_data.transforms import flip
from walloc_data.zoo import load_codec

# Of even sizes only: one of a multiple of 16, one that is padded, one whose tiles are many and end unevenly.
WINDOWS = [(256, 320), (250, 300), (398, 426)]


def windows(name: str) -> list[torch.Tensor]:
    mode = "L" if name.startswith("gray") else "RGB"
    pictures = (photograph(picture, mode)[None] for picture in NAMES)
    return [x[:, :, 1 : 1 + h, 2 : 2 + w] for x in pictures for h, w in WINDOWS if x.shape[2] > h and x.shape[3] > w]


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", IMAGE_CODECS)
def test_every_integer_is_equal_in_float64(name: str, axis: int) -> None:
    codec = load_codec(name)
    for x in windows(name)[::2]:
        signal = x.double() / 255
        assert torch.equal(codec.encode(signal.flip(2 + axis)), flip(codec.encode(signal), codec, axis))


@pytest.mark.parametrize("name", IMAGE_CODECS)
def test_hardly_any_differ_in_float32_and_by_one(name: str) -> None:
    codec, differing, count = load_codec(name), 0, 0
    for x in windows(name):
        z = codec.encode(x)
        for axis in (0, 1):
            difference = codec.encode(x.flip(2 + axis)).int() - flip(z, codec, axis).int()
            assert difference.abs().max() <= 1
            differing += int(difference.count_nonzero())
            count += difference.numel()
    assert count > 50_000
    assert differing <= count / 100_000


@pytest.mark.parametrize("name", IMAGE_CODECS)
def test_both_axes_together_are_half_a_turn(name: str) -> None:
    codec = load_codec(name)
    signal = windows(name)[0].double() / 255
    assert torch.equal(codec.encode(signal.flip(2, 3)), flip(flip(codec.encode(signal), codec, 0), codec, 1))


@pytest.mark.parametrize("size", [(249, 301), (17, 5), (1, 1)])
@pytest.mark.parametrize("name", IMAGE_CODECS)
def test_of_an_odd_size_it_is_the_padded_image_that_is_flipped(name: str, size: tuple[int, int]) -> None:
    codec = load_codec(name)
    signal = windows(name)[0][:, :, : size[0], : size[1]].double() / 255
    even = [n + n % 2 for n in size]
    # One sample more on the side where an odd padding has it makes the image symmetric about what is encoded.
    rows, columns = ([*range(n), n - 1][:m] for n, m in zip(size, even, strict=True))
    padded = signal[:, :, rows][:, :, :, columns]
    if all(-n % codec.factor for n in size):
        assert torch.equal(codec.encode(padded.flip(3)), flip(codec.encode(padded), codec, -1))
    assert codec.encode(signal).shape == codec.encode(padded).shape


def test_flips_of_pixels_and_of_latents_decode_alike() -> None:
    codec = load_codec("rgb-f8c48")
    z = codec.encode(windows("rgb-f8c48")[0])
    torch.testing.assert_close(codec.decode(flip(z, codec)), codec.decode(z).flip(3), atol=1e-5, rtol=0)
    assert z.min() >= -LATENT_MAX
