"""Checkpoints of the package `walloc` serve wherever a codec of the zoo does; what is wrong with one is a sentence."""

import json
import pickle
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.hub_server import HubServer
from tests.original_checkpoints import SETTINGS, signal, write_checkpoint
from tests.sounds import sound, write
from walloc_data import (
    AudioReader,
    ImageReader,
    LatentDataset,
    Options,
    StreamingLatentDataset,
    load_codec,
    open_source,
    shard_dataset,
    train_codec,
)
from walloc_data.cli import main
from walloc_data.codec import psnr
from walloc_data.codec.original import OriginalCodec
from walloc_data.errors import CodecError, TrainError, WallocError
from walloc_data.verify import verify_dataset
from walloc_data.write.plan import Plan, measured_keys


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    for name in ("rgb", "stereo-filter"):
        write_checkpoint(folder, name)
    return folder


@pytest.fixture(scope="module")
def latents(checkpoints: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 photographs, by an original codec."""
    out = tmp_path_factory.mktemp("original") / "latents"
    options = Options(block=4, shard_samples=8)
    shard_dataset(photos / "val", out, codec=checkpoints / "rgb.pth", reader=ImageReader(size=32), options=options)
    return out


def test_a_checkpoint_has_many_names(checkpoints: Path, tmp_path: Path) -> None:
    names = ("rgb", "rgb.pth", "rgb.json")
    codecs = [load_codec(checkpoints / name) for name in names]
    codecs.append(load_codec(str(write_checkpoint(tmp_path, "rgb").parent)))  # the only one of a folder
    assert {codec.fingerprint for codec in codecs} == {codecs[0].fingerprint}
    assert {codec.name for codec in codecs} == {"rgb"}
    assert repr(codecs[0]) == f"Codec('rgb', fingerprint={codecs[0].fingerprint})"
    assert (codecs[0].channels, codecs[0].factor, codecs[0].config.kind) == (5, 4, "image")
    heard = load_codec(checkpoints / "stereo-filter")
    assert (heard.channels, heard.factor, heard.config.kind) == (6, 8, "audio")
    with pytest.raises(CodecError, match=r"several checkpoints, rgb, stereo-filter: name one"):
        load_codec(checkpoints)


def test_a_checkpoint_of_the_hub(hub: HubServer, checkpoints: Path) -> None:
    files = {path.name: path.read_bytes() for path in checkpoints.iterdir()}
    hub.put("models", "ann/walloc", {**files, "alone.pth": b"x"})
    own = load_codec(checkpoints / "rgb")
    for address in ("hf://ann/walloc/rgb", "hf://ann/walloc/rgb.pth", "hf://ann/walloc/rgb@main"):
        found = load_codec(address)
        assert (found.name, found.fingerprint) == ("rgb", own.fingerprint)
    x = signal(SETTINGS["rgb"])
    assert torch.equal(found.decode(found.encode(x)), own.decode(own.encode(x)))
    with pytest.raises(CodecError, match=r"cannot get codec\.safetensors of .*name one: hf://ann/walloc/NAME"):
        load_codec("hf://ann/walloc")
    for address, file in (("hf://ann/walloc/none", "none.pth"), ("hf://ann/walloc/alone", "alone.json")):
        with pytest.raises(CodecError, match=rf"cannot get {file} of {address}: 404"):
            load_codec(address)


def test_a_dataset_holds_it_whole(latents: Path, checkpoints: Path, photos: Path) -> None:
    codec = load_codec(checkpoints / "rgb")
    dataset = LatentDataset(latents, "train")
    assert isinstance(dataset.codec, OriginalCodec)
    assert dataset.codec.fingerprint == codec.fingerprint
    assert len(dataset) == 12
    z, _ = dataset[0]
    key = dataset.samples[0][0]
    pixels = torch.from_numpy(ImageReader(size=32).read((photos / "val" / key).read_bytes(), key).values)[None]
    assert torch.equal(z, codec.encode(pixels)[0])
    shown, exact = (
        LatentDataset(latents, "train", decode="pixels", codec=each)[0][0] for each in (None, checkpoints / "rgb")
    )
    assert torch.equal(exact, codec.decode(z[None])[0])
    assert psnr(shown, exact) > 48  # half precision
    assert verify_dataset(latents) == []
    stream = StreamingLatentDataset(latents, "train", batch_size=4, shuffle=False, decode="float")
    x, _ = next(iter(stream))
    torch.testing.assert_close(x[0], codec.dequantize(z))
    with pytest.raises(CodecError, match="in no order"):
        LatentDataset(latents, "train", channels=2)


def test_few_samples_are_decoded_by_a_deep_network(
    checkpoints: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = ImageReader(size=32)
    source = open_source(photos / "val", suffixes=reader.suffixes)
    plan = Plan.of(source, reader, load_codec(checkpoints / "rgb"), Options())
    every = measured_keys(plan)
    assert len(every) == 12
    monkeypatch.setattr("walloc_data.write.plan._DEEP", 1000)
    assert len(measured_keys(plan)) == 4
    assert measured_keys(plan) < every


def test_a_model_trains_on_its_latents(latents: Path) -> None:
    stream = StreamingLatentDataset(latents, "train", batch_size=6, seed=0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(5 * 8 * 8, 3))
    optimiser = torch.optim.SGD(model.parameters(), 0.05)
    losses = []
    for epoch in range(10):
        stream.set_epoch(epoch)
        for z, y in stream.loader():
            loss = torch.nn.functional.cross_entropy(model(stream.codec.dequantize(z)), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
    assert sum(losses[-4:]) < sum(losses[:4])


def test_every_verb_takes_it(latents: Path, checkpoints: Path, photos: Path, tmp_path: Path, capsys: Any) -> None:
    assert main(["info", str(latents)]) == 0
    said = capsys.readouterr().out
    assert "codec   rgb (fingerprint" in said
    assert "decoder original, " in said
    assert main(["view", str(latents), str(tmp_path / "seen.png"), "--count", "2"]) == 0
    assert (tmp_path / "seen.png").stat().st_size > 1000
    codec = str(checkpoints / "rgb.pth")
    assert main(["eval", str(photos / "val"), "--codec", codec, "--limit", "3", "--coarser", "1,2"]) == 0
    assert "rgb:x2" in capsys.readouterr().out
    copy = Path(shutil.copytree(latents, tmp_path / "copy"))
    assert main(["decoder", str(copy), codec]) == 0
    assert "decoded by original" in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in copy.glob("*.tar")} == {
        path.name: path.read_bytes() for path in latents.glob("*.tar")
    }
    assert main(["shard", str(photos / "val"), str(latents), "--codec", codec, "--read", "size=32"]) == 1
    assert "block" in capsys.readouterr().err  # other options: it is known again
    with pytest.raises(TrainError, match="one of the package walloc"):
        train_codec(photos, tmp_path / "mine.safetensors", codec=codec)


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # of the Hub's client
def test_a_dataset_of_it_is_pushed_and_read_from_the_hub(
    latents: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("HF_TOKEN", hub.token("ann"))
    assert main(["push", str(latents), "ann/latents"]) == 0
    capsys.readouterr()
    there, here = (
        LatentDataset("hf://ann/latents", "train", decode="pixels"),
        LatentDataset(latents, "train", decode="pixels"),
    )
    assert torch.equal(there[3][0], here[3][0])


def test_sound_goes_the_same_way(checkpoints: Path, tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / "src" / f"{number}.wav", sound(0.2, 8000, 2, number), 8000)
    codec = load_codec(checkpoints / "stereo-filter")
    shard_dataset(tmp_path / "src", tmp_path / "out", codec=codec, reader=AudioReader(channels=2))
    z, x = (LatentDataset(tmp_path / "out", "train", decode=how)[1][0] for how in ("latents", "signal"))
    assert z.shape == (6, 200)
    own = codec.decode(z[None], (1600,))[0]
    assert x.shape == own.shape == (2, 1600)
    assert (x - own).abs().max() < 0.02


def rewritten(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    content = torch.load(path, weights_only=True)
    changed = change(content)
    torch.save(content if changed is None else changed, path)


def without(name: str) -> Callable[[dict[str, Any]], Any]:
    def change(content: dict[str, Any]) -> None:
        del content["model_state_dict"][name]

    return change


def changed(name: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda content: content["model_state_dict"].update({name: value})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without("decoder.1.conv_in.bias"), r"tensor 'decoder\.1\.conv_in\.bias' is missing"),
        (without("encoder.0.weight"), r"tensor 'encoder\.0\.weight' is missing"),
        (changed("encoder.0.weight", torch.zeros(5, 9, 1, 1)), r"shape \(5, 9, 1, 1\).*of another checkpoint"),
        (changed("encoder.0.bias", torch.full((5,), torch.nan)), "not finite"),
        (changed("encoder.0.bias", torch.zeros(5, dtype=torch.int64)), "not finite floats"),
        (changed("decoder.1.more.weight", torch.zeros(2)), r"decoder\.1\.more\.weight is nothing that"),
        (changed("encoder.0.weight", 3), "holds no 'model_state_dict' of tensors"),
        (lambda content: content["model_state_dict"], "holds no 'model_state_dict'"),
        (lambda content: {"model_state_dict": {}}, "hyper-parameters lack post_filter"),
        (lambda content: [1, 2], "holds no 'model_state_dict'"),
        (lambda content: {**content, "config": SimpleNamespace(J=3)}, r"holds types\.SimpleNamespace beside weights"),
    ],
)
def test_what_is_wrong_with_weights_is_a_sentence(change: Any, said: str, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, "rgb")
    rewritten(path, change)
    assert_refused(path, said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"latent_dim": 6}, "of another checkpoint"),
        ({"J": 3}, "of another checkpoint"),
        ({"lightweight_encode": False}, r"tensor 'encoder\.0\.conv_in\.weight' is missing"),
        ({"latent_bits": 16}, "2 to 8 bits"),
        ({"Nd": None}, "Nd is a whole number"),
        ({"channels": 2.5}, "channels is a whole number"),
    ],
)
def test_hyper_parameters_of_another_configuration_are_a_sentence(change: Any, said: str, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, "rgb")
    path.with_suffix(".json").write_text(json.dumps({**SETTINGS["rgb"], **change}))
    assert_refused(path, said)


@pytest.mark.parametrize(
    ("text", "said"), [("[]", "no hyper-parameters"), ("{}", "lack J, Nd, Ne"), ("{", "damaged"), ("\xff", "damaged")]
)
def test_a_json_that_is_none_of_a_checkpoint(text: str, said: str, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, "rgb")
    path.with_suffix(".json").write_bytes(text.encode("latin-1"))
    assert_refused(path, said)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, "rgb")
    weights = path.rename(tmp_path / "elsewhere")
    assert_refused(path.with_suffix(".json"), r"rgb\.pth is missing: a checkpoint is that and rgb\.json")
    weights.rename(path)
    path.with_suffix(".json").unlink()
    for name in (path, path.with_suffix("")):
        assert_refused(name, r"rgb\.json is missing: a checkpoint is that and rgb\.pth beside it")


class Runs:
    def __reduce__(self) -> Any:
        return print, ("what a checkpoint's maker wrote was run",)


def test_pickled_code_is_refused_unrun(tmp_path: Path, capsys: Any) -> None:
    path = write_checkpoint(tmp_path, "rgb")
    rewritten(path, lambda content: {**content, "config": Runs()})
    assert_refused(path, r"holds print beside weights.*weights_only=False")
    path.write_bytes(pickle.dumps(Runs()))
    assert_refused(path, "rgb.pth")
    assert "was run" not in capsys.readouterr().out


def test_whatever_a_damaged_file_comes_to_is_a_sentence(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, "rgb")
    data, draw = path.read_bytes(), np.random.default_rng(0)
    start = data.index(b"data.pkl")
    for _ in range(60):  # in what is unpickled, where each byte counts
        changed = bytearray(data)
        changed[start + int(draw.integers(20, 4000))] = int(draw.integers(256))
        path.write_bytes(bytes(changed))
        with suppress(CodecError):
            load_codec(path)


@pytest.mark.parametrize("size", [0, 3, 1000, -1000, -1])
def test_a_damaged_file_is_a_sentence(size: int, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, "rgb")
    path.write_bytes(path.read_bytes()[:size])
    assert_refused(path, r"rgb\.pth (is no readable file|holds)")
    path.write_bytes(b"not a file of torch" * 20)
    assert_refused(path, r"rgb\.pth (is no readable file|holds)")


def assert_refused(path: Path, said: str) -> None:
    with pytest.raises(CodecError, match=said) as caught:
        load_codec(path)
    assert isinstance(caught.value, WallocError)
    assert "\n" not in str(caught.value)
    assert "rgb" in str(caught.value)
