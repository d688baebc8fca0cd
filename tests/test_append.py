"""A source that grows: new samples become new shards, and of the old ones no byte is written."""

import json
import shutil
from pathlib import Path

import pytest

from tests.photographs import contents, window
from walloc_data import (
    ImageReader,
    LatentDataset,
    Options,
    StreamingLatentDataset,
    append_dataset,
    compare_dataset,
    filter_dataset,
    merge_datasets,
    repair_dataset,
    shard_dataset,
    transcode_dataset,
    verify_dataset,
)
from walloc_data.append import run as append_run
from walloc_data.cli import main
from walloc_data.errors import DatasetError, FormatError, SampleError
from walloc_data.format import Manifest
from walloc_data.originals import Originals
from walloc_data.write import tasks

JOURNAL, UNDER_WAY = ".walloc-journal.jsonl", ".walloc-append.jsonl"
GOLDEN = Path(__file__).parent / "golden"


def add(root, numbers, classes=("cat", "dog"), split="train"):
    for number in numbers:
        folder = root / split / classes[number % len(classes)]
        folder.mkdir(parents=True, exist_ok=True)
        window("chelsea", number, (32, 40)).save(folder / f"{number:03d}.png")


@pytest.fixture(scope="module")
def small(codec, tmp_path_factory):
    """A source of 24 samples, and the dataset of it, in shards of 10."""
    root = tmp_path_factory.mktemp("small")
    add(root / "photos", range(24))
    options = Options(block=4, shard_samples=10)
    shard_dataset(root / "photos", root / "out", codec=codec, reader=ImageReader(size=32), options=options)
    return root


@pytest.fixture
def source(small, tmp_path):
    return Path(shutil.copytree(small / "photos", tmp_path / "photos"))


@pytest.fixture
def out(small, tmp_path):
    """The dataset, as if made of `source`, which has the same files at the same times."""
    return Path(shutil.copytree(small / "out", tmp_path / "out"))


def stats(folder):
    """What a write to any shard would change."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.glob("train-*")}


def labels(folder, split="train"):
    """The name of each sample's class, by key."""
    dataset = LatentDataset(folder, split, columns=("label", "key"))
    return {key: dataset.classes[label] for _, label, key in dataset}


def test_no_byte_of_old_shards_is_written_and_all_new_samples_are_there(small, out, source, tmp_path):
    before, old, manifest = stats(out), contents(out), Manifest.read(out)
    add(source, range(24, 36))
    add(source, range(3), split="val")
    result = append_dataset(out, source)
    assert (result.added, result.shards, result.there, result.notes) == (15, 3, 24, ())
    assert before.items() <= stats(out).items()
    assert {name: data for name, data in contents(out).items() if name in before} == {
        name: old[name] for name in before
    }
    assert contents(out)["codec.safetensors"] == old["codec.safetensors"]
    now = Manifest.read(out)
    assert [shard.name for shard in now.splits["train"]] == [f"train-{number:05d}.tar" for number in range(5)]
    assert [shard.samples for shard in now.splits["train"]] == [10, 10, 4, 10, 2]
    assert now.splits["train"][:3] == manifest.splits["train"]
    assert now.summary.samples == 39
    assert now.lineage[-1]["of"] == [{"dataset": manifest.digest, "samples": 24, "shards": {"train": 3}}]
    assert verify_dataset(out, deep=True) == []
    assert not (out / UNDER_WAY).exists()
    found = labels(out)
    assert len(found) == 36
    assert all(name in key for key, name in found.items())
    assert len(LatentDataset(out, "val")) == 3
    assert "39 samples" in (out / "README.md").read_text()
    # Of the same samples, a dataset made at once has the same latents.
    shutil.copytree(source, tmp_path / "all")
    options = Options(block=4, shard_samples=10)
    shard_dataset(tmp_path / "all", tmp_path / "at once", reader=ImageReader(size=32), options=options)
    one, other = (
        {key: latents for latents, key in LatentDataset(folder, columns=("key",))}
        for folder in (out, tmp_path / "at once")
    )
    assert one.keys() == other.keys()
    assert all(bool((one[key] == other[key]).all()) for key in one)


