"""Every byte of a dataset is held against something, and what is damaged is made again as it was."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.photographs import contents, window
from walloc_data import (
    ImageReader,
    Options,
    compare_dataset,
    load_codec,
    repair_dataset,
    replace_decoder,
    save_codec,
    shard_dataset,
    verify,
    verify_dataset,
)
from walloc_data.cli import main
from walloc_data.codec import read_tensors, write_tensors
from walloc_data.errors import CoderError, DatasetError, FormatError
from walloc_data.format import Manifest, is_sealed, read_index
from walloc_data.format.seal import seal
from walloc_data.storage import UnreachableError
from walloc_data.storage.local import LocalStorage

FLIPS = 60
JOURNAL = ".walloc-journal.jsonl"


def flip(path, place, mask=1):
    data = bytearray(path.read_bytes())
    data[place] ^= mask
    path.write_bytes(bytes(data))


@pytest.fixture(scope="module", params=["records", "samples"])
def made(request, codec, tmp_path_factory):
    """A source, one sample of which cannot be read, and the dataset of it in a layout."""
    root = tmp_path_factory.mktemp(request.param)
    for number in range(20):
        folder = root / "photos" / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        window("chelsea", number, (32, 40)).save(folder / f"{number:02d}.png")
    (root / "photos" / "cat" / "broken.png").write_bytes(b"no picture")
    options = Options(layout=request.param, block=4, shard_samples=8)
    shard_dataset(root / "photos", root / "out", codec=codec, reader=ImageReader(size=32), options=options)
    return root


@pytest.fixture
def source(made):
    return made / "photos"


@pytest.fixture
def out(made, tmp_path):
    return Path(shutil.copytree(made / "out", tmp_path / "out"))


@pytest.fixture
def first(made):
    return contents(made / "out")


def files(found):
    return {one.file for one in found}


def test_random_flips_are_found_and_named_and_repaired(out, source, first):
    rng = np.random.default_rng(0)
    names = sorted(set(first) - {"README.md"})
    assert {JOURNAL, "codec.safetensors", "errors.jsonl", "train-00000.idx", "train-00000.tar", "walloc.json"} < set(
        names
    )
    for number in range(FLIPS):
        name = names[number % len(names)]  # each file as often, or the codec would have most of them
        path = out / name
        flip(path, int(rng.integers(len(first[name]))), 1 << int(rng.integers(8)))
        assert name in files(verify_dataset(out, deep=True)), number
        if number < 2 * len(names):
            result = repair_dataset(out, source)
            assert result.made
            assert not result.kept
            assert contents(out) == first, (number, name)
        else:
            path.write_bytes(first[name])
    assert verify_dataset(out, deep=True) == []


def test_every_kind_of_byte_of_a_shard_is_found_and_placed(out, first):
    tar = out / "train-00000.tar"
    [entry, *_], size = read_index(tar.with_suffix(".idx"))
    record, length = int(entry["offset"]), int(entry["bytes"])
    for place, says in (
        (3, "the header of the member at byte 0 is damaged"),
        (record - 1, "the header of the member at byte 0 is damaged"),
        (record + 30, "the header is damaged (CRC32)"),
        (record + length - 1, "the columns are damaged (CRC32)"),
        (record + length, "what fills up the member at byte 0 is damaged"),
        (size - 1, "its end is damaged"),
    ):
        flip(tar, place)
        whole, *placed = verify_dataset(out, deep=True)
        assert "sha256" in whole.what
        assert [says in one.what for one in placed] == [True], placed
        tar.write_bytes(first[tar.name])
    tables = 44 + 8 * int(entry["samples"])
    flip(tar, record + tables + 20, 0xFF)
    _, placed = verify_dataset(out, deep=True)
    assert (placed.file, placed.record, placed.sample) == (tar.name, 0, 0)
    assert placed.key
    assert placed.key in placed.what
    assert [one.file for one in verify_dataset(out)] == [tar.name]


def test_what_no_sum_of_a_file_shows_deep_does(out):
    """A shard that was written wrong: its SHA-256 is that of the manifest."""
    tar = out / "train-00000.tar"
    entries, _ = read_index(tar.with_suffix(".idx"))
    flip(tar, int(entries[1]["offset"]) + 44 + 8 * int(entries[1]["samples"]) + 20, 0xFF)
    manifest = Manifest.read(out)
    shard, *others = manifest.splits["train"]
    wrong = replace(shard, sha256=hashlib.sha256(tar.read_bytes()).hexdigest())
    replace(manifest, splits={"train": [wrong, *others]}).write(out)
    assert verify_dataset(out) == []
    assert [(one.file, one.record) for one in verify_dataset(out, deep=True)] == [(tar.name, 1)]


def test_what_is_missing_is_made_again(out, source, first, capsys):
    for name in ("train-00000.tar", "train-00001.idx", "codec.safetensors", "errors.jsonl"):
        (out / name).unlink()
    assert files(verify_dataset(out)) == {"train-00000.tar", "train-00001.idx", "codec.safetensors", "errors.jsonl"}
    assert main(["verify", str(out), "--deep", "--repair", str(source)]) == 0
    assert capsys.readouterr().out.endswith(f"{out}: whole again\n")
    assert contents(out) == first


def test_without_its_journal_shards_are_made_again(out, source, first):
    (out / JOURNAL).unlink()
    flip(out / "train-00001.tar", 700)
    assert repair_dataset(out, source, workers=1).made == ["train-00001.tar"]
    assert contents(out) == {name: data for name, data in first.items() if name != JOURNAL}
    flip(out / "walloc.json", 40)
    with pytest.raises(DatasetError, match=r"without \.walloc-journal\.jsonl it cannot be made again"):
        repair_dataset(out, source)


def test_a_codec_whose_sum_is_lost_with_the_manifest_is_not_taken_for_whole(out, source, first):
    (out / "walloc.json").write_bytes(b"{}")
    data = first["codec.safetensors"]
    length = int.from_bytes(data[:8], "little")
    flip(out / "codec.safetensors", 8 + length + json.loads(data[8 : 8 + length])["codec.decoder"]["data_offsets"][0])
    damaged = contents(out)
    with pytest.raises(DatasetError, match=r"\(--codec\)"):
        repair_dataset(out, source)
    assert contents(out) == damaged
    assert repair_dataset(out, source, codec="rgb-f8c12").made == ["codec.safetensors", "walloc.json"]
    assert contents(out) == first


@pytest.mark.parametrize("name", ["fingerprint", "codec_sha256", "coder"])
def test_a_manifest_that_is_wrong_of_a_codec_takes_no_codec_of_the_users_from_it(name, source, codec, tmp_path):
    own = tmp_path / "own.safetensors"
    save_codec(codec.coarser(1.5), own)
    out = tmp_path / "out"
    shard_dataset(source, out, codec=own, reader=ImageReader(size=32))
    whole = contents(out)
    flip(out / "walloc.json", whole["walloc.json"].index(f'"{name}": "'.encode()) + len(name) + 6)
    own.unlink()
    assert "walloc.json" in files(verify_dataset(out))
    assert repair_dataset(out, source).made == ["walloc.json"]
    assert contents(out) == whole


def test_what_a_later_version_wrote_is_no_damage(out, source):
    path = out / "walloc.json"
    body = path.read_text().partition(',\n "checksum"')[0]
    path.write_text(seal(body.replace('"version": 1', '"version": 3') + "\n}\n"))
    before = contents(out)
    with pytest.raises(FormatError, match="upgrade walloc_data"):
        verify_dataset(out)
    with pytest.raises(FormatError, match="upgrade walloc_data"):
        repair_dataset(out, source)
    assert contents(out) == before


def test_a_coder_of_a_later_version_is_no_damage(out):
    tensors, facts = read_tensors(out / "codec.safetensors")
    write_tensors(out / "codec.safetensors", tensors, {**facts, "coder": "later"})
    digest = hashlib.sha256((out / "codec.safetensors").read_bytes()).hexdigest()
    replace(Manifest.read(out), codec_sha256=digest, coder="later").write(out)
    with pytest.raises(CoderError, match="later"):
        verify_dataset(out)


def test_one_command_reads_a_dataset_twice_to_repair_it(out, source, monkeypatch):
    read = []
    looked = verify._shard
    monkeypatch.setattr(verify, "_shard", lambda *given: read.append(given[1].name) or looked(*given))
    flip(out / "train-00001.tar", 700)
    assert main(["verify", str(out), "--repair", str(source)]) == 0
    assert sorted(read) == sorted(2 * [path.name for path in out.glob("*.tar")])


@pytest.mark.parametrize("readable", [True, False])
def test_manifest_and_codec_are_both_made_again(out, source, first, readable):
    (out / "walloc.json").write_bytes(first["walloc.json"].replace(b'"psnr"', b'"psnx"') if readable else b"{}")
    (out / "codec.safetensors").write_bytes(first["codec.safetensors"][:-9])
    assert repair_dataset(out, source).made == ["codec.safetensors", "walloc.json"]
    assert contents(out) == first


@pytest.mark.parametrize("name", ["records", "samples"])
def test_a_dataset_of_version_0_1_is_repaired(name, tmp_path):
    golden = Path(__file__).parent / "golden" / "0.1"
    out = Path(shutil.copytree(golden / name, tmp_path / name))
    flip(out / "train-00001.tar", 700)
    assert repair_dataset(out, golden / "source").made == ["train-00001.tar"]
    assert contents(out) == contents(golden / name)
    assert compare_dataset(out, golden / "source").differs == []


def test_a_changed_source_is_refused_or_keeps_the_shard(out, source, tmp_path, capsys):
    changed = Path(shutil.copytree(source, tmp_path / "changed"))
    tar = out / "train-00000.tar"
    flip(tar, 700)
    damaged = contents(out)
    for path in changed.rglob("*.png"):
        if path.name != "broken.png":
            window("flower", 3, (32, 40)).save(path)
    result = repair_dataset(out, changed)
    assert result.made == []
    assert "train-00000.tar comes out otherwise than it was" in result.kept[0]
    assert contents(out) == damaged
    (changed / "cat" / "99.png").write_bytes(b"")
    assert main(["verify", str(out), "--repair", str(changed)]) == 1
    assert "1 sample is new in train ('cat/99.png')" in capsys.readouterr().err
    assert contents(out) == damaged


def test_another_codec_is_refused(out, source):
    (out / "codec.safetensors").write_bytes(b"")
    with pytest.raises(DatasetError, match="and this one has"):
        repair_dataset(out, source, codec="rgb-f8c12x2")


def test_a_dataset_beside_its_source(out, source, tmp_path, capsys):
    assert main(["verify", str(out), "--against", str(source), "--samples", "5"]) == 0
    said = capsys.readouterr()
    assert "5 samples encoded again: " in said.err
    result = compare_dataset(out, source)
    assert len(result.psnr) == 20
    assert result.differs == []
    other = Path(shutil.copytree(source, tmp_path / "other"))
    (other / "cat" / "00.png").rename(other / "dog" / "00.png")
    window("flower", 3, (32, 40)).save(other / "dog" / "01.png")
    (other / "dog" / "03.png").rename(other / "dog" / "new.png")
    (other / "dog" / "05.png").write_bytes(b"no picture")
    result = compare_dataset(out, other)
    told = "\n".join(map(str, result.differs))
    for says in (
        "'cat/00.png' is not in the source",
        "'dog/00.png' of the source is missing",
        "'dog/03.png' is not in the source",
        "'dog/new.png' of the source is missing",
        "'dog/01.png' has ",
        "'dog/05.png' cannot be read in the source any more",
    ):
        assert says in told, says
    assert result.psnr["train", "dog/01.png"] < 20 < result.psnr["train", "dog/07.png"]


def test_a_split_none_of_which_could_be_read_is_not_missing(tmp_path, codec):
    for name in ("train", "val"):
        (tmp_path / "photos" / name / "cat").mkdir(parents=True)
        window("chelsea", 1, (32, 40)).save(tmp_path / "photos" / name / "cat" / f"{name}.png")
    only = tmp_path / "photos" / "val" / "cat" / "val.png"
    whole = only.read_bytes()
    only.write_bytes(b"no picture")
    shard_dataset(tmp_path / "photos", tmp_path / "out", codec=codec, reader=ImageReader(size=32))
    only.write_bytes(whole)
    assert compare_dataset(tmp_path / "out", tmp_path / "photos").differs == []
    (tmp_path / "out" / "errors.jsonl").unlink()
    assert compare_dataset(tmp_path / "out", tmp_path / "photos").differs == []
    only.with_stem("new").write_bytes(whole)
    assert ["split val" in one.what for one in compare_dataset(tmp_path / "out", tmp_path / "photos").differs] == [True]


def test_nobody_answering_is_not_what_a_dataset_lacks(out, source, monkeypatch):
    read = LocalStorage.read

    def unanswered(self, name, **options):
        if name == "errors.jsonl":
            raise UnreachableError("nobody answers")
        return read(self, name, **options)

    monkeypatch.setattr(LocalStorage, "read", unanswered)
    with pytest.raises(UnreachableError):
        compare_dataset(out, source)


def test_labels_that_differ_are_named(out, source, tmp_path):
    other = Path(shutil.copytree(source, tmp_path / "other"))
    (other / "ant").mkdir()
    window("flower", 3, (32, 40)).save(other / "ant" / "1.png")
    differs = compare_dataset(out, other, samples=30).differs
    assert [one.key for one in differs if "of the source is missing" in one.what] == ["ant/1.png"]
    labels = [one for one in differs if "has label 0, and in the source it is 1" in one.what]
    assert len(labels) == 10
    assert all(one.record is not None and one.sample is not None for one in labels)


def test_a_list_for_machines(out, capsys):
    assert main(["verify", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    tar = out / "train-00000.tar"
    entries, _ = read_index(tar.with_suffix(".idx"))
    flip(tar, int(entries[0]["offset"]) + 44 + 8 * int(entries[0]["samples"]) + 20, 0xFF)
    assert main(["verify", str(out), "--json", "--deep"]) == 1
    whole, placed = json.loads(capsys.readouterr().out)
    assert whole.keys() == placed.keys() == {"shard", "record", "sample", "key", "what"}
    assert (whole["shard"], whole["record"]) == (tar.name, None)
    assert (placed["shard"], placed["record"], placed["sample"]) == (tar.name, 0, 0)


def test_check_goes_on_working(out, capsys):
    assert main(["check", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: whole\n"
    flip(out / "train-00000.tar", 700)
    assert main(["check", str(out)]) == 1


def test_a_better_decoder_leaves_it_whole(out, codec):
    replace_decoder(out, load_codec("rgb-f8c12"))
    assert is_sealed((out / "walloc.json").read_bytes())
    assert verify_dataset(out, deep=True) == []


@pytest.mark.parametrize("name", ["records", "samples", "ragged"])
def test_datasets_of_former_versions_are_whole(name):
    golden = Path(__file__).parent / "golden" / name
    assert is_sealed((golden / "walloc.json").read_bytes()) is None
    assert verify_dataset(golden, deep=True) == []


def test_what_is_no_dataset_is_said_to_be_none(tmp_path):
    with pytest.raises(FormatError, match="is not there"):
        verify_dataset(tmp_path / "none", deep=True)
    with pytest.raises(DatasetError, match="a folder of this machine"):
        repair_dataset("hf://user/name", tmp_path)
