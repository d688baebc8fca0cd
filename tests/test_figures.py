"""Figures that are stored: bytes and PSNR of each sample as columns, statistics of latents in the manifest."""

import json
import shutil

import numpy as np
import pytest

from tests.photographs import contents, window
from walloc_data import (
    ImageReader,
    LatentDataset,
    Options,
    append_dataset,
    compare_dataset,
    filter_dataset,
    load_codec,
    repair_dataset,
    shard_dataset,
    transcode_dataset,
)
from walloc_data.cli import main
from walloc_data.errors import DatasetError, FormatError
from walloc_data.format import Manifest, Record, read_index


@pytest.fixture(scope="module")
def made(codec, tmp_path_factory):
    """A source of 20 samples with a field `psnr` of its own, and the dataset of it, measured."""
    root = tmp_path_factory.mktemp("made")
    (root / "photos").mkdir()
    for number in range(20):
        window("chelsea", number, (32, 40)).save(root / "photos" / f"{number:02d}.png")
    lines = ["file_name,label,psnr", *(f"{number:02d}.png,{'cat' if number % 3 else 'dog'},7" for number in range(20))]
    (root / "photos" / "metadata.csv").write_text("\n".join(lines))
    options = Options(block=4, shard_samples=8, coder="zstd", measure=("psnr", "bytes"))
    result = shard_dataset(root / "photos", root / "out", codec=codec, reader=ImageReader(size=32), options=options)
    assert "field 'psnr' is stored as 'psnr_'" in result.notes
    return root


def payloads(folder):
    """Bytes of the payload of each sample, by key."""
    found = {}
    for tar in sorted(folder.glob("*.tar")):
        data = tar.read_bytes()
        for offset, size, _ in read_index(tar.with_suffix(".idx"))[0].tolist():
            record = Record.parse(data, offset=offset, size=size, where=tar.name)
            found |= dict(zip(record.columns(data, where=tar.name)["key"], record.segments[:, 1].tolist(), strict=True))
    return found


def by_key(folder, *columns):
    return {key: values for _, key, *values in LatentDataset(folder, columns=("key", *columns))}


def test_bytes_and_psnr_of_each_sample_are_columns(made):
    out, manifest = made / "out", Manifest.read(made / "out")
    assert {name: manifest.columns[name] for name in ("bytes", "psnr", "psnr_")} == {
        "bytes": "int32",
        "psnr": "float32",
        "psnr_": "int64",
    }
    sizes = payloads(out)
    assert {key: size for key, (size, _) in by_key(out, "bytes", "psnr").items()} == sizes
    assert sum(sizes.values()) == manifest.summary.payload_bytes
    figures = {key: float(psnr) for key, (psnr,) in by_key(out, "psnr").items()}
    assert np.mean(list(figures.values())) == pytest.approx(manifest.summary.psnr, abs=0.01)
    again = compare_dataset(out, made / "photos", samples=20)
    assert again.differs == []
    assert {key: pytest.approx(psnr, abs=1e-3) for (_, key), psnr in again.psnr.items()} == figures


def test_samples_are_chosen_by_their_figures(made, tmp_path):
    figures = by_key(made / "out", "psnr", "label")
    middle = float(np.median([float(psnr) for psnr, _ in figures.values()]))
    filter_dataset(made / "out", tmp_path / "some", f"psnr > {middle} and label in (1, 5)")
    wanted = {key for key, (psnr, label) in figures.items() if psnr > middle and label == 1}
    assert by_key(tmp_path / "some").keys() == wanted != set()


