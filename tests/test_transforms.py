"""Augmentations of latents: for a sample or a batch, random ones reproducible, misuse refused."""

import pickle
from itertools import product

import pytest
import torch

from tests.synthetic import photograph
from walloc_data.codec import Codec, CodecConfig, fit
from walloc_data.errors import CodecError
from walloc_data.transforms import CenterCrop, RandomCrop, RandomFlip, flip
from walloc_data.zoo import load_codec


def codec_of(dims: int, wavelet: str = "10/18") -> Codec:
    config = CodecConfig(name=wavelet, kind="image", signal_channels=1, dims=dims, levels=1, wavelet=wavelet)
    x = photograph("coffee.png", "L")[None, :, :64, :64].reshape(1, 1, *{1: [4096], 2: [64, 64], 3: [16, 16, 16]}[dims])
    return fit([x], config, channels=2**dims)


def latents(codec: Codec, *shape: int) -> torch.Tensor:
    space = shape or (6, 5, 4)[: codec.config.dims]
    generator = torch.Generator().manual_seed(7)
    return torch.randint(-127, 128, (8, codec.channels, *space), dtype=torch.int8, generator=generator)


@pytest.fixture(params=[1, 2, 3], scope="module")
def codec(request: pytest.FixtureRequest) -> Codec:
    return codec_of(request.param)


def test_flip_twice_is_nothing_and_once_is_something(codec: Codec) -> None:
    z = latents(codec)
    for axis in range(-codec.config.dims, codec.config.dims):
        once = flip(z, codec, axis)
        assert not torch.equal(once, z)
        assert torch.equal(flip(once, codec, axis), z)
        assert torch.equal(once, flip(z, codec, axis % codec.config.dims))


def test_flip_reverses_places_and_negates_odd_channels(codec: Codec) -> None:
    z = latents(codec)
    for axis in range(codec.config.dims):
        for channel, odd in enumerate(codec.parity[:, axis].tolist()):
            expected = z[:, channel].flip(1 + axis) * (-1 if odd else 1)
            assert torch.equal(flip(z, codec, axis)[:, channel], expected)


def test_axes_commute(codec: Codec) -> None:
    z = latents(codec)
    for first, second in product(range(codec.config.dims), repeat=2):
        assert torch.equal(flip(flip(z, codec, first), codec, second), flip(flip(z, codec, second), codec, first))


def test_a_batch_is_its_samples(codec: Codec) -> None:
    z = latents(codec)
    for axis in range(codec.config.dims):
        assert torch.equal(flip(z, codec, axis), torch.stack([flip(sample, codec, axis) for sample in z]))
    crop = CenterCrop(codec, 3)
    assert torch.equal(crop(z), torch.stack([crop(sample) for sample in z]))


def test_integers_and_dequantised_latents_flip_alike(codec: Codec) -> None:
    z = latents(codec)
    assert flip(z, codec).dtype == torch.int8
    assert torch.equal(flip(codec.dequantize(z), codec), codec.dequantize(flip(z, codec)))
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        flipped = flip(z.to(dtype), codec)
        assert flipped.dtype == dtype
        assert torch.equal(flipped, flip(z, codec).to(dtype))


def test_gradients_pass_a_flip(codec: Codec) -> None:
    z = latents(codec).float().requires_grad_()
    flip(z, codec).square().sum().backward()
    assert torch.equal(z.grad, 2 * z.detach())


@pytest.mark.parametrize("p", [0, 1])
def test_random_flip_of_a_sure_thing(codec: Codec, p: float) -> None:
    z = latents(codec)
    for axis in range(codec.config.dims):
        expected = flip(z, codec, axis) if p else z
        transform = RandomFlip(codec, axis=axis, p=p)
        assert torch.equal(transform(z), expected)
        assert torch.equal(transform(z[0]), expected[0])


def test_random_flip_draws_for_every_sample(codec: Codec) -> None:
    torch.manual_seed(0)
    z = latents(codec).repeat(50, *[1] * (1 + codec.config.dims))
    mixed, flipped = RandomFlip(codec)(z), flip(z, codec)
    same = [torch.equal(a, b) for a, b in zip(mixed, z, strict=True)]
    turned = [torch.equal(a, b) for a, b in zip(mixed, flipped, strict=True)]
    assert all(a != b for a, b in zip(same, turned, strict=True))
    assert 140 < sum(turned) < 260
    alone = sum(torch.equal(RandomFlip(codec, p=0.25)(z[0]), flipped[0]) for _ in range(200))
    assert 25 < alone < 80


def test_draws_follow_torchs_seed(codec: Codec) -> None:
    z = latents(codec)
    for transform in (RandomFlip(codec), RandomCrop(codec, 2)):
        results = []
        for seed in (3, 3, 4):
            torch.manual_seed(seed)
            results.append(torch.cat([transform(z) for _ in range(4)]))
        assert torch.equal(results[0], results[1])
        assert not torch.equal(results[0], results[2])