def test_again_there_is_nothing_new_and_shard_says_what_to_do(out, source, capsys):
    add(source, range(24, 30))
    assert main(["append", str(out), str(source), "--quiet"]) == 0
    assert "6 new samples in 1 shards, 24 of" in capsys.readouterr().out
    before = contents(out)
    assert main(["append", str(out), str(source)]) == 0
    assert "nothing new, 30 of" in capsys.readouterr().out
    assert contents(out) == before
    add(source, range(30, 32))
    command = ["shard", str(source), str(out), "--read", "size=32", "--block", "4", "--shard-samples", "10"]
    assert main(command) == 1
    assert "2 samples are new in train" in (said := capsys.readouterr().err)
    assert "walloc append adds what is new to it" in said
    assert append_dataset(out, source).added == 2
    assert [step["verb"] for step in Manifest.read(out).lineage] == ["append", "append"]


def test_an_interrupted_append_goes_on_where_it_stopped(out, source, tmp_path, monkeypatch):
    add(source, range(24, 50))
    whole = Path(shutil.copytree(out, tmp_path / "whole"))
    append_dataset(whole, source)
    before = contents(out)
    write, left = tasks.append_report, [2]

    def stopping(*arguments):
        write(*arguments)
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    monkeypatch.setattr(tasks, "append_report", stopping)
    with pytest.raises(KeyboardInterrupt):
        append_dataset(out, source)
    monkeypatch.undo()
    assert {name: data for name, data in contents(out).items() if name in before} == before  # it is what it was
    assert verify_dataset(out, deep=True) == []
    made = stats(out).keys() - before.keys()
    assert made
    written = stats(out)
    result = append_dataset(out, source)
    assert result.added > 0
    assert written.items() <= stats(out).items()
    assert contents(out) == contents(whole)


def test_ended_but_for_its_journal_it_is_brought_to_an_end(out, source, tmp_path, monkeypatch):
    add(source, range(24, 40))
    whole = Path(shutil.copytree(out, tmp_path / "whole"))
    append_dataset(whole, source)
    monkeypatch.setattr(append_run._Append, "_settle", lambda *_: None)
    append_dataset(out, source)
    monkeypatch.undo()
    assert (out / UNDER_WAY).exists()
    assert verify_dataset(out, deep=True) == []
    assert append_dataset(out, source).added == 0
    assert contents(out) == contents(whole)


def test_what_an_append_of_other_samples_left_goes(out, source, tmp_path, monkeypatch):
    whole = Path(shutil.copytree(out, tmp_path / "whole"))
    add(source, range(24, 60))
    monkeypatch.setattr(append_run._Append, "finish", lambda *_: [])
    append_dataset(out, source)
    monkeypatch.undo()
    assert {"train-00003.tar", "train-00006.idx", UNDER_WAY} < contents(out).keys()
    for number in range(30, 60):
        (source / "train" / ("cat", "dog")[number % 2] / f"{number:03d}.png").unlink()
    append_dataset(whole, source)
    append_dataset(out, source)
    assert contents(out) == contents(whole)


def test_new_classes_come_behind_the_others(out, source):
    first = labels(out)
    add(source, range(100, 106), classes=("ant", "cat", "zebra"))
    append_dataset(out, source)
    now = labels(out)
    assert LatentDataset(out).classes == ["cat", "dog", "ant", "zebra"]
    assert first.items() <= now.items()
    assert len(now) == 30
    assert all(name in key for key, name in now.items())


def test_what_cannot_be_read_is_tried_again(out, source, capsys):
    broken = source / "train" / "cat" / "200.png"
    broken.write_bytes(b"no picture")
    before = Manifest.read(out)
    assert append_dataset(out, source).added == 0
    assert Manifest.read(out) == before
    with pytest.raises(SampleError, match=r"200\.png"):
        append_dataset(out, source, on_error="stop")
    add(source, [24])
    append_dataset(out, source)
    assert Manifest.read(out).summary.skipped == 1
    [line] = (out / "errors.jsonl").read_text().splitlines()
    assert json.loads(line)["key"] == "train/cat/200.png"
    assert verify_dataset(out, deep=True) == []
    add(source, [200, 26])
    assert append_dataset(out, source).added == 2
    assert Manifest.read(out).summary.skipped == 0
    assert not (out / "errors.jsonl").exists()
    assert verify_dataset(out, deep=True) == []


