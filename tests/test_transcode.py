"""Datasets of datasets: coded and cut otherwise and back, byte by byte; merged; filtered."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.http_server import FileServer
from tests.photographs import contents, window
from walloc_data import (
    ImageReader,
    LatentDataset,
    Options,
    filter_dataset,
    load_codec,
    merge_datasets,
    repair_dataset,
    shard_dataset,
    transcode_dataset,
    verify_dataset,
)
from walloc_data.cli import main
from walloc_data.errors import CodecError, CoderError, DatasetError, FormatError
from walloc_data.format import Manifest

GOLDEN = Path(__file__).parent / "golden"
OTHERWISE = {"plan", "lineage", "checksum"}  # of the manifest, after there and back


def stored(folder):
    """The bytes of all files, but of the journal, and the manifest as far as it stays."""
    found = contents(folder)
    found.pop(".walloc-journal.jsonl", None)
    manifest = json.loads(found.pop("walloc.json"))
    return found, {name: value for name, value in manifest.items() if name not in OTHERWISE}


@pytest.fixture(scope="module", params=["records", "samples", "ragged"])
def made(request, codec, tmp_path_factory):
    """A dataset coded by `zstd`, of three splits' worth of everything: two splits, fields, one sample lost."""
    root = tmp_path_factory.mktemp(request.param)
    for number in range(40):
        folder = root / "photos" / ("val" if number > 31 else "train") / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        size = (40 + number % 3, 48) if request.param == "ragged" else (32, 40)
        window("chelsea", number, size).save(folder / f"{number:02d}.png")
    (root / "photos" / "train" / "cat" / "broken.png").write_bytes(b"no picture")
    whole = {"resize": "none", "crop": "none"} if request.param == "ragged" else {"size": 32}
    layout = request.param if request.param != "ragged" else "records"
    options = Options(layout=layout, block=4, shard_samples=10, coder="zstd")
    shard_dataset(root / "photos", root / "out", codec=codec, reader=ImageReader(**whole), options=options)
    return root / "out"


def test_there_and_back_gives_the_first_bytes_again(made, tmp_path):
    there = transcode_dataset(made, tmp_path / "rans", coder="rans")
    assert (there.written, there.manifest.coder) == (40, "rans")
    back = transcode_dataset(tmp_path / "rans", tmp_path / "zstd", coder="zstd").manifest
    first, again = stored(made), stored(tmp_path / "zstd")
    first[0].pop("errors.jsonl")  # is of the source
    assert again == first
    assert verify_dataset(tmp_path / "rans", deep=True) == verify_dataset(tmp_path / "zstd", deep=True) == []
    assert [step["verb"] for step in back.lineage] == ["transcode", "transcode"]
    assert back.lineage[0]["of"][0]["dataset"] == Manifest.read(made).digest == back.digest
    assert back.lineage[1]["of"][0]["dataset"] == there.manifest.digest != back.digest
    assert back.lineage[0]["options"] == {"coder": "rans"}
    third = transcode_dataset(tmp_path / "zstd", tmp_path / "third", coder="rans")
    assert third.manifest.digest == there.manifest.digest


def samples(folder, split="train"):
    """Latents and all columns of each sample, by key."""
    dataset = LatentDataset(folder, split, columns=())
    fields = [dataset.fields(number) for number in range(len(dataset))]
    return {each["key"]: (dataset[number][0], each) for number, each in enumerate(fields)}


def same(one, other):
    return one.keys() == other.keys() and all(
        bool((one[key][0] == other[key][0]).all()) and one[key][1] == other[key][1] for key in one
    )


@pytest.mark.parametrize(
    "changes", [{"layout": "samples"}, {"block": 3}, {"shard_samples": 25}, {"layout": "samples", "shard_samples": 7}]
)
def test_layout_and_size_of_shards_change_and_samples_do_not(dataset, tmp_path, changes):
    made = transcode_dataset(dataset, tmp_path / "other", **changes).manifest
    assert same(samples(tmp_path / "other"), samples(dataset))
    assert verify_dataset(tmp_path / "other", deep=True) == []
    assert made.codec_sha256 == Manifest.read(dataset).codec_sha256  # the coder stays, with its tables
    assert [made.layout, made.block] == [changes.get("layout", "records"), changes.get("block", 8)]
    if "shard_samples" not in changes:
        transcode_dataset(tmp_path / "other", tmp_path / "back", layout="records", block=8)
        first, again = stored(dataset), stored(tmp_path / "back")
        assert again == first


