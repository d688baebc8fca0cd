"""Signals to latents and back: sizes, dtypes, ranges, files, fingerprints, and what is refused."""

import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.synthetic import IMAGE_CODECS, NAMES, dense_rows, photograph
from walloc_data.codec import LATENT_MAX, Codec, CodecConfig, fit, psnr
from walloc_data.codec.exact import exact
from walloc_data.codec.packets import analyze
from walloc_data.codec.padding import crop, pad
from walloc_data.errors import CodecError
from walloc_data.zoo import load_codec, save_codec


def batch(*size: int) -> torch.Tensor:
    return torch.stack([photograph(name)[:, 20 : 20 + size[0], 30 : 30 + size[1]] for name in NAMES[:2]])


def parts(codec: Codec) -> dict[str, object]:
    names = ("mean", "odd", "encoder", "decoder", "steps", "scale")
    return {name: getattr(codec, name) for name in names}


@pytest.fixture(scope="module")
def audio() -> Codec:
    waves = torch.sin(torch.arange(4096) / torch.tensor([[7.0], [11.0]])).reshape(1, 2, -1) * 0.7
    config = CodecConfig(name="waves", kind="audio", signal_channels=2, dims=1, levels=4, wavelet="db4")
    return fit([waves], config, channels=32)


def test_latents_are_the_definition() -> None:
    codec = load_codec("rgb-f8c12")
    x = batch(64, 48)
    packets = analyze(x.double() / 255 - codec.mean.double().reshape(1, 3, 1, 1), wavelet="10/18", levels=3)
    rows = dense_rows(codec)
    latents = torch.einsum("cs,bshw->bchw", rows, packets) / codec.steps.double().reshape(1, -1, 1, 1)
    assert torch.equal(codec.encode(x.double() / 255), latents.round().to(torch.int8))


def test_bytes_and_floats_of_the_same_signal_agree() -> None:
    codec, x = load_codec("rgb-f8c12"), batch(64, 48)
    z = codec.encode(x)
    assert (z.dtype, z.shape) == (torch.int8, (2, 12, 8, 6))
    assert torch.equal(codec.encode(x / 255), z)
    difference = (codec.encode(x.double() / 255).int() - z.int()).abs()
    assert difference.max() <= 1
    assert difference.float().mean() < 1e-3


def test_a_sample_has_the_same_latents_alone() -> None:
    codec, x = load_codec("rgb-f8c48"), batch(64, 48).double() / 255
    assert torch.equal(codec.encode(x)[1:], codec.encode(x[1:]))


@pytest.mark.parametrize("name", ["rgb-f8c12", "rgb-f16c192"])
@settings(max_examples=25)
@given(height=st.integers(1, 70), width=st.integers(1, 70))
def test_every_size_goes_both_ways(name: str, height: int, width: int) -> None:
    codec, x = load_codec(name), batch(height, width)
    z = codec.encode(x)
    assert z.shape[1:] == codec.latent_shape((height, width))
    assert z.min() >= -LATENT_MAX
    decoded = codec.decode(z, size=(height, width))
    assert decoded.shape == x.shape
    assert decoded.dtype == torch.float32
    assert decoded.min() >= 0
    assert decoded.max() <= 1
    assert psnr(decoded, x / 255) > 15
    assert codec.decode(z).shape[2:] == tuple(codec.factor * n for n in z.shape[2:])


@given(size=st.integers(1, 100), factor=st.sampled_from([2, 8, 16, 64]))
def test_padding_is_symmetric_and_cropping_undoes_it(size: int, factor: int) -> None:
    x = torch.arange(size).reshape(1, 1, size)
    padded = pad(x, factor)
    total = padded.shape[2]
    assert total % factor == 0
    assert total - size < factor
    assert torch.equal(crop(padded, (size,), factor), x)
    before = (total - size) // 2
    there_and_back = [*range(size), *reversed(range(size))]
    expected = [there_and_back[place % (2 * size)] for place in range(-before, total - before)]
    assert padded[0, 0].tolist() == expected
    if (total - size) % 2 == 0:
        assert torch.equal(pad(x.flip(2), factor), padded.flip(2))


@pytest.mark.parametrize("size", [(65, 64), (56, 64), (64,), (64, 64, 64), (0, 64), (-64, 64)])
def test_a_size_that_was_not_padded_to_the_latents_is_refused(size: tuple[int, ...]) -> None:
    codec = load_codec("rgb-f8c12")
    with pytest.raises(CodecError, match="pads to"):
        codec.decode(codec.encode(batch(64, 64)), size=size)


