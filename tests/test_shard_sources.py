"""Sources that change, vanish or come back: nothing is mixed, nothing is lost, and what differs is named."""

import errno
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.photographs import made, window
from tests.test_shard import JOURNAL, SMALL, all_keys, many, run, run_small, start, whole  # noqa: F401
from walloc_data import LatentDataset, open_source
from walloc_data.errors import DatasetError, SampleError, SourceError
from walloc_data.format import Manifest
from walloc_data.signals import ImageReader
from walloc_data.sources import Raw, Source


@pytest.fixture
def source(photos, tmp_path):
    return shutil.copytree(photos, tmp_path / "photos")


@pytest.fixture
def out(source, dataset, tmp_path):
    """A complete dataset of it."""
    out = shutil.copytree(dataset, tmp_path / "out")
    head, *lines = (out / JOURNAL).read_text().splitlines(keepends=True)
    asked = json.loads(head) | {"source": str(source)}
    del asked["crc32"]  # which is of another source; a line may lack it, as those of 0.1 do
    head = json.dumps(asked)
    (out / JOURNAL).write_text("".join([head + "\n", *lines]))
    return out


def broken(path):
    """Break a picture, and give what mends it, with the size and time that the broken one has."""
    data = path.read_bytes()
    path.write_bytes(bytes(len(data)))
    found = path.stat()

    def mend():
        path.write_bytes(data)
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))

    return mend


def edit(path):
    """Another picture of as many bytes."""
    size = path.stat().st_size
    window("astronaut", 777).save(path, quality=40)
    path.write_bytes(path.read_bytes().ljust(size, b"\0"))
    assert path.stat().st_size == size


def shard_of(out, key):
    """The name of the shard that holds a sample."""
    manifest, split = Manifest.read(out), key.split("/")[0]
    place = all_keys(out, split).index(key)
    ends = np.cumsum([shard.samples for shard in manifest.splits[split]])
    return manifest.splits[split][int(np.searchsorted(ends, place, side="right"))].name


def latents(out):
    """Latents and labels by key."""
    found = {}
    for split in Manifest.read(out).splits:
        dataset = LatentDataset(out, split)
        found |= {dataset.fields(i)["key"]: (dataset[i][0].tolist(), dataset[i][1]) for i in range(len(dataset))}
    return found


def test_files_edited_between_two_runs_are_all_read_anew(source, out, codec, tmp_path):
    first, last = "train/chelsea/003.jpg", "val/flower/001.jpg"
    names = shard_of(out, first), shard_of(out, last)
    shutil.rmtree(out)
    mend = broken(source / "val" / "chelsea" / "002.jpg")
    with pytest.raises(SampleError):
        run(source, out, codec, on_error="stop")
    mend()
    assert (out / names[0]).exists()
    assert not (out / names[1]).exists()
    for key in (first, last):
        edit(source / key)
    assert run(source, out, codec).notes == (f"made again: 1 shards ({names[0][:-4]}), whose files have changed since",)
    run(source, tmp_path / "anew", codec)
    assert latents(out) == latents(tmp_path / "anew")
    assert run(source, out, codec).written == 0