def test_prefixes_and_coarser_steps_without_the_source(dataset, codec, tmp_path):
    made = transcode_dataset(dataset, tmp_path / "less", channels=5, coarser=2).manifest
    assert transcode_dataset(dataset, tmp_path / "less", channels=np.int64(5), coarser=2.0).written == 0
    first, less = samples(dataset), samples(tmp_path / "less")
    assert made.fingerprint == codec.prefix(5).coarser(2).fingerprint
    for key, (latents, fields) in first.items():
        assert np.array_equal(less[key][0], np.rint(latents[:5].numpy() / 2))
        assert less[key][1] == fields
    before, now = (LatentDataset(folder, decode="pixels", channels=5)[0][0] for folder in (dataset, tmp_path / "less"))
    assert 20 < -10 * ((now - before) ** 2).mean().log10() < 60
    assert made.summary.psnr is None
    assert made.summary.latents == 5 * Manifest.read(dataset).summary.latents // 12


def test_any_number_of_workers_gives_the_same_bytes_and_a_url_too(dataset, tmp_path):
    transcode_dataset(dataset, tmp_path / "one", coder="zstd")
    transcode_dataset(dataset, tmp_path / "two", coder="zstd", workers=2)
    with FileServer(dataset) as server:
        transcode_dataset(server.url, tmp_path / "away", coder="zstd")
    assert stored(tmp_path / "one") == stored(tmp_path / "two") == stored(tmp_path / "away")


def test_damage_is_named_and_the_same_command_goes_on_once_it_is_mended(copy, tmp_path, capsys):
    whole = (copy / "train-00002.tar").read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 3] ^= 1
    (copy / "train-00002.tar").write_bytes(damaged)
    out = tmp_path / "out"
    arguments = ["transcode", str(copy), str(out), "--coder", "zstd", "--workers", "1"]
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert "train-00002.tar, record at byte" in said
    assert said.count("\n") == 1
    assert not (out / "walloc.json").exists()
    assert {path.name for path in out.glob("*.tar")} == {"train-00000.tar", "train-00001.tar"}
    with pytest.raises(FormatError, match="is an unfinished dataset"):
        LatentDataset(out)
    first = (out / "train-00000.tar").stat()
    (copy / "train-00002.tar").write_bytes(whole)
    assert main(arguments) == 0
    assert (out / "train-00000.tar").stat() == first
    transcode_dataset(copy, tmp_path / "at once", coder="zstd")
    assert stored(out) == stored(tmp_path / "at once")
    assert main(arguments) == 0
    assert "complete already" in capsys.readouterr().out
    for name in ("train-00001.tar", "train-00000.idx", "codec.safetensors"):
        (out / name).unlink()
    with pytest.raises(DatasetError, match="delete them and run the same walloc transcode again"):
        repair_dataset(out, copy)
    assert main(arguments) == 0
    assert stored(out) == stored(tmp_path / "at once")


@pytest.mark.parametrize("layout", ["records", "samples"])
def test_what_version_0_1_wrote_is_written_as_today(layout, tmp_path):
    first = GOLDEN / "0.1" / layout
    made = transcode_dataset(first, tmp_path / "out").manifest
    assert verify_dataset(tmp_path / "out", deep=True) == []
    assert same(samples(tmp_path / "out"), samples(first))
    assert made.sealed
    assert made.columns["label"] == "int32"


def test_where_it_cannot_be_done_a_sentence_says_so(dataset, samples_dataset, tmp_path):
    with pytest.raises(DatasetError, match="holds another dataset, or one made of other datasets"):
        transcode_dataset(dataset, shutil.copytree(samples_dataset, tmp_path / "other"))
    transcode_dataset(dataset, tmp_path / "out", coder="zstd")
    with pytest.raises(DatasetError, match="with other options: choose another folder"):
        transcode_dataset(dataset, tmp_path / "out", block=2)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    with pytest.raises(DatasetError, match="is not empty and holds no dataset"):
        transcode_dataset(dataset, tmp_path / "full")
    with pytest.raises(CoderError, match="no coder 'gzip'"):
        transcode_dataset(dataset, tmp_path / "new", coder="gzip")
    with pytest.raises(DatasetError, match=r"channels=1\.5 is not a whole number"):
        transcode_dataset(dataset, tmp_path / "new", channels=1.5)
    with pytest.raises(CodecError, match="take 1 to 12, not 13"):
        transcode_dataset(dataset, tmp_path / "new", channels=13)
    with pytest.raises(CodecError, match="from 1 on"):
        transcode_dataset(dataset, tmp_path / "new", coarser=0.5)
    with pytest.raises(DatasetError, match="layout 'rows'"):
        transcode_dataset(dataset, tmp_path / "new", layout="rows")
    with pytest.raises(DatasetError, match="a web server cannot be written to"):
        transcode_dataset(dataset, "https://example.org/name")
    assert not (tmp_path / "new").exists()