def test_an_empty_batch_goes_both_ways() -> None:
    codec = load_codec("rgb-f8c12")
    z = codec.encode(batch(60, 64)[:0])
    assert (z.dtype, z.shape) == (torch.int8, (0, 12, 8, 8))
    assert codec.dequantize(z).shape == z.shape
    assert codec.decode(z, size=(60, 64)).shape == (0, 3, 60, 64)
    with pytest.raises(CodecError, match="takes signals"):
        codec.encode(torch.zeros(0, 1, 8, 8))


@pytest.mark.parametrize(
    "z",
    [
        torch.zeros(1, 11, 4, 4, dtype=torch.int8),
        torch.zeros(12, dtype=torch.int8),
        torch.zeros(1, 12, 4, 4, dtype=torch.uint8),
        torch.zeros(1, 4, 4, 12, dtype=torch.int8),
    ],
)
def test_other_latents_are_refused(z: torch.Tensor) -> None:
    codec = load_codec("rgb-f8c12")
    for read in (codec.decode, codec.dequantize):
        with pytest.raises(CodecError, match=r"int8 (or float )?\[\.\.\., 12, 2 space dims\]"):
            read(z)


def test_decoding_takes_batches_only() -> None:
    with pytest.raises(CodecError, match="takes a batch"):
        load_codec("rgb-f8c12").decode(torch.zeros(12, 4, 4, dtype=torch.int8))


def test_a_coarser_codec_has_fewer_values_and_the_same_proportions(tmp_path: Path) -> None:
    codec, x = load_codec("rgb-f8c48"), batch(96, 80)
    coarse = codec.coarser(4)
    assert coarse.fingerprint != codec.fingerprint
    assert coarse.encode(x).abs().max() < codec.encode(x).abs().max() / 3
    error = (coarse.dequantize(coarse.encode(x)) - codec.dequantize(codec.encode(x))).abs()
    assert bool((error <= (codec.steps * codec.scale * 2.501)[:, None, None]).all())
    save_codec(coarse, tmp_path / "coarse.safetensors")
    assert load_codec(tmp_path / "coarse.safetensors").fingerprint == coarse.fingerprint
    assert codec.coarser(1) is codec


@pytest.mark.parametrize("times", [0.5, 0, -2, float("inf"), float("nan")])
def test_steps_cannot_be_made_finer(times: float) -> None:
    with pytest.raises(CodecError, match="from 1 on"):
        load_codec("rgb-f8c12").coarser(times)


@pytest.mark.parametrize("name", IMAGE_CODECS)
def test_dequantised_latents_have_unit_variance_over_all_channels(name: str) -> None:
    codec = load_codec(name)
    mode = "L" if name.startswith("gray") else "RGB"
    values = torch.cat([codec.dequantize(codec.encode(photograph(n, mode)[None])).flatten() for n in NAMES])
    assert 0.5 < values.square().mean() < 2
    assert values.dtype == torch.float32


def test_dequantising_keeps_the_proportions_of_the_signal() -> None:
    codec = load_codec("rgb-f8c12")
    z = codec.encode(batch(64, 64))
    floats = codec.dequantize(z)
    assert torch.equal(floats[0], codec.dequantize(z[0]))
    torch.testing.assert_close(floats / codec.scale, z * codec.steps.reshape(-1, 1, 1))


def test_audio_of_sixteen_bits(audio: Codec) -> None:
    x = (torch.sin(torch.arange(999) / torch.tensor([[7.0], [11.0]]))[None] * 20000).to(torch.int16)
    z = audio.encode(x)
    assert z.shape == (1, 32, 63)
    assert torch.equal(z, audio.encode(x / 32768))
    decoded = audio.decode(z, size=(999,))
    assert decoded.min() < -0.5
    assert (decoded - x / 32768).abs().mean() < 0.02
    with pytest.raises(CodecError, match="cannot be flipped"):
        _ = audio.parity


def test_autocast_and_gradients_leave_latents_alone() -> None:
    codec = pickle.loads(pickle.dumps(load_codec("rgb-f8c12")))
    x = batch(64, 64).float() / 255
    z = codec.encode(x)
    pixels = codec.decode(z)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(codec.encode(x), z)
        assert torch.equal(codec.decode(z), pixels)
    fresh = pickle.loads(pickle.dumps(codec))
    with torch.inference_mode():
        assert torch.equal(fresh.encode(x), z)
    assert torch.equal(fresh.encode(x.requires_grad_()), z)
    assert not codec.decode(z).requires_grad


