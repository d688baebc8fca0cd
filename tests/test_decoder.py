"""A dataset that was sharded before decodes with a better decoder, and no shard is touched."""

import shutil
from dataclasses import replace

import pytest
import torch

from tests.photographs import contents
from tests.train.test_training import READER, SMALL
from walloc_data import ImageReader, LatentDataset, StreamingLatentDataset, load_codec
from walloc_data.cli import main
from walloc_data.codec import psnr
from walloc_data.decoder import replace_decoder
from walloc_data.errors import CodecError, DatasetError
from walloc_data.format import Manifest
from walloc_data.shard import shard_dataset
from walloc_data.train import train_codec
from walloc_data.verify import verify_dataset


@pytest.fixture(scope="module")
def better(photos, tmp_path_factory):
    """A decoder for the latents of `rgb-f8c12`, that knows the photographs."""
    out = tmp_path_factory.mktemp("better") / "better.safetensors"
    options = replace(SMALL, steps=150, width=32, blocks=2, batch=4, decoder_only=True)
    trained = train_codec(photos, out, reader=READER, options=options)
    assert trained.after.psnr > trained.before.psnr
    return out


def quality(dataset: LatentDataset, photos) -> float:
    reader, ratios = ImageReader(size=64), []
    for (x, _), (key, _) in zip(dataset, dataset.samples, strict=True):
        original = torch.from_numpy(reader.read((photos / key).read_bytes(), key).values)
        ratios.append(psnr(x, original / 255))
    return sum(ratios) / len(ratios)


def test_the_same_latents_are_decoded_better(dataset, photos, better):
    own = LatentDataset(dataset, "val", decode="pixels")
    learned = LatentDataset(dataset, "val", decode="pixels", codec=better)
    assert learned.codec.fingerprint == own.codec.fingerprint
    assert learned.codec.name == own.codec.name
    assert torch.equal(LatentDataset(dataset, "val", codec=better)[0][0], LatentDataset(dataset, "val")[0][0])
    assert quality(learned, photos) > quality(own, photos) + 0.05
    stream = StreamingLatentDataset(
        dataset, "val", batch_size=4, shuffle=False, decode="pixels", codec=load_codec(better)
    )
    assert torch.equal(next(iter(stream))[0][0], learned[0][0])
    assert LatentDataset(dataset, "val", channels=4, codec=better).codec.network.name == "linear"


def test_a_codec_of_other_latents_is_refused(dataset, better, tmp_path):
    for door in (LatentDataset, lambda *a, **k: StreamingLatentDataset(*a, **k, batch_size=2)):
        with pytest.raises(DatasetError, match="of other latents"):
            door(dataset, "val", codec="rgb-f8c48")
        with pytest.raises(CodecError):
            door(dataset, "val", codec=tmp_path / "none.safetensors")
    with pytest.raises(DatasetError, match="of other latents"):
        replace_decoder(dataset, "rgb-f8c12x2")


def test_one_verb_replaces_it_and_touches_no_shard(dataset, photos, better, tmp_path, capsys):
    out = shutil.copytree(dataset, tmp_path / "out")
    before, linear = contents(out), quality(LatentDataset(out, "val", decode="pixels"), photos)
    assert main(["decoder", str(out), str(better)]) == 0
    assert "decoded by conv" in capsys.readouterr().out
    after = contents(out)
    assert {name for name in before | after if before.get(name) != after.get(name)} == {
        "README.md",
        "codec.safetensors",
        "walloc.json",
    }
    assert quality(LatentDataset(out, "val", decode="pixels"), photos) > linear + 0.05
    manifest = Manifest.read(out)
    assert manifest.fingerprint == Manifest.read(dataset).fingerprint
    assert (manifest.codec, manifest.summary.psnr) == ("rgb-f8c12", None)
    assert verify_dataset(out) == []
    assert main(["info", str(out)]) == 0
    assert "decoder conv, " in capsys.readouterr().out
    shard_dataset(photos, out, codec="rgb-f8c12", reader=ImageReader(size=64), options=_options(dataset))
    assert contents(out) == after  # asked for again, it is complete
    assert main(["decoder", str(out), "rgb-f8c12"]) == 0
    assert main(["info", str(out)]) == 0
    assert "decoder linear" in capsys.readouterr().out
    assert contents(out)["codec.safetensors"] == before["codec.safetensors"]


def _options(dataset):
    from walloc_data import Options

    return Options(**Manifest.read(dataset).options["write"])


def test_interrupted_between_its_two_files_it_is_made_good_by_the_next_run(dataset, better, tmp_path):
    out = shutil.copytree(dataset, tmp_path / "out")
    manifest = (out / "walloc.json").read_bytes()
    replace_decoder(out, better)
    (out / "walloc.json").write_bytes(manifest)
    with pytest.raises(CodecError, match="is not the one that"):
        LatentDataset(out, "val")
    replace_decoder(out, better)
    assert LatentDataset(out, "val").codec.network.name == "conv"


def test_what_is_no_finished_dataset_is_refused(better, tmp_path, capsys):
    assert main(["decoder", str(tmp_path), str(better)]) == 1
    assert "no finished dataset" in capsys.readouterr().err