def test_random_crop_reaches_every_window_and_no_other() -> None:
    codec = codec_of(2)
    rows, columns = torch.meshgrid(torch.arange(4), torch.arange(5), indexing="ij")
    z = torch.stack([rows, columns, rows, columns]).to(torch.int8)
    torch.manual_seed(0)
    corners = set()
    for window in RandomCrop(codec, (3, 2))(z.repeat(300, 1, 1, 1)):
        row, column = window[:2, 0, 0].tolist()
        corners.add((row, column))
        assert torch.equal(window, z[:, row : row + 3, column : column + 2])
    assert corners == set(product(range(2), range(4)))


def test_center_crop_takes_the_middle() -> None:
    codec = codec_of(2)
    z = latents(codec, 7, 6)
    assert torch.equal(CenterCrop(codec, (3, 2))(z), z[:, :, 2:5, 2:4])
    assert torch.equal(CenterCrop(codec, [3, 2])(z[0]), z[0, :, 2:5, 2:4])


def test_a_crop_of_the_whole_is_the_whole(codec: Codec) -> None:
    z = latents(codec)
    size = tuple(z.shape[2:])
    assert torch.equal(CenterCrop(codec, size)(z), z)
    assert torch.equal(RandomCrop(codec, size)(z), z)


def test_an_empty_batch_keeps_its_shape(codec: Codec) -> None:
    z = latents(codec)[:0]
    assert flip(z, codec).shape == RandomFlip(codec)(z).shape == z.shape
    for crop in (CenterCrop(codec, 3), RandomCrop(codec, 3)):
        assert crop(z).shape == (0, codec.channels, *[3] * codec.config.dims)


@pytest.mark.parametrize("axis", [2, -3, 7])
def test_axes_that_are_not_there(axis: int) -> None:
    codec = codec_of(2)
    with pytest.raises(CodecError, match="not one of the 2 space axes"):
        flip(latents(codec), codec, axis)
    with pytest.raises(CodecError, match="not one of the 2 space axes"):
        RandomFlip(codec, axis=axis)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (0, "below 1"),
        (-1, "below 1"),
        ((3,), "2 numbers of latent positions"),
        ((3, 3, 3), "2 numbers of latent positions"),
        ((3, 0), "below 1"),
        ((2.5, 2), "not a whole number"),
        ((), "2 numbers of latent positions"),
    ],
    ids=str,
)
def test_sizes_that_are_none(size: object, message: str) -> None:
    for crop in (CenterCrop, RandomCrop):
        with pytest.raises(CodecError, match=message):
            crop(codec_of(2), size)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_probabilities_that_are_none(p: float) -> None:
    with pytest.raises(CodecError, match="no probability"):
        RandomFlip(codec_of(2), p=p)


def test_latents_smaller_than_the_crop() -> None:
    codec = codec_of(2)
    for crop in (CenterCrop(codec, (3, 6)), RandomCrop(codec, (3, 6))):
        for z in (latents(codec, 4, 5), latents(codec, 4, 5)[0], latents(codec, 4, 5)[:0]):
            with pytest.raises(CodecError, match=r"latents of \[4, 5\] positions are smaller than the crop \[3, 6\]"):
                crop(z)


@pytest.mark.parametrize("shape", [(4,), (6, 5), (5, 6, 5), (2, 5, 6, 5), (1, 2, 4, 6, 5), (4, 4, 4)])
def test_shapes_that_are_no_latents(shape: tuple[int, ...]) -> None:
    codec = codec_of(2)
    z = torch.zeros(shape, dtype=torch.int8)
    if shape == (4, 4, 4):
        z = z[:3]
    for transform in (RandomFlip(codec), CenterCrop(codec, 1), RandomCrop(codec, 1), lambda z: flip(z, codec)):
        with pytest.raises(CodecError, match=r"has latents \[4, 2 space dims\] or a batch"):
            transform(z)


def test_a_wavelet_without_parity_is_refused_saying_why() -> None:
    codec = codec_of(2, "bior4.4")
    for make in (lambda: flip(latents(codec), codec), lambda: RandomFlip(codec)):
        with pytest.raises(CodecError, match=r"'bior4\.4', whose packets of a reversed signal .* cannot be flipped"):
            make()
    assert CenterCrop(codec, 2)(latents(codec)).shape == (8, 4, 2, 2)


def test_pickles() -> None:
    codec = load_codec("rgb-f8c12")
    z = latents(codec, 9, 9)
    for transform in (RandomFlip(codec, axis=0), CenterCrop(codec, 4), RandomCrop(codec, (4, 5))):
        copy = pickle.loads(pickle.dumps(transform))
        assert repr(copy) == repr(transform)
        torch.manual_seed(1)
        first = transform(z)
        torch.manual_seed(1)
        assert torch.equal(copy(z), first)
