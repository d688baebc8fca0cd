"""Arrays in units of their own: what is fitted to each band, and how values come back."""

import dataclasses
import pickle

import numpy as np
import pytest
import torch

from walloc_data import Codec, CodecConfig, fit, load_codec, save_codec
from walloc_data.codec import psnr
from walloc_data.errors import CodecError

UNITS = torch.tensor([1.0, 100.0, 0.01])
OFFSETS = torch.tensor([0.0, 30000.0, -2.0])


def cubes(count: int = 6, dims: int = 2, seed: int = 0) -> list[torch.Tensor]:
    """Smooth signals of three bands in units of their own, float32 `[3, *space]`."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        x = rng.normal(size=(3, *[32] * dims))
        for axis in range(1, dims + 1):
            x = np.cumsum(x, axis) / 4
        of_bands = (-1, *[1] * dims)
        found.append(torch.from_numpy(x).float() * UNITS.reshape(of_bands) + OFFSETS.reshape(of_bands))
    return found


@pytest.fixture(scope="module")
def codec() -> Codec:
    return fit(cubes(), kind="array", channels=12, levels=2)


def test_what_is_fitted_to_each_band(codec):
    values = torch.stack(cubes()).double().transpose(0, 1).flatten(1)
    config = codec.config
    assert (config.kind, config.dims, config.signal_channels, config.dtype) == ("array", 2, 3, "float32")
    torch.testing.assert_close(torch.tensor(config.offsets).double(), values.mean(1), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(torch.tensor(config.scales).double(), values.std(1, correction=0), rtol=1e-6, atol=0)
    spans = values.amax(1) - values.amin(1)
    torch.testing.assert_close(torch.tensor(config.peaks).double(), spans, rtol=1e-6, atol=0)


def test_values_come_back_in_their_own_units(codec):
    [x] = cubes(1, seed=1)
    back = codec.decode(codec.encode(x[None]), x.shape[1:])[0]
    assert (back.dtype, back.shape) == (torch.float32, x.shape)
    errors = (back - x).square().mean((1, 2)).sqrt() / UNITS
    assert errors.max() < 2 * errors.min()  # each band counts by its own spread
    assert psnr(back, x, "array", peaks=codec.config.peaks) > 25
    peaks = torch.tensor(codec.config.peaks).reshape(-1, 1, 1)
    assert psnr(x + peaks / 10, x, "array", peaks=codec.config.peaks) == pytest.approx(20, abs=0.01)


def test_latents_do_not_depend_on_the_units(codec):
    stretch = torch.tensor([3.0, 0.5, 1000.0]).reshape(3, 1, 1)
    other = fit([x * stretch for x in cubes()], kind="array", channels=12, levels=2)
    one, two = (c.encode(s[None]).float() for c, s in ((codec, cubes(1)[0]), (other, cubes(1)[0] * stretch)))
    assert (one - two).abs().max() <= 1
    assert other.fingerprint != codec.fingerprint  # which values they stand for does


def test_a_common_scale_counts_all_in_the_units_of_the_data(codec):
    common = fit(cubes(), kind="array", channels=12, levels=2, common_scale=True)
    assert len(set(common.config.scales)) == 1
    assert common.config.offsets == codec.config.offsets
    [x] = cubes(1, seed=1)
    strong = [(c.decode(c.encode(x[None]))[0] - x)[1].square().mean().item() for c in (common, codec)]
    assert strong[0] < strong[1]
    with pytest.raises(CodecError, match="a common scale is for arrays"):
        fit([x[:, :16].clip(0, 1)], kind="image", channels=4, levels=2, common_scale=True)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.uint16])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_whole_numbers_of_every_dimension(dtype, dims):
    low, high = torch.iinfo(dtype).min, torch.iinfo(dtype).max
    signals = []
    for x in cubes(3, dims):
        x = (x - OFFSETS.reshape(-1, *[1] * dims)) / UNITS.reshape(-1, *[1] * dims)
        signals.append((x * (high - low) / 8 + (high + low) / 2).clip(low, high).to(dtype))
    codec = fit(signals, kind="array", channels=3 * 4**dims // 2, levels=2)
    assert codec.config.dtype == str(dtype).removeprefix("torch.")
    x = torch.stack(signals)
    back = codec.decode(codec.encode(x))
    assert torch.equal(codec.encode(x), codec.encode(x.float()))
    assert low <= back.min()
    assert back.max() <= high
    assert psnr(back[0], x[0].float(), "array", peaks=codec.config.peaks) > 25
    with pytest.raises(CodecError, match=f"takes numbers in \\[{low}, {high:g}\\], and these span"):
        codec.encode(x.float() - high - 1)


def test_files_keep_them(codec, tmp_path):
    save_codec(codec, tmp_path / "mine.safetensors")
    loaded = load_codec(tmp_path / "mine.safetensors")
    assert loaded.config == codec.config
    assert loaded.fingerprint == codec.fingerprint == pickle.loads(pickle.dumps(codec)).fingerprint
    assert loaded.prefix(4).config.scales == codec.coarser(2).config.scales == codec.config.scales


def test_a_constant_band_and_constant_data():
    signals = [torch.cat([x[:2], torch.full((1, 32, 32), 7.0)]) for x in cubes()]
    codec = fit(signals, kind="array", channels=8, levels=2)
    assert (codec.config.scales[2], codec.config.peaks[2], codec.config.offsets[2]) == (1, 1, 7)
    back = codec.decode(codec.encode(signals[0][None]))
    assert (back[0, 2] - 7).abs().max() < 0.05
    with pytest.raises(CodecError, match="constant"):
        fit([torch.full((2, 8, 8), 3.0)], kind="array", channels=2, levels=2)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_refused(codec, value):
    x = cubes(1)[0]
    x[1, 3, 4] = value
    span = "hold NaN" if value != value else "span"
    with pytest.raises(CodecError, match=f"takes numbers in .*, and these {span}"):
        codec.encode(x[None])


@pytest.mark.parametrize(
    "change",
    [
        {"offsets": (0.0,)},
        {"scales": (1.0, 2.0)},
        {"scales": (1.0, 0.0, 1.0)},
        {"scales": (1.0, float("nan"), 1.0)},
        {"scales": "abc"},
        {"scales": 3},
        {"peaks": (1.0, -1.0, 1.0)},
        {"dtype": "complex64"},
        {"kind": "image"},
    ],
)
def test_units_that_no_codec_can_have(codec, change):
    settings = {name: getattr(codec.config, name) for name in codec.config.__dataclass_fields__}
    with pytest.raises(CodecError):
        CodecConfig(**(settings | change))


def test_the_fingerprint_is_of_offsets_and_scales_and_stays():
    units = {"offsets": (1.5, -2.0), "scales": (2.0, 0.25), "peaks": (8.0, 1.0), "dtype": "int16"}
    config = CodecConfig(name="a", kind="array", signal_channels=2, dims=1, levels=1, wavelet="haar", **units)
    rows = torch.arange(4, dtype=torch.float32).reshape(2, 2) / 4 + 0.5
    parts = {
        "odd": torch.tensor([[False], [True]]),
        "encoder": rows,
        "decoder": rows,
        "steps": torch.tensor([0.5, 0.5]),
    }

    def fingerprint(**changes: object) -> str:
        return Codec(dataclasses.replace(config, **changes), mean=torch.zeros(2), scale=1.0, **parts).fingerprint

    assert fingerprint() == "000c4fd1e8056d85"
    assert fingerprint(peaks=(1.0, 1.0), dtype=None, name="b") == fingerprint()
    assert len({fingerprint(), fingerprint(offsets=(1.5, 2.0)), fingerprint(scales=(2.0, 0.5))}) == 3