def test_a_gpu_convolves_in_whole_floats() -> None:
    allowed = torch.backends.cudnn.allow_tf32
    with exact(torch.device("cuda")):
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == allowed


def test_a_large_batch_is_decoded_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = load_codec("rgb-f8c12")
    z = codec.encode(torch.cat([batch(24, 40)] * 3))
    with torch.no_grad():
        whole, floats = codec.decode(z, size=(23, 37)), codec.dequantize(z).requires_grad_()
        monkeypatch.setattr("walloc_data.codec.codec._CHUNK", 2 * 3 * 24 * 40)
        assert torch.equal(codec.decode(z, size=(23, 37)), whole)
        torch.testing.assert_close(codec.decode(floats, size=(23, 37)), whole, atol=1e-5, rtol=0)
    assert codec.decode(floats).requires_grad


def test_the_signal_is_left_as_it_was() -> None:
    codec, x = load_codec("rgb-f8c12"), torch.rand(1, 3, 64, 64, dtype=torch.float64)
    before = x.clone()
    z = codec.encode(x)
    latents = z.clone()
    codec.decode(z)
    codec.dequantize(z)
    assert torch.equal(x, before)
    assert torch.equal(z, latents)


def test_files_round_trip_with_the_same_bytes(tmp_path: Path, audio: Codec) -> None:
    for codec in (load_codec("rgb-f8c48"), audio):
        save_codec(codec, tmp_path / "1.safetensors")
        loaded = load_codec(tmp_path / "1.safetensors")
        save_codec(loaded, tmp_path / "2.safetensors")
        assert (tmp_path / "1.safetensors").read_bytes() == (tmp_path / "2.safetensors").read_bytes()
        assert loaded.config == codec.config
        assert loaded.fingerprint == codec.fingerprint
        assert loaded.scale == codec.scale
        for name, tensor in codec.state()[0].items():
            assert torch.equal(loaded.state()[0][name], tensor)


def test_pickles(audio: Codec) -> None:
    x = torch.rand(1, 2, 100) - 0.5
    z = audio.encode(x)
    copy = pickle.loads(pickle.dumps(audio))
    assert copy.fingerprint == audio.fingerprint
    assert torch.equal(copy.encode(x), z)
    assert torch.equal(copy.decode(z), audio.decode(z))
    assert repr(copy) == f"Codec('waves', fingerprint={audio.fingerprint})"


def test_the_fingerprint_is_that_of_what_makes_latents() -> None:
    codec = load_codec("rgb-f8c12")
    settings_ = {name: getattr(codec.config, name) for name in codec.config.__dataclass_fields__}
    assert len(codec.fingerprint) == 16
    assert int(codec.fingerprint, 16) >= 0

    def changed(config: CodecConfig = codec.config, **change: object) -> str:
        return Codec(config, **(parts(codec) | change)).fingerprint

    assert changed() == codec.fingerprint
    assert changed(decoder=codec.decoder * 2) == codec.fingerprint
    assert changed(scale=7.0) == codec.fingerprint
    assert changed(CodecConfig(**(settings_ | {"name": "other"}))) == codec.fingerprint
    others = [
        changed(steps=codec.steps * 2),
        changed(encoder=codec.encoder * 1.0001),
        changed(mean=codec.mean + 1e-3),
        changed(odd=~codec.odd),
        changed(CodecConfig(**(settings_ | {"wavelet": "rbio1.3"}))),
    ]
    assert len({codec.fingerprint, *others}) == 1 + len(others)


@pytest.mark.parametrize(
    "change",
    [
        {"mean": torch.zeros(4)},
        {"odd": torch.zeros(12, 3, dtype=torch.bool)},
        {"encoder": torch.zeros(12, 192)},
        {"decoder": torch.zeros(11, 48)},
        {"steps": torch.ones(11)},
        {"steps": torch.ones(12, 1)},
        {"steps": torch.tensor(1.0)},
        {"steps": torch.zeros(12)},
        {"steps": torch.full((12,), float("inf"))},
        {"encoder": torch.full((12, 48), float("nan"))},
        {"decoder": torch.full((12, 48), float("inf"))},
        {"mean": torch.full((3,), float("nan"))},
        {"scale": 0.0},
        {"scale": float("nan")},
        {"scale": -1.0},
    ],
)
def test_parts_that_do_not_fit_are_refused(change: dict[str, object]) -> None:
    codec = load_codec("rgb-f8c12")
    with pytest.raises(CodecError, match="rgb-f8c12"):
        Codec(codec.config, **(parts(codec) | change))