def test_where_it_cannot_be_done_a_sentence_says_so(out, source, codec, tmp_path):
    add(source, [24])
    with pytest.raises(FormatError, match="is not there"):
        append_dataset(tmp_path / "none", source)
    assert not (tmp_path / "none").exists()
    with pytest.raises(DatasetError, match="a web server cannot be written to"):
        append_dataset("https://example.org/name", source)
    filter_dataset(out, tmp_path / "some", "label == 0")
    with pytest.raises(DatasetError, match="was filtered, so nothing says which of the others are new"):
        append_dataset(tmp_path / "some", source)
    shard_dataset(source, tmp_path / "few", codec=codec, reader=ImageReader(size=32), options=Options(limit=5))
    with pytest.raises(DatasetError, match="has at most 5 samples of each split"):
        append_dataset(tmp_path / "few", source)
    before = contents(out)
    samples = [{"image": window("chelsea", number, (32, 40)), "label": 0} for number in range(3)]
    with pytest.raises(DatasetError, match="has names of the classes in 'label'"):
        append_dataset(out, samples)
    shutil.rmtree(source / "train")
    add(source, range(50, 52))
    lines = ["file_name,label,score", *(f"{'cat' if n % 2 == 0 else 'dog'}/{n:03d}.png,cat,1.5" for n in (50, 51))]
    (source / "train" / "metadata.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(DatasetError, match="column 'score' is new in the new samples"):
        append_dataset(out, source)
    assert contents(out) == before


def test_what_a_merged_dataset_does_not_say_is_not_guessed(out, codec, tmp_path):
    others = tmp_path / "others"
    add(others, range(60, 64))

    def other(name, size, **options):
        shard_dataset(others, tmp_path / name, codec=codec, reader=ImageReader(size=size), options=Options(**options))
        return tmp_path / name

    whole = other("whole", 32)
    filter_dataset(out, tmp_path / "some", "label == 0")
    cases = {
        "was filtered, so nothing says": [tmp_path / "some", whole],
        "merged of datasets that differ in size, so nothing says how": [out, other("small", 16)],
        "merged of datasets that differ in limit, so nothing says which": [out, other("few", 32, limit=1)],
    }
    add(others, range(64, 66))
    for number, (message, parts) in enumerate(cases.items()):
        both = tmp_path / f"both{number}"
        merge_datasets(parts, both)
        transcode_dataset(both, tmp_path / f"again{number}", coder="zstd")
        for folder in (both, tmp_path / f"again{number}"):
            before = contents(folder)
            with pytest.raises(DatasetError, match=message):
                append_dataset(folder, others)
            assert contents(folder) == before
    with pytest.raises(DatasetError, match="differ in size, so nothing says how its samples are read"):
        compare_dataset(tmp_path / "both1", others)
    with pytest.raises(DatasetError, match="differ in size, so nothing says how its samples are read"):
        Originals(LatentDataset(tmp_path / "both1"), others)
    merge_datasets([out, whole], tmp_path / "alike")
    assert append_dataset(tmp_path / "alike", others).added == 2


def test_datasets_of_datasets_and_of_version_0_1_grow_too(out, small, source, tmp_path):
    transcode_dataset(out, tmp_path / "coarse", coder="zstd", coarser=2, layout="samples")
    add(source, range(24, 30))
    append_dataset(tmp_path / "coarse", source)
    manifest = Manifest.read(tmp_path / "coarse")
    assert (manifest.summary.samples, manifest.coder, manifest.layout) == (30, "zstd", "samples")
    assert verify_dataset(tmp_path / "coarse", deep=True) == []
    append_dataset(out, source)
    coarse, fine = (LatentDataset(folder, columns=("key",)) for folder in (tmp_path / "coarse", out))
    assert [key for _, key in coarse] == [key for _, key in fine]
    old = Path(shutil.copytree(GOLDEN / "0.1" / "records", tmp_path / "old"))
    grown = Path(shutil.copytree(GOLDEN / "0.1" / "source", tmp_path / "old-source"))
    window("chelsea", 7, (40, 40)).save(grown / "train" / "chelsea" / "new.png")
    assert append_dataset(old, grown).added == 1
    assert verify_dataset(old, deep=True) == []
    add(tmp_path / "others", range(60, 64))
    codec, options = LatentDataset(tmp_path / "coarse").codec, Options(coder="zstd", block=2)
    shard_dataset(tmp_path / "others", tmp_path / "o", codec=codec, reader=ImageReader(size=32), options=options)
    merge_datasets([tmp_path / "coarse", tmp_path / "o"], tmp_path / "both")
    add(source, range(30, 33))
    assert append_dataset(tmp_path / "both", source).added == 3


def test_what_was_appended_to_is_repaired_file_by_file(out, source, tmp_path, capsys):
    (source / "train" / "cat" / "broken.png").write_bytes(b"no picture")
    add(source, range(24, 36))
    append_dataset(out, source)
    add(source, range(3), split="val")
    add(source, [36, 38], classes=("ape", "dog"))  # whose class comes first now
    append_dataset(out, source)
    first = contents(out)
    for name in sorted(first.keys() - {"README.md", "walloc.json"}):
        lines = first[name].splitlines(keepends=True)
        if name.endswith(".idx"):
            (out / name).unlink()
        else:  # in the journal, a line of a shard that it began with
            at = len(lines[0]) + 40 if name == JOURNAL else len(first[name]) // 2
            (out / name).write_bytes(first[name][:at] + bytes([first[name][at] ^ 1]) + first[name][at + 1 :])
        assert repair_dataset(out, source, deep=True).made == [name]
        assert contents(out) == first, name
    for name in ("train-00000.tar", "train-00003.tar", "train-00004.tar", "val-00000.tar"):
        (out / name).unlink()
    (source / "train" / "cat" / "024.png").unlink()  # which is in one of the two of the first append
    assert main(["verify", str(out), "--repair", str(source)]) == 1
    said = capsys.readouterr().err
    assert said.count("made again: ") == 3
    assert "made again: train-00000.tar\n" in said
    assert said.count(f".tar is not made of samples that {source} has: it is left as it is") == 1
    (out / "walloc.json").write_bytes(first["walloc.json"][:-9] + b"0" + first["walloc.json"][-8:])
    with pytest.raises(DatasetError, match=r"walloc.json is damaged, and that of a dataset which was appended to"):
        repair_dataset(out, source)
    (out / "walloc.json").write_bytes(first["walloc.json"])
    (out / JOURNAL).unlink()
    with pytest.raises(DatasetError, match=r"was appended to, and no .walloc-journal.jsonl says of which samples"):
        repair_dataset(out, source)


def test_what_was_appended_to_a_transcoded_dataset_is_repaired(out, source, tmp_path):
    transcode_dataset(out, tmp_path / "coarse", coarser=2)
    add(source, range(24, 30))
    append_dataset(tmp_path / "coarse", source)
    first = contents(tmp_path / "coarse")
    for name in ("train-00001.tar", "train-00003.tar"):
        (tmp_path / "coarse" / name).unlink()
    result = repair_dataset(tmp_path / "coarse", source)
    assert result.made == ["train-00003.tar"]
    assert result.kept == [f"train-00001.tar is not made of samples that {source} has: it is left as it is"]
    shutil.copy(out / "train-00001.tar", tmp_path / "coarse")
    assert contents(tmp_path / "coarse").keys() == first.keys()


def test_a_stream_sees_the_new_length(out, source):
    before = StreamingLatentDataset(out, batch_size=4, columns=("key",))
    first = iter(before)
    next(first)
    add(source, range(24, 32))
    append_dataset(out, source)
    assert sum(len(keys) for _, keys in first) == 20  # what was opened goes on with what it had
    after = StreamingLatentDataset(out, batch_size=4, columns=("key",))
    assert len(after) == 8
    assert len({key for _, keys in after for key in keys}) == 32


def keys_of(stream):
    return [key for _, keys in stream for key in keys]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stream_resumed_across_an_append_ends_its_epoch_and_then_sees_all(out, source, workers, caplog):
    def stream(**options):
        return StreamingLatentDataset(out, batch_size=5, columns=("key",), seed=3, **options)

    undisturbed = keys_of(stream())
    before = stream()
    loader = before.loader()
    first = [key for _, (_, keys) in zip(range(2), loader, strict=False) for key in keys]
    state = loader.state_dict()
    add(source, range(24, 41))
    append_dataset(out, source)
    after = stream().loader(num_workers=workers, persistent_workers=bool(workers))
    after.load_state_dict(state)
    assert "epoch 0 ends among the 24 samples that it began with, and the next one is of all 41" in caplog.text
    assert after.state_dict() == state
    [_, keys] = next(iter(after))
    again = stream().loader(num_workers=workers, persistent_workers=bool(workers))
    halfway = after.state_dict() if not workers else state
    again.load_state_dict(state)
    rest = keys_of(again)
    assert keys == rest[:5]
    assert first + rest == undisturbed  # the order that the epoch had, to its end
    assert again.state_dict()["epoch"] == 1
    new = stream()
    new.set_epoch(1)
    assert again.state_dict()["order"] == new.state_dict()["order"] != state["order"]
    second = keys_of(again)
    assert len(set(second)) == 41
    assert second == keys_of(new)  # the next, that of all samples
    if not workers:
        assert halfway["order"] == state["order"]
        third = stream()
        third.load_state_dict(halfway)  # and so once more
        assert first + keys + keys_of(third) == undisturbed
        with pytest.raises(DatasetError, match="the state is of another run"):  # its filter may now keep others
            stream(where="label == 0").load_state_dict(
                stream(where="label < 2").state_dict() | {"order": state["order"]}
            )
