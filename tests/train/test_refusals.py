"""What is wrong with a training, its samples, its checkpoint or its machine is said in a sentence."""

import json
import resource
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.photographs import window
from tests.train.test_training import READER, SMALL
from walloc_data import ImageReader, load_codec
from walloc_data.cli import main
from walloc_data.codec import read_tensors, write_tensors
from walloc_data.errors import TrainError
from walloc_data.train import TrainOptions, train_codec


@pytest.fixture(scope="module")
def begun(photos, tmp_path_factory):
    """A training that has a checkpoint after its first step."""
    out = tmp_path_factory.mktemp("begun") / "some.safetensors"
    train_codec(photos, out, reader=READER, options=replace(SMALL, minutes=1e-9))
    return out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors, facts: tensors.pop("averages.encoder"), "'averages.encoder' is missing"),
        (lambda tensors, facts: tensors.update({"first.input": torch.ones(3, 3)}), "'first.input' has shape"),
        (lambda tensors, facts: facts.update(kind="walloc-codec"), "no checkpoint"),
        (lambda tensors, facts: facts.pop("step"), "damaged"),
        (lambda tensors, facts: facts["identity"].update(width=9), "of another training.*width 9 then, 8 now"),
        (lambda tensors, facts: facts["identity"].update(source="0"), r"of another training \(other samples\): ask"),
        (lambda tensors, facts: facts["identity"].update(start="0"), r"\(another decoder to start from\): ask"),
    ],
)
def test_a_checkpoint_that_is_damaged_or_of_another_training(change, said, begun, photos, tmp_path):
    out = tmp_path / "some.safetensors"
    tensors, facts = read_tensors(begun.with_suffix(".checkpoint.safetensors"))
    change(tensors, facts)
    write_tensors(out.with_suffix(".checkpoint.safetensors"), tensors, facts)
    with pytest.raises(TrainError, match=said):
        train_codec(photos, out, reader=READER, options=SMALL)
    assert not out.exists()


def test_a_checkpoint_of_samples_that_were_read_otherwise(begun, photos, tmp_path):
    out = tmp_path / "some.safetensors"
    tensors, facts = read_tensors(begun.with_suffix(".checkpoint.safetensors"))
    checkpoint = out.with_suffix(".checkpoint.safetensors")
    write_tensors(checkpoint, tensors, facts)
    with pytest.raises(TrainError, match=r"of another training .*reading .*'resize': 'none'.* then"):
        train_codec(photos, out, reader=ImageReader(size=64), options=SMALL)
    del facts["identity"]["reading"], facts["identity"]["start"]  # as those of earlier versions are
    write_tensors(checkpoint, tensors, facts)
    assert train_codec(photos, out, reader=READER, options=SMALL).complete


def test_a_checkpoint_that_is_cut_short(begun, photos, tmp_path):
    out = tmp_path / "some.safetensors"
    data = begun.with_suffix(".checkpoint.safetensors").read_bytes()
    out.with_suffix(".checkpoint.safetensors").write_bytes(data[:1000])
    with pytest.raises(TrainError, match="delete it to begin anew"):
        train_codec(photos, out, reader=READER, options=SMALL)


@pytest.mark.parametrize(
    ("codec", "finer", "said"),
    [
        ("rgb-f8c12", 3, "'rgb-f8c12' has 3 levels, of which one at least is left: take 2 at most"),
        ("rgb-f8c12-learned", 2, "has a decoder of finer=1"),
    ],
)
def test_a_grid_that_there_is_not(codec, finer, said, tmp_path):
    options = replace(SMALL, finer=finer)
    with pytest.raises(TrainError, match=said):
        train_codec("no/such/folder", tmp_path / "some.safetensors", codec=codec, reader=READER, options=options)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            {"width": 64},
            "width=64: codec 'rgb-f8c12-learned' has a network of width=48, which is trained on: leave width",
        ),
        ({"blocks": 2}, "blocks=2: .* leave blocks out, or take [0-9]+ or more"),
        ({"kernel": 3}, "kernel=3: .* or take 5$"),
    ],
)
def test_another_network_than_the_codec_has(other, said, tmp_path):
    out, options = tmp_path / "some.safetensors", TrainOptions(**other)
    with pytest.raises(TrainError, match=said):
        train_codec("no/such/folder", out, codec="rgb-f8c12-learned", reader=READER, options=options)


def test_numbers_that_are_not_finite_stop_it_and_leave_the_last_checkpoint(photos, tmp_path, monkeypatch):
    from walloc_data.train.model import Model

    out, loss = tmp_path / "some.safetensors", Model.loss
    calls = []

    def poisoned(self, *arguments):
        calls.append(1)
        found = loss(self, *arguments)
        return found._replace(total=found.total * float("nan")) if len(calls) == 4 + 14 else found

    monkeypatch.setattr(Model, "loss", poisoned)  # four are for the unit of losses
    with pytest.raises(TrainError, match=r"not finite at step 13: the last checkpoint, .*, is kept"):
        train_codec(photos, out, reader=READER, options=SMALL)
    kept, facts = read_tensors(out.with_suffix(".checkpoint.safetensors"))
    assert facts["step"] == 10
    assert all(bool(torch.isfinite(tensor).all()) for tensor in kept.values())
    assert not out.exists()
    monkeypatch.setattr(Model, "loss", loss)
    assert train_codec(photos, out, reader=READER, options=SMALL).complete