def test_figures_are_of_what_is_stored_now(made, tmp_path):
    rans = transcode_dataset(made / "out", tmp_path / "rans", coder="rans")
    assert {key: size for key, (size,) in by_key(tmp_path / "rans", "bytes").items()} == payloads(tmp_path / "rans")
    assert payloads(tmp_path / "rans") != payloads(made / "out")
    assert (rans.notes, rans.manifest.columns["psnr"]) == ((), "float32")
    less = transcode_dataset(made / "out", tmp_path / "less", channels=6)
    assert less.notes == ("column 'psnr' is left out: it was of the latents before",)
    assert "psnr" not in less.manifest.columns
    assert less.manifest.columns["psnr_"] == "int64"
    assert less.manifest.options["write"]["measure"] == ["bytes"]
    back = transcode_dataset(tmp_path / "rans", tmp_path / "zstd", coder="zstd").manifest
    assert back.statistics == Manifest.read(made / "out").statistics
    assert back.digest == Manifest.read(made / "out").digest


def test_statistics_are_those_of_all_latents(made, dataset, capsys):
    for out in (made / "out", dataset):
        manifest = Manifest.read(out)
        latents = np.concatenate(
            [np.stack([x.numpy() for x, _ in LatentDataset(out, split)]) for split in manifest.splits]
        )
        whole = latents.transpose(1, 0, 2, 3).reshape(latents.shape[1], -1).astype(float)
        assert np.allclose(manifest.statistics["mean"], whole.mean(1), atol=1e-4)
        assert np.allclose(manifest.statistics["std"], whole.std(1), atol=1e-4)
        bits = sum(manifest.statistics["bits"]) / 12
        assert 0.5 * manifest.summary.bits_per_latent < bits < 1.5 * manifest.summary.bits_per_latent
    assert "bytes" not in Manifest.read(dataset).columns
    assert main(["info", str(made / "out")]) == 0
    said = capsys.readouterr().out
    assert "means of latents by channel (all samples)" in said
    assert "standard deviations of latents by channel" in said
    assert "column  psnr: " in said


def test_what_is_appended_is_measured_too_and_repaired_to_the_byte(made, tmp_path):
    out, source = (shutil.copytree(made / name, tmp_path / name) for name in ("out", "photos"))
    first = contents(out)
    (out / "walloc.json").write_bytes(first["walloc.json"].replace(b'"std"', b'"sdt"'))
    (out / "train-00001.tar").unlink()
    repair_dataset(out, source)
    assert contents(out) == first
    for number in range(20, 30):
        window("chelsea", number, (32, 40)).save(source / f"{number:02d}.png")
    with (source / "metadata.csv").open("a") as file:
        file.write("\n" + "\n".join(f"{number:02d}.png,cat,7" for number in range(20, 30)))
    append_dataset(out, source)
    now, whole = Manifest.read(out), transcode_dataset(out, tmp_path / "anew", shard_samples=100).manifest
    for name, numbers in whole.statistics.items():
        assert np.allclose(now.statistics[name], numbers, atol=0.5 if name == "bits" else 1e-3)
    assert {key: size for key, (size,) in by_key(out, "bytes").items()} == payloads(out)


def test_what_cannot_be_is_refused(made, copy, tmp_path, capsys):
    with pytest.raises(DatasetError, match="is not some of"):
        Options(measure=("ssim",))
    command = ["shard", str(made / "photos"), str(tmp_path / "new"), "--measure", "quality"]
    assert main(command) == 1
    assert "measure=('quality',) is not some of ('bytes', 'psnr')" in capsys.readouterr().err
    manifest = json.loads((copy / "walloc.json").read_text("utf-8"))
    for wrong in ([1], {"mean": 3}, {"mean": ["a"]}):
        (copy / "walloc.json").write_text(json.dumps({**manifest, "statistics": wrong}), "utf-8")
        with pytest.raises(FormatError, match="statistics must be lists of numbers"):
            LatentDataset(copy)
    del manifest["statistics"]
    (copy / "walloc.json").write_text(json.dumps(manifest), "utf-8")
    assert LatentDataset(copy).codec.fingerprint == load_codec("rgb-f8c12").fingerprint
    assert main(["info", str(copy)]) == 0
    assert "means of latents" not in capsys.readouterr().out
