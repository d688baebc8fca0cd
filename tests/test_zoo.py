"""Codecs by name: what ships, and files that are damaged, missing or of another kind."""

import json
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from tests.hub_server import HubServer
from tests.sounds import sound
from tests.synthetic import IMAGE_CODECS, photograph
from walloc_data.codec import Codec, psnr, write_tensors
from walloc_data.codec.tensors import read_tensors
from walloc_data.errors import CodecError
from walloc_data.train.rate import laplace_bits
from walloc_data.transforms import flip
from walloc_data.zoo import load_codec, save_codec, zoo_names

SOUND = {"mono-f128c32": 16000, "mono-f64c16": 8000} | dict.fromkeys(  # and rates
    ("stereo-f256c108", "stereo-f256c108-learned", "stereo-f256c27"), 44100
)
VIDEO = {"video-t4f8c48": 25, "video-t4f8c192": 30}  # and dB that a photograph which passes by comes to


def test_the_zoo_is_listed_sorted() -> None:
    assert zoo_names() == sorted([*IMAGE_CODECS, *SOUND, *VIDEO])
    assert len(IMAGE_CODECS) == 10


@pytest.mark.parametrize("name", SOUND)
def test_codecs_of_sound_are_what_their_names_say_and_keep_chirps(name: str) -> None:
    codec, rate = load_codec(name), SOUND[name]
    signal, shape, *learned = name.split("-")
    factor, channels = (int(n) for n in shape.removeprefix("f").split("c"))
    x = torch.from_numpy(sound(1, rate, {"stereo": 2, "mono": 1}[signal]))[None]
    assert codec.latent_shape(x.shape[2:]) == (channels, -(-rate // factor))
    assert (codec.config.kind, codec.config.wavelet, codec.config.margin) == ("audio", "10/18", 8)
    assert codec.margin == 8 + (12 if learned else 0)  # positions more that its decoder looks at
    assert psnr(codec.decode(codec.encode(x), x.shape[2:]), x, "audio") > 30
    x = x[..., : rate // factor * factor].double()
    difference = codec.encode(x.flip(2)).int() - flip(codec.encode(x), codec, 0).int()
    assert int(difference.count_nonzero()) == 0


@pytest.mark.parametrize("name", VIDEO)
def test_codecs_of_video_keep_a_photograph_that_passes_by(name: str) -> None:
    codec, picture = load_codec(name), photograph("flower.jpg")
    config, channels = codec.config, int(name.rpartition("c")[2])
    assert (config.kind, config.factors, codec.channels, config.wavelet) == ("video", (4, 8, 8), channels, "10/18")
    x = torch.stack([picture[:, 100:196, 200 + 2 * time : 328 + 2 * time] for time in range(16)], 1)[None]
    z = codec.encode(x)
    assert z.shape == (1, channels, 4, 12, 16)
    assert psnr(codec.decode(z), x / 255) > VIDEO[name]
    for axis in range(3):
        difference = codec.encode(x.flip(2 + axis)).int() - flip(z, codec, axis).int()
        assert int(difference.abs().max()) <= 1
        assert int(difference.count_nonzero()) <= z.numel() / 10_000
    for white in (0, 255):  # no flat colour saturates
        flat = torch.full((1, 3, 8, 16, 16), white, dtype=torch.uint8)
        assert psnr(codec.decode(codec.encode(flat)), flat / 255) > 35


@pytest.mark.parametrize("name", IMAGE_CODECS)
def test_a_codec_is_what_its_name_says(name: str) -> None:
    codec = load_codec(name)
    kind, shape = name.split("-")[:2]
    factor, channels = (int(n) for n in shape.removeprefix("f").split("c"))
    assert codec.name == codec.config.name == name
    assert (codec.factor, codec.channels, codec.config.dims) == (factor, channels, 2)
    assert codec.config.signal_channels == {"rgb": 3, "gray": 1}[kind]
    assert codec.config.wavelet == "10/18"
    x = photograph("china.jpg", "L" if kind == "gray" else "RGB")[None, :, :96, :80]
    assert codec.encode(x).shape == (1, channels, 96 // factor, 80 // factor)
    assert not codec.mean.eq(0).any()
    assert codec.odd.any()


def test_a_learned_codec_of_sound_is_nearer_in_fewer_bits() -> None:
    rng, time = np.random.default_rng(0), np.arange(88_200) / 44100
    tones = [np.exp(-4 * (time % 0.25)) * np.sin(2 * np.pi * pitch * time) for pitch in rng.uniform(200, 4000, 6)]
    x = torch.from_numpy(0.1 * np.stack([sum(tones), sum(tones[2:])])).float()[None]
    for times in (1, 4):
        errors, bits = [], []
        for name in ("stereo-f256c108", "stereo-f256c108-learned"):
            codec = load_codec(name).coarser(times)
            z = codec.encode(x)
            errors.append(float((codec.decode(z, x.shape[2:]) - x).square().mean()))
            bits.append(float(laplace_bits(z.float()).mean()))
        assert errors[1] < errors[0]
        assert bits[1] < 0.85 * bits[0]


@pytest.mark.parametrize(("name", "times"), [("rgb-f8c12", 1.2), ("rgb-f8c48", 1.2), ("rgb-f16c48", 1)])
@pytest.mark.parametrize("coarser", [1, 2.5])
def test_a_learned_codec_of_images_is_nearer_in_fewer_bits(name: str, times: float, coarser: float) -> None:
    x = photograph("coffee.png")[None, :, :256, :320]
    errors, bits = [], []
    for codec in (load_codec(name).coarser(coarser), load_codec(f"{name}-learned").coarser(coarser * times)):
        z = codec.encode(x)
        errors.append(float((codec.decode(z) - x / 255).square().mean()))
        bits.append(float(laplace_bits(z.float()).mean()))
    assert errors[1] < 0.9 * errors[0]  # 0.46 dB
    assert bits[1] < bits[0]


@pytest.mark.parametrize("name", [*IMAGE_CODECS, "stereo-f256c108-learned"])
def test_files_are_small_and_written_by_this_code(name: str, tmp_path: Path) -> None:
    shipped = files("walloc_data") / "weights" / f"{name}.safetensors"
    save_codec(load_codec(name), tmp_path / "again.safetensors")
    assert shipped.read_bytes() == (tmp_path / "again.safetensors").read_bytes()
    assert len(shipped.read_bytes()) < (3_000_000 if name.endswith("-learned") else 400_000)


def test_a_path_a_text_and_a_dataset_folder_name_a_codec(tmp_path: Path) -> None:
    codec = load_codec("rgb-f8c12")
    path = tmp_path / "codec.safetensors"
    save_codec(codec, path)
    for name in (path, str(path), tmp_path, str(tmp_path)):
        assert load_codec(name).fingerprint == codec.fingerprint


@pytest.mark.parametrize("name", ["rgb-f8c13", "", "no/such/file", "a" * 5000, "a\0b"])
def test_unknown_names_are_refused_with_the_known_ones(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CodecError, match=r"no codec .* the zoo .*rgb-f8c12"):
        load_codec(name)


def test_a_file_that_is_not_there_is_named_alone() -> None:
    with pytest.raises(CodecError, match=r"^no codec 'no/mine\.safetensors': there is no such file$"):
        load_codec("no/mine.safetensors")


def test_the_manifest_of_a_dataset_is_no_codec_but_its_folder_has_one() -> None:
    with pytest.raises(CodecError, match="is the manifest of a dataset: give its folder, latents, for the codec of it"):
        load_codec("latents/walloc.json")


def test_reading_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match="missing"):
        read_tensors(tmp_path / "codec.safetensors")
    with pytest.raises(CodecError):
        read_tensors(tmp_path)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("zoo") / "codec.safetensors"
    save_codec(load_codec("gray-f8c4"), path)
    return path.read_bytes()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_truncated_files_are_one_clear_error(data: st.DataObject, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(CodecError, match=r"cut\.safetensors"):
        load_codec(path)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_are_an_error_or_another_codec(data: st.DataObject, content: bytes, tmp_path: Path) -> None:
    header = 8 + int.from_bytes(content[:8], "little")
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, data.draw(st.sampled_from([7, header - 1, len(content) - 1]))))
        damaged[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "bad.safetensors"
    path.write_bytes(damaged)
    try:
        codec = load_codec(path)
    except CodecError:
        return
    # Such a flip is in a number, of which any other would do too.
    x = photograph("china.jpg", "L")[None, :, :32, :32]
    assert codec.encode(x).shape == (1, codec.channels, 32 // codec.factor, 32 // codec.factor)


@pytest.mark.parametrize("text", ["", "pickle", "[" * 50_000])
def test_files_of_something_else_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    path.write_text(text)
    with pytest.raises(CodecError, match="not a readable safetensors file"):
        load_codec(path)
    save_file({"weight": torch.ones(2)}, path, metadata={"walloc": text} if text else None)
    with pytest.raises(CodecError, match=r"other\.safetensors"):
        load_codec(path)


def rewritten(path: Path, change: dict[str, Any], codec_change: dict[str, Any]) -> Path:
    tensors, metadata = load_codec("gray-f8c4").state()
    metadata = json.loads(json.dumps(metadata)) | change
    if isinstance(metadata["codec"], dict):
        metadata["codec"] |= codec_change
    write_tensors(path, tensors, metadata)
    return path


def test_a_later_version_asks_for_an_upgrade(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match=r"version 2.*upgrade"):
        load_codec(rewritten(tmp_path / "new.safetensors", {"version": 2}, {}))


@pytest.mark.parametrize("kind", ["walloc-dataset", None, 1])
def test_another_kind_is_no_codec(kind: object, tmp_path: Path) -> None:
    with pytest.raises(CodecError, match="is no codec"):
        load_codec(rewritten(tmp_path / "other.safetensors", {"kind": kind}, {}))


@pytest.mark.parametrize(
    ("change", "codec_change"),
    [
        ({"codec": None}, {}),
        ({"codec": [1, 2]}, {}),
        ({"codec": {}}, {}),
        ({}, {"levels": "3"}),
        ({}, {"levels": 4}),
        ({}, {"levels": None}),
        ({}, {"dims": 3}),
        ({}, {"wavelet": "db4"}),
        ({}, {"wavelet": ["10/18"]}),
        ({}, {"kind": []}),
        ({}, {"name": None}),
        ({}, {"scale": "much"}),
        ({}, {"scale": None}),
        ({}, {"scale": 10**400}),
        ({}, {"scale": float("nan")}),
    ],
)
def test_metadata_that_cannot_be_is_one_clear_error(
    change: dict[str, Any], codec_change: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(CodecError, match=r"odd\.safetensors"):
        load_codec(rewritten(tmp_path / "odd.safetensors", change, codec_change))


@pytest.mark.parametrize("name", ["mean", "odd", "encoder", "decoder", "steps"])
def test_missing_and_misshapen_tensors_are_one_clear_error(name: str) -> None:
    tensors, metadata = load_codec("gray-f8c4").state()
    without = {key: tensor for key, tensor in tensors.items() if key != f"codec.{name}"}
    with pytest.raises(CodecError, match=f"here is damaged: KeyError 'codec.{name}'"):
        Codec.from_state(without, metadata, origin="here")
    for misshapen in (tensors[f"codec.{name}"][None], torch.zeros(()), torch.zeros(0)):
        with pytest.raises(CodecError, match="here"):
            Codec.from_state(without | {f"codec.{name}": misshapen}, metadata, origin="here")


def test_bytes_depend_on_content_alone(tmp_path: Path) -> None:
    tensors = {"b": torch.ones(2), "a": torch.zeros(3, dtype=torch.uint8), "c": torch.ones(1, dtype=torch.float64)}
    write_tensors(tmp_path / "1", tensors, {"x": 1, "y": [2]})
    write_tensors(tmp_path / "2", dict(reversed(tensors.items())), {"y": [2], "x": 1})
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    found, metadata = read_tensors(tmp_path / "1")
    assert metadata == {"x": 1, "y": [2]}
    assert found.keys() == tensors.keys()


@pytest.mark.parametrize(
    "address", ["hf://user/repo", "hf://user/repo@main", "hf://", "hf://a/b/c", "hf://..", "hf://a b"]
)
def test_without_a_network_the_hub_is_one_clear_error(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    reason = (
        "cannot get" if "@" in address or address.count("/") != 3 else "not in the cache, and HF_HUB_OFFLINE is set"
    )
    with pytest.raises(CodecError, match=reason):
        load_codec(address)


@pytest.fixture
def on_hub(hub: HubServer, content: bytes) -> HubServer:
    """A Hub with a codec in `ann/codec`, and another in a private repository."""
    hub.put("models", "ann/codec", {"codec.safetensors": content})
    hub.put("models", "ann/secret", {"codec.safetensors": content}, private=True)
    return hub


def test_a_codec_of_the_hub(on_hub: HubServer, content: bytes) -> None:
    commit = on_hub.repos["models", "ann/codec"].branches["main"]
    for address in ("hf://ann/codec", "hf://ann/codec@main", f"hf://ann/codec@{commit}"):
        assert load_codec(address).fingerprint == load_codec("gray-f8c4").fingerprint
    assert on_hub.count("GET /files") == 1  # the client keeps it
    assert on_hub.leaks == []


def test_a_codec_of_a_private_repository(on_hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CodecError, match=r"cannot get codec\.safetensors of hf://ann/secret: 401"):
        load_codec("hf://ann/secret")
    monkeypatch.setenv("HF_TOKEN", on_hub.token("ann", "read"))
    assert load_codec("hf://ann/secret").channels == 4
    assert on_hub.leaks == []


@pytest.mark.parametrize("address", ["hf://ann/none", "hf://ann/codec@v9", "hf://ann/empty", "hf://ann/data"])
def test_what_the_hub_does_not_have_is_one_clear_error(address: str, on_hub: HubServer) -> None:
    on_hub.create("models", "ann/empty")
    on_hub.put("datasets", "ann/data", {"codec.safetensors": b"x"})
    with pytest.raises(CodecError, match=f"cannot get codec.safetensors of {address}"):
        load_codec(address)


@pytest.mark.parametrize("pattern", ["HEAD /ann/codec", "GET /files"])
def test_a_hub_that_breaks_off_is_one_clear_error(
    pattern: str, on_hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    on_hub.fail(pattern, 0, times=1000)
    with pytest.raises(CodecError, match=r"cannot get codec\.safetensors of hf://ann/codec"):
        load_codec("hf://ann/codec")