def test_names_that_lead_out_of_the_folder_are_refused(copy, tmp_path):
    manifest = json.loads((copy / "walloc.json").read_text("utf-8"))
    manifest["splits"]["../../gone"] = manifest["splits"].pop("train")
    (copy / "walloc.json").write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(FormatError, match="a split has a name that none of its files can begin with"):
        transcode_dataset(copy, tmp_path / "out", shard_samples=10)
    assert not (tmp_path / "out").exists()


def test_filtered_by_what_a_dataset_says_of_its_samples(dataset, tmp_path, capsys):
    first = samples(dataset)
    wanted = {key for key, (_, fields) in first.items() if fields["label"] in (0, 2)}
    out = tmp_path / "out"
    assert main(["filter", str(dataset), str(out), "--where", "label in (0, 2)", "--shard-samples", "15"]) == 0
    assert "48 samples" in capsys.readouterr().out
    found = samples(out)
    assert found.keys() == wanted
    assert same(found, {key: first[key] for key in found})
    manifest = Manifest.read(out)
    assert manifest.lineage[-1]["options"] == {"where": "label in (0, 2)", "shard_samples": 15}
    assert [shard.samples for shard in manifest.splits["train"]] == [15, 15, 10]
    assert verify_dataset(out, deep=True) == []
    filter_dataset(dataset, tmp_path / "train", lambda fields: fields["key"].startswith("train"))
    assert list(Manifest.read(tmp_path / "train").splits) == ["train"]
    for where, says in (("label == 9", "keeps none of the samples"), ("taste > 1", "no column taste")):
        assert main(["filter", str(dataset), str(tmp_path / "new"), "--where", where]) == 1
        assert says in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.fixture(scope="module")
def halves(codec, tmp_path_factory):
    """Two datasets of one codec whose classes and columns differ."""
    root = tmp_path_factory.mktemp("halves")
    names = {"a": ["cat", "dog"], "b": ["bird", "cat"]}
    for half, classes in names.items():
        lines = ["file_name,label,score"[: None if half == "b" else 15]]
        (root / half).mkdir()
        for number in range(12):
            window("chelsea", number, (32, 32)).save(root / half / f"{half}{number}.png")
            lines.append(f"{half}{number}.png,{classes[number % 2]}" + (f",{number / 4}" if half == "b" else ""))
        (root / half / "metadata.csv").write_text("\n".join(lines) + "\n")
        options = Options(block=4, shard_samples=8, coder="rans" if half == "a" else "zstd")
        shard_dataset(root / half, root / f"{half}-out", codec=codec, reader=ImageReader(size=32), options=options)
    return root


def test_merged_classes_go_by_name(halves, tmp_path, capsys):
    a, b = halves / "a-out", halves / "b-out"
    assert main(["merge", str(tmp_path / "out"), str(a), str(b)]) == 0
    assert "note: column 'score' is not in" in capsys.readouterr().err
    manifest = Manifest.read(tmp_path / "out")
    assert manifest.classes == {"label": ["cat", "dog", "bird"]}
    assert [shard.name for shard in manifest.splits["train"]] == [f"train-{number:05d}.tar" for number in range(4)]
    assert verify_dataset(tmp_path / "out", deep=True) == []
    found = samples(tmp_path / "out")
    for half, classes in ((a, ["cat", "dog"]), (b, ["bird", "cat"])):
        for key, (latents, fields) in samples(half).items():
            again, others = found.pop(key)
            assert bool((again == latents).all())
            assert manifest.classes["label"][others["label"]] == classes[fields["label"]]
            assert others.get("score") == fields.get("score")
    assert not found
    assert manifest.columns["score"] == "json"
    assert [of["dataset"] for of in manifest.lineage[0]["of"]] == [Manifest.read(half).digest for half in (a, b)]
    assert LatentDataset(tmp_path / "out")[0][0].shape == (12, 4, 4)


def test_what_does_not_go_together_is_not_merged(halves, dataset, tmp_path):
    a, b = halves / "a-out", halves / "b-out"
    with pytest.raises(DatasetError, match=r"is called 'a\d+.png', as one of"):
        merge_datasets([a, a], tmp_path / "out")
    transcode_dataset(b, tmp_path / "coarse", coarser=2)
    with pytest.raises(DatasetError, match="only latents of one codec"):
        merge_datasets([a, tmp_path / "coarse"], tmp_path / "out")
    with pytest.raises(DatasetError, match="several datasets are merged"):
        merge_datasets([a], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert load_codec("rgb-f8c12").fingerprint == Manifest.read(a).fingerprint
    assert merge_datasets([a, dataset], tmp_path / "both").manifest.columns["latents"] == "json"