def test_a_full_disk_leaves_the_last_checkpoint(begun, photos, tmp_path):
    out = tmp_path / "some.safetensors"
    checkpoint = out.with_suffix(".checkpoint.safetensors")
    checkpoint.write_bytes(begun.with_suffix(".checkpoint.safetensors").read_bytes())
    before = checkpoint.read_bytes()

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))

    code = (
        "import sys; from tests.train.test_training import READER, SMALL; from walloc_data.train import train_codec\n"
        "from walloc_data.errors import TrainError\n"
        f"try: train_codec({str(photos)!r}, {str(out)!r}, reader=READER, options=SMALL)\n"
        "except TrainError as error: sys.exit(str(error))"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], check=False, capture_output=True, text=True, preexec_fn=limit
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"cannot write {checkpoint}: File too large. The last checkpoint is kept")
    assert checkpoint.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["some.checkpoint.safetensors", "some.jsonl"]


def test_too_few_images_and_too_small_ones(tmp_path, capsys):
    few, small = tmp_path / "few", tmp_path / "small"
    for root, count, size in ((few, 3, (80, 64)), (small, 8, (40, 40))):
        root.mkdir()
        for number in range(count):
            window("chelsea", number, size).save(root / f"{number}.png")
    for root, said in ((few, "2 samples to train on"), (small, "0 samples to train on and 1 to judge by")):
        line = [
            "train",
            str(root),
            str(tmp_path / "out.safetensors"),
            "--window",
            "6",
            "--read",
            "resize=none,crop=none",
        ]
        assert main([*line, "--quiet"]) == 1
        assert said in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_a_gpu_that_is_not_there(photos, tmp_path):
    for device in ("cuda", "tpu"):
        with pytest.raises(TrainError, match="is not there or cannot be used"):
            train_codec(photos, tmp_path / "out.safetensors", options=replace(SMALL, device=device))


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"kernel": 4},
        {"rate": -1.0},
        {"learning_rate": 0.0},
        {"precision": "half"},
        {"minutes": 0.0},
        {"seed": 1 << 40},
    ],
)
def test_options_out_of_range(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TrainOptions(**wrong)


def test_the_command(photos, tmp_path, capsys):
    out = tmp_path / "mine.safetensors"
    line = ["train", str(photos), str(out), "--steps", "3", "--width", "8", "--blocks", "1", "--precision", "float32"]
    assert main([*line, "--quiet", "--read", "size=64"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{out}: Codec('mine'")
    assert "bits a latent before" in text
    assert main(["train", str(photos), str(tmp_path / "mine.pt")]) == 1
    assert "ends with .safetensors" in capsys.readouterr().err


def test_a_checkpoint_that_cannot_be_read_is_not_to_be_deleted(photos, tmp_path):
    (tmp_path / "codec.checkpoint.safetensors").mkdir()
    with pytest.raises(TrainError, match=r"cannot be read \(Is a directory\): see that it may be read"):
        train_codec(photos, tmp_path / "codec.safetensors", reader=READER, options=SMALL)


def test_what_a_checkpoint_says_of_a_network_that_was_trained_on(photos, tmp_path):
    codec, out = "rgb-f8c48-learned", tmp_path / "some.safetensors"
    options = replace(SMALL, steps=2, width=None, blocks=None, kernel=None, minutes=1e-9, window=8)
    train_codec(photos, out, codec=codec, reader=READER, options=options)
    has = load_codec(codec).network.state()[1]
    with pytest.raises(TrainError, match=rf"network .*'blocks': {has['blocks']}.* then, .*'blocks': 7.* now"):
        train_codec(photos, out, codec=codec, reader=READER, options=replace(options, blocks=7))
    checkpoint = out.with_suffix(".checkpoint.safetensors")
    tensors, facts = read_tensors(checkpoint)
    del facts["identity"]["network"]  # as earlier versions have it, whose options said what did not count
    facts["identity"] |= {"width": 64, "blocks": 6, "kernel": 5}
    write_tensors(checkpoint, tensors, facts)
    assert train_codec(photos, out, codec=codec, reader=READER, options=replace(options, minutes=None)).complete


def test_options_are_plain_numbers():
    options = TrainOptions(seed=np.int64(3), rate=np.float32(0.5), decoder_only=np.bool_(True), blocks=np.int32(2))
    assert json.loads(json.dumps(options.identity())) == options.identity()
    assert {name: options.identity()[name] for name in ("width", "blocks", "kernel")} == {
        "width": 128,
        "blocks": 2,
        "kernel": 5,
    }
    for wrong in ({"seed": 1.5}, {"width": 0}, {"blocks": 0}, {"kernel": 4}, {"rate": "much"}, {"coarsest": 0.5}):
        with pytest.raises(TrainError):
            TrainOptions(**wrong)


def test_a_codec_is_not_trained_into_its_own_file(begun, photos):
    with pytest.raises(TrainError, match="is the codec that is to be trained further: choose another OUT"):
        train_codec(photos, begun, codec=begun, reader=READER, options=SMALL)