def test_a_file_edited_after_completion_costs_its_shard_alone(source, out, codec, tmp_path):
    key = "train/astronaut/011.jpg"
    edit(source / key)
    name, before = shard_of(out, key), {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    tables = (out / "codec.safetensors").read_bytes()
    again = run(source, out, codec)
    assert again.notes == (f"made again: 1 shards ({name[:-4]}), whose files have changed since",)
    changed = {path.name for path in out.glob("train-*") if path.stat().st_mtime_ns != before[path.name]}
    assert changed == {name, name.replace(".tar", ".idx")}
    assert (out / "codec.safetensors").read_bytes() == tables
    run(source, tmp_path / "anew", codec)
    assert latents(out) == latents(tmp_path / "anew")
    assert run(source, out, codec).written == 0


def test_killed_while_it_makes_shards_again_and_run_once_more(many, whole, codec, tmp_path):  # noqa: F811
    source, out = shutil.copytree(many, tmp_path / "many"), tmp_path / "out"
    run_small(source, out, codec)
    stood = {path.name: path.stat().st_mtime_ns for path in out.glob("*.tar")}
    for path in sorted((source / "chelsea").iterdir())[::2]:
        os.utime(path, (0, 0))  # the same pictures, as far as anyone can tell edited
    process = start(source, out, *SMALL, "--workers", 2)
    changed = set()
    while process.poll() is None and len(changed) < 3:
        found = {path.name: path.stat().st_mtime_ns for path in out.glob("*.tar")}
        changed = {name for name in stood if found.get(name, stood[name]) != stood[name]}
    process.kill()
    process.communicate(timeout=60)
    assert len(changed) >= 3
    assert not (out / "walloc.json").exists()
    summary = run_small(source, out, codec)
    assert 0 < summary.written < 150
    assert made(out) == made(whole)
    assert run_small(source, out, codec).written == 0


def test_without_its_journal_a_complete_dataset_is_refused_where_files_have_changed(source, out, codec):
    (out / JOURNAL).unlink()
    assert run(source, out, codec).written == 0
    edit(source / "val" / "flower" / "000.jpg")
    with pytest.raises(DatasetError, match=r"files of val-00000\.tar have changed since, and without"):
        run(source, out, codec)


@pytest.mark.parametrize("finished", [True, False])
def test_what_was_added_and_removed_is_named(source, out, codec, finished):
    if not finished:
        (out / "walloc.json").unlink()
    shutil.copy(source / "train" / "flower" / "000.jpg", source / "train" / "flower" / "new.jpg")
    (source / "val" / "chelsea" / "000.jpg").unlink()
    (source / "val" / "chelsea" / "001.jpg").unlink()
    before = made(out)
    with pytest.raises(DatasetError) as caught:
        run(source, out, codec)
    assert (
        "(1 sample is new in train ('train/flower/new.jpg'); 2 samples are gone from val ('val/chelsea/000.jpg', "
        "'val/chelsea/001.jpg'))" in str(caught.value)
    )
    assert finished or "put the source back as it was to finish it" in str(caught.value)
    assert made(out) == before


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("journal", [True, False])
def test_options_that_differ_are_named(source, out, codec, finished, journal):
    if not finished:
        (out / "walloc.json").unlink()
    if not journal:
        (out / JOURNAL).write_text(json.dumps({"plan": "0123456789abcdef", "source": str(source)}) + "\n")
    with pytest.raises(DatasetError) as caught:
        run(source, out, codec, seed=5, size=32)
    assert ("(size was 64 and is now 32; seed was 0 and is now 5)" in str(caught.value)) == (finished or journal)


def test_a_moved_source_is_named(source, out, codec, photos):
    (out / "walloc.json").unlink()
    with pytest.raises(DatasetError, match=rf"unfinished dataset of another source, {source}: name that"):
        run(photos, out, codec)


def test_labels_that_differ_are_told_apart_from_files(source, out, codec):
    opened = open_source(source, suffixes=ImageReader().suffixes)
    train = opened.splits["train"]
    train.fields["label"][:] = train.fields["label"][::-1].copy()
    with pytest.raises(DatasetError, match="fields of the samples, such as labels, or their order"):
        run(opened, out, codec)


def test_what_was_passed_over_is_tried_again(source, codec, tmp_path):
    keys = ["train/chelsea/003.jpg", "val/astronaut/001.jpg", "val/flower/000.jpg"]
    mending = [broken(source / key) for key in keys]
    out = tmp_path / "out"
    assert run(source, out, codec).skipped == 3
    assert run(source, out, codec).written == 0
    with pytest.raises(SampleError):
        run(source, out, codec, on_error="stop")
    assert Manifest.read(out).summary.skipped == 3
    mending[0]()
    again = run(source, out, codec)
    assert (again.samples, again.skipped, again.written) == (70, 2, 16)
    assert "since samples that could not be read can be now" in again.notes[0]
    for mend in mending[1:]:
        mend()
    assert run(source, out, codec).samples == 72
    assert not (out / "errors.jsonl").exists()
    run(source, tmp_path / "anew", codec)
    assert latents(out) == latents(tmp_path / "anew")


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_gone_while_it_is_read_stops_the_run_and_loses_nothing(source, codec, tmp_path, workers):
    out, away = tmp_path / "out", source / "train" / "flower"
    mend = broken(source / "val" / "chelsea" / "002.jpg")
    with pytest.raises(SampleError):
        run(source, out, codec, on_error="stop")  # so that the coder's tables are there
    for path in out.glob("train-0000[12].*"):
        path.unlink()
    mend()
    listed = open_source(source, suffixes=ImageReader().suffixes)
    away.rename(tmp_path / "away")
    with pytest.raises(SourceError, match=r"train/flower/\d+\.jpg: cannot be read \(No such file"):
        run(listed, out, codec, workers=workers)
    assert not (out / "walloc.json").exists()
    (tmp_path / "away").rename(away)
    assert run(source, out, codec).skipped == 0
    assert latents(out).keys() == {key for split in ("train", "val") for key in listed.splits[split].names}


@dataclass
class Failing:
    """A split whose third sample cannot be had."""

    error: Exception

    def __len__(self):
        return 6

    def key(self, index):
        return f"sample{index}"

    def stamp(self, index):
        return ""

    def digest(self):
        return "failing"

    def __getitem__(self, index):
        if index == 2:
            raise self.error
        return Raw(np.asarray(window("chelsea", index)), self.key(index), {})


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (OSError(errno.EMFILE, "Too many open files"), SourceError, "sample2: cannot be read .Too many open files"),
        (OSError(errno.ESTALE, "Stale file handle"), SourceError, "sample2: cannot be read .Stale"),
        (MemoryError(), DatasetError, "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), DatasetError, "not enough memory"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_the_machine_says_is_no_fault_of_a_sample(codec, tmp_path, error, kind, message, workers):
    with pytest.raises(kind, match=message):
        run(Source("a list", {"train": Failing(error)}), tmp_path / "out", codec, workers=workers)
    assert not (tmp_path / "out" / "walloc.json").exists()


def test_the_coder_is_fitted_to_whatever_can_be_read(source, codec, tmp_path):
    for path in (source / "train").rglob("*.jpg"):
        path.write_text("text")
    assert run(source, tmp_path / "out", codec).samples == 12


def test_what_a_coder_is_fitted_to_is_decoded_once_unless_it_changes(source, codec, tmp_path, monkeypatch):
    seen, to_edit, read = [], [], ImageReader.read

    def counted(reader, data, name):
        seen.append(name)
        while to_edit:
            edit(to_edit.pop())  # once its bytes have been read
        return read(reader, data, name)

    monkeypatch.setattr(ImageReader, "read", counted)
    run(source, tmp_path / "once", codec)
    assert sorted(seen) == sorted(str(path) for path in source.rglob("*.jpg"))
    first = seen[0]
    to_edit.append(Path(first))
    seen.clear()
    run(source, tmp_path / "edited", codec)
    assert sorted(seen) == sorted([first, *(str(path) for path in source.rglob("*.jpg"))])
    run(source, tmp_path / "after", codec)
    assert latents(tmp_path / "edited") == latents(tmp_path / "after") != latents(tmp_path / "once")
