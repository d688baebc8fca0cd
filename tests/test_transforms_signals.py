"""Sound and video reversed, mirrored and cut: latents do what signals do, to the last integer."""

import numpy as np
import pytest
import torch

from tests.sounds import sound
from walloc_data import Codec, CodecConfig, fit
from walloc_data.transforms import CenterCrop, RandomCrop, RandomFlip, flip


def clip(frames: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    """Smooth moving colours, float32 `[1, 3, frames, height, width]` in [0, 1]."""
    rng = np.random.default_rng(seed)
    time, rows, columns = np.meshgrid(*map(np.arange, (frames, height, width)), indexing="ij")
    waves = [np.sin(a * time + b * rows + c * columns + d) for a, b, c, d in rng.uniform(0.1, 0.7, (3, 4))]
    return torch.from_numpy(0.5 + 0.4 * np.stack(waves) + 0.02 * rng.normal(size=(3, *time.shape))).float()[None]


def fitted(kind: str, signals: list[torch.Tensor], levels: int | tuple[int, ...], channels: int) -> Codec:
    config = CodecConfig(
        name=kind,
        kind=kind,
        signal_channels=signals[0].shape[1],
        dims=signals[0].dim() - 2,
        levels=levels,
        wavelet="10/18",
    )
    return fit([x.clamp(-1 if kind == "audio" else 0, 1) for x in signals], config, channels=channels)


@pytest.fixture(scope="module")
def stereo() -> Codec:
    return fitted("audio", [torch.from_numpy(sound(0.5, 8000, 2, seed))[None] for seed in range(3)], 4, 16)


@pytest.fixture(scope="module", params=[2, (1, 2, 2), (0, 3, 3)], ids=str)
def video(request: pytest.FixtureRequest) -> Codec:
    return fitted("video", [clip(16, 32, 32, seed) for seed in range(3)], request.param, 24)


@pytest.mark.parametrize("samples", [4096, 4000, 3998])  # whole, and padded by even numbers
def test_sound_played_backwards(stereo, samples):
    x = torch.from_numpy(sound(0.6, 8000, 2, seed=9))[None, :, :samples].double()
    z = stereo.encode(x)
    assert torch.equal(stereo.encode(x.flip(-1)), flip(z, stereo))
    assert torch.equal(stereo.encode(x.flip(-1)), RandomFlip(stereo, p=1)(z))
    whole = (x * 30000).round().to(torch.int16)
    differing = (stereo.encode(whole.flip(-1)).int() - flip(stereo.encode(whole), stereo).int()).abs()
    assert differing.max() <= 1  # of integers in float32, ties alone may fall otherwise
    assert differing.count_nonzero() <= 1 + differing.numel() // 10_000
    torch.testing.assert_close(
        stereo.decode(flip(z, stereo), (samples,)), stereo.decode(z, (samples,)).flip(-1), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("size", [(16, 32, 40), (12, 30, 38)], ids=str)
def test_video_mirrored_and_played_backwards(video, size):
    x = clip(*size, seed=9).double().clamp(0, 1)
    z = video.encode(x)
    for axis, name in enumerate(("time", "height", "width")):
        expected = video.encode(x.flip(2 + axis))
        assert torch.equal(flip(z, video, axis), expected), name
        assert torch.equal(RandomFlip(video, axis=axis, p=1)(z[0]), expected[0]), name
        decoded = video.decode(expected, size)
        torch.testing.assert_close(decoded, video.decode(z, size).flip(2 + axis), atol=1e-5, rtol=0)
    turned = flip(flip(z, video, 1), video, 2)
    assert torch.equal(video.encode(x.flip(3, 4)), turned)


def test_crops_in_time_are_slices_of_latents(stereo):
    z = stereo.encode(torch.from_numpy(sound(0.5, 8000, 2, seed=5))[None])
    torch.manual_seed(0)
    windows = [RandomCrop(stereo, 246)(z) for _ in range(60)]
    found = {place for window in windows for place in range(5) if torch.equal(window, z[..., place : place + 246])}
    assert found == set(range(z.shape[2] - 245)) == set(range(5))
    assert torch.equal(CenterCrop(stereo, 10)(z), z[..., 120:130])


def test_crops_of_video_reach_every_place_of_every_dimension(video):
    z = video.encode(clip(16, 32, 40, seed=5))
    space, size = z.shape[2:], tuple(n - 1 for n in z.shape[2:])
    torch.manual_seed(0)
    found = set()
    for _ in range(80):
        window = RandomCrop(video, size)(z)[0]
        [place] = [
            (t, row, column)
            for t in (0, 1)
            for row in (0, 1)
            for column in (0, 1)
            if torch.equal(window, z[0, :, t : t + size[0], row : row + size[1], column : column + size[2]])
        ]
        found.add(place)
    assert len(found) == 8
    assert CenterCrop(video, (1, 2, 3))(z).shape[2:] == (1, 2, 3)
    assert torch.equal(RandomCrop(video, space)(z), z)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_crop_and_a_flip_may_be_taken_in_either_order(video, axis):
    z = video.encode(clip(16, 32, 40, seed=6))
    crop = CenterCrop(video, tuple(n - 2 for n in z.shape[2:]))
    assert torch.equal(crop(flip(z, video, axis)), flip(crop(z), video, axis))


def test_recordings_of_several_lengths_are_a_list_to_flips_and_a_batch_to_crops(stereo):
    several = [stereo.encode(torch.from_numpy(sound(s, 8000, 2))[None])[0] for s in (0.2, 0.3, 0.25)]
    assert [z.shape for z in RandomFlip(stereo)(several)] == [z.shape for z in several]
    assert RandomCrop(stereo, 90)(several).shape == (3, 16, 90)