def test_one_matrix_may_serve_both_ways(tmp_path: Path) -> None:
    codec = load_codec("rgb-f8c12")
    matrix = codec.encoder.clone().requires_grad_()
    shared = Codec(
        codec.config, **(parts(codec) | {"encoder": matrix, "decoder": matrix, "odd": codec.odd.T.clone().T})
    )
    fingerprint = shared.fingerprint
    save_codec(shared, tmp_path / "shared.safetensors")
    with torch.no_grad():
        matrix.zero_()
    assert shared.fingerprint == fingerprint == load_codec(tmp_path / "shared.safetensors").fingerprint


@given(error=st.integers(1, 255))
def test_psnr_is_that_of_eight_bits(error: int) -> None:
    x = torch.zeros(3, 8, 8)
    expected = 20 * torch.log10(torch.tensor(255 / error)).item()
    assert psnr(x + error / 255 + 1e-4, x) == pytest.approx(expected, abs=1e-3)
    assert psnr(x + 1e-3, x) == 100
    assert psnr(x + error / 255, x, "array") == pytest.approx(expected, abs=1e-3)  # of no known span


FINGERPRINTS = {
    "gray-f8c4": "73a2437faf5bfa0f",
    "rgb-f16c192": "6d3fde5b1a8c1fa7",
    "rgb-f16c48": "c1de675eba290f97",
    "rgb-f16c48-detail": "f72a56ddd5dba189",
    "rgb-f16c48-learned": "e7ff9d1eee8a7041",
    "rgb-f8c12": "5ca7e7a1936ece02",
    "rgb-f8c12-detail": "d3fd89168ae39084",
    "rgb-f8c12-learned": "ae1abfdeac0fa769",
    "rgb-f8c48": "9e77edb2eb37dead",
    "rgb-f8c48-learned": "e8b12bfcba1f15ce",
    "stereo-f256c108-learned": "6c21d6c7726d01f0",
}


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_fingerprints_stand_in_datasets_and_never_change(name: str) -> None:
    assert load_codec(name).fingerprint == FINGERPRINTS[name]


def test_what_a_later_version_adds_to_a_codec_is_passed_over() -> None:
    tensors, metadata = load_codec("gray-f8c4").state()
    metadata["codec"]["new"] = {"a": 1}
    later = Codec.from_state(tensors | {"new": torch.zeros(3)}, metadata | {"new": 2}, origin="here")
    assert later.fingerprint == FINGERPRINTS["gray-f8c4"]


def test_other_factors_of_time_than_of_space(tmp_path: Path) -> None:
    config = CodecConfig(name="v", kind="video", signal_channels=3, dims=3, levels=(1, 3, 3), wavelet="10/18")
    frames = torch.stack([batch(64, 64)[0][:, i : i + 40, 2 * i : 2 * i + 40] for i in range(7)], 1)[None]
    codec = fit([frames], config, channels=60)
    z = codec.encode(frames)
    assert z.shape == (1, 60, 4, 5, 5) == (1, *codec.latent_shape((7, 40, 40)))
    decoded = codec.decode(z, size=(7, 40, 40))
    assert psnr(decoded, frames / 255, "video") > 30
    save_codec(codec, tmp_path / "v.safetensors")
    again = load_codec(tmp_path / "v.safetensors")
    assert (again.config, again.fingerprint, again.factor) == (codec.config, codec.fingerprint, (2, 8, 8))
    assert torch.equal(again.encode(frames), z)
    with pytest.raises(CodecError, match="3 dimensions"):
        codec.latent_shape((40, 40))


def test_video_fitted_as_images_of_three_dimensions_still_loads(tmp_path: Path) -> None:
    config = CodecConfig(name="v", kind="image", signal_channels=1, dims=3, levels=1, wavelet="10/18")
    save_codec(fit([batch(24, 16)[:1, None]], config, channels=4), tmp_path / "v.safetensors")
    assert load_codec(tmp_path / "v.safetensors").config == config


def test_no_channel_is_odd_where_nothing_is_transformed() -> None:
    config = CodecConfig(name="v", kind="video", signal_channels=1, dims=3, levels=(0, 1, 1), wavelet="10/18")
    codec = fit([batch(24, 16)[:1, None]], config, channels=4)
    odd = torch.tensor([[True, False, False]] * 4)
    with pytest.raises(CodecError, match="without levels"):
        Codec(config, **(parts(codec) | {"odd": odd}))
