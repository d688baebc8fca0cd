"""Datasets of datasets, and what is appended to one, at places elsewhere: the bytes of a folder, after kills too."""

import shutil

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tests.photographs import contents, window
from walloc_data import (
    ImageReader,
    LatentDataset,
    Options,
    StorageOptions,
    append_dataset,
    filter_dataset,
    merge_datasets,
    shard_dataset,
    transcode_dataset,
    verify_dataset,
)
from walloc_data.cli import main
from walloc_data.errors import DatasetError
from walloc_data.format import Manifest

JOURNAL = ".walloc-journal.jsonl"
FRESH = StorageOptions(cache_bytes=0)  # other tests have other datasets at places of these names


def stored(system, name):
    at = f"/bucket/{name}/"
    return {path.removeprefix(at): system.cat_file(path) for path in system.find(at)}


def test_all_four_verbs_write_there_what_they_write_here(memory, dataset, tmp_path, capsys):
    transcode_dataset(dataset, tmp_path / "zstd", coder="zstd")
    assert main(["transcode", str(dataset), "memory://bucket/zstd", "--coder", "zstd"]) == 0
    assert capsys.readouterr().out.startswith("memory://bucket/zstd: 72 samples")
    assert stored(memory, "zstd") == contents(tmp_path / "zstd")
    assert transcode_dataset(dataset, "memory://bucket/zstd", coder="zstd").written == 0
    with pytest.raises(DatasetError, match=r"^memory://bucket/zstd holds another dataset"):
        transcode_dataset(dataset, "memory://bucket/zstd", coder="zstd", block=2)
    filter_dataset(
        "memory://bucket/zstd", "memory://bucket/first", "label == 0", storage=FRESH
    )  # read there, and written there
    filter_dataset(tmp_path / "zstd", tmp_path / "first", "label == 0")
    here, there = contents(tmp_path / "first"), stored(memory, "first")
    assert here.pop(JOURNAL) != there.pop(JOURNAL)  # which names where it came from
    assert there == here
    filter_dataset(dataset, (tmp_path / "rest").as_uri(), "label != 0", coder="zstd")
    merged = merge_datasets(
        ["memory://bucket/first", tmp_path / "rest"], "memory://bucket/both", shard_samples=16, storage=FRESH
    )
    assert merged.manifest.summary.samples == 72
    assert verify_dataset("memory://bucket/both", deep=True) == []
    with pytest.raises(DatasetError, match="a web server cannot be written to"):
        transcode_dataset(dataset, "https://example.org/name")


def stopping(monkeypatch, name):
    """Have the disk there be full when a file of that name comes."""
    put = MemoryFileSystem.put_file

    def full(self, here, there, **rest):
        if there.endswith(name):
            raise OSError(28, "No space left on device")
        return put(self, here, there, **rest)

    monkeypatch.setattr(MemoryFileSystem, "put_file", full)


def test_a_transcoding_that_stops_is_gone_on_with(memory, dataset, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stopping(patch, "train-00002.tar")
        with pytest.raises(DatasetError, match=r"^memory://bucket/out/train-00002.tar: cannot be written \(No space"):
            transcode_dataset(dataset, "memory://bucket/out", channels=6)
    assert {"train-00001.tar", "train-00001.idx", JOURNAL} <= stored(memory, "out").keys()
    assert "walloc.json" not in stored(memory, "out")
    assert transcode_dataset(dataset, "memory://bucket/out", channels=6).written == 72 - 2 * 16
    transcode_dataset(dataset, tmp_path / "out", channels=6)
    assert stored(memory, "out") == contents(tmp_path / "out")


def add(folder, numbers):
    folder.mkdir(exist_ok=True)
    for number in numbers:
        window("chelsea", number, (32, 40)).save(folder / f"{number:03d}.png")


def test_a_dataset_there_grows_as_one_here(memory, codec, tmp_path, monkeypatch):
    options, reader = Options(block=4, shard_samples=8), ImageReader(size=32)
    source, url = tmp_path / "photos", "memory://bucket/out"
    with pytest.raises(DatasetError, match=r"^memory://bucket/none/walloc.json: not found"):
        append_dataset("memory://bucket/none", source)
    add(source, range(12))
    for out in (tmp_path / "out", url):
        shard_dataset(source, out, codec=codec, reader=reader, options=options)
    first = stored(memory, "out")
    add(source, range(12, 30))
    assert append_dataset(tmp_path / "out", source).added == 18
    with monkeypatch.context() as patch:
        stopping(patch, "train-00003.tar")
        with pytest.raises(DatasetError, match=r"train-00003.tar: cannot be written"):
            append_dataset(url, source)
    left = stored(memory, "out")
    assert {name: left[name] for name in first} == first  # it is what it was
    assert "train-00002.tar" in left
    assert len(LatentDataset(url, storage=FRESH)) == 12
    result = append_dataset(url, source)
    assert (result.added, result.shards) == (18, 3)
    assert stored(memory, "out") == contents(tmp_path / "out")
    assert verify_dataset(url, deep=True) == []
    assert append_dataset(url, source).added == 0
    add(source, [30])
    shutil.copy(source / "030.png", source / "031.png")
    (source / "metadata.csv").write_text("file_name,more\n030.png,1\n")
    with pytest.raises(DatasetError, match="nothing was appended"):
        append_dataset(url, source)
    assert stored(memory, "out") == contents(tmp_path / "out")


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
def test_the_hub_too(hub, dataset, codec, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.token("ann"))
    add(tmp_path / "photos", range(6))
    options = Options(block=4, shard_samples=8)
    shard_dataset(tmp_path / "photos", "hf://ann/first", codec=codec, reader=ImageReader(size=32), options=options)
    made = transcode_dataset("hf://ann/first", "hf://ann/coarse", coarser=2, storage=FRESH)
    assert made.manifest.summary.samples == 6
    add(tmp_path / "photos", range(6, 9))
    assert append_dataset("hf://ann/first", tmp_path / "photos").added == 3
    files = hub.dataset("ann/first").files()
    assert {"train-00001.tar", "train-00001.idx"} < files.keys()
    assert ".walloc-append.jsonl" not in files
    assert hub.dataset("ann/first").messages[-3:] == [
        ".walloc-append.jsonl",
        "A shard",  # and the manifest that names it
        ".walloc-journal.jsonl",
    ]
    assert "9 samples" in files["README.md"].data.decode()
    assert Manifest.parse(files["walloc.json"].data, "").summary.samples == 9
