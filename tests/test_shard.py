"""The write path: what it writes, what it says of bad input, and that nothing ever stops it for good."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.photographs import made, window, write_folder
from walloc_data import ImageReader, LatentDataset, Options, load_codec, shard_dataset
from walloc_data.errors import DatasetError, SampleError, SourceError
from walloc_data.format import Manifest

JOURNAL = ".walloc-journal.jsonl"
FLAGS = ["--read", "size=64", "--block", "8", "--shard-samples", "16", "--quiet"]
SMALL = ["--read", "size=64", "--block", "4", "--shard-samples", "4", "--quiet"]


def run(source, out, codec, *, workers=1, on_error="skip", size=64, **options):
    options = Options(**{"block": 8, "shard_samples": 16} | options)
    reader = ImageReader(size=size, channels=codec.config.signal_channels)
    return shard_dataset(source, out, codec=codec, reader=reader, options=options, workers=workers, on_error=on_error)


def run_small(source, out, codec, **options):
    """The same as the command with the flags `SMALL`."""
    return run(source, out, codec, block=4, shard_samples=4, **options)


def command(*arguments):
    code = "import sys; from walloc_data.cli import main_shard; sys.exit(main_shard())"
    return [sys.executable, "-c", code, *map(str, arguments)]


def start(*arguments):
    pipe = subprocess.PIPE
    return subprocess.Popen(command(*arguments), stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def wait_for_journal(out: Path, process, lines=2):
    """Until the journal holds a shard, while the process still runs."""
    journal = out / JOURNAL
    while process.poll() is None:
        if journal.exists() and journal.read_bytes().count(b"\n") >= lines:
            return
        time.sleep(0.002)
    raise AssertionError(f"ended too early: {process.communicate()}")


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """150 images of 640 x 512 pixels, which take long enough to be interrupted."""
    root = tmp_path_factory.mktemp("many") / "photos"
    for name in ("astronaut", "chelsea"):
        (root / name).mkdir(parents=True)
        for number in range(75):
            window(name, number, (110, 90)).resize((640, 512)).save(root / name / f"{number}.jpg")
    return root


@pytest.fixture(scope="module")
def whole(many, codec, tmp_path_factory):
    """What an uninterrupted run makes of it."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert run_small(many, out, codec).written == 150
    return out


def test_bytes_do_not_depend_on_workers(many, whole, codec, tmp_path):
    summary = run_small(many, tmp_path / "two", codec, workers=2)
    assert summary.samples == summary.written == 150
    assert made(tmp_path / "two") == made(whole)
    assert JOURNAL not in made(whole)


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_and_run_again_the_bytes_are_the_same(many, whole, tmp_path, workers):
    out = tmp_path / "out"
    process = start(many, out, *SMALL, "--workers", workers)
    wait_for_journal(out, process)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert not (out / "walloc.json").exists()
    time.sleep(0.6)  # workers look every half second whether their parent is alive
    finished = {path: path.stat().st_mtime_ns for path in out.glob("*.tar")}
    again = subprocess.run(
        command(many, out, *SMALL, "--workers", workers), check=False, capture_output=True, text=True
    )
    assert again.returncode == 0, again.stderr
    assert made(out) == made(whole)
    assert any(path.stat().st_mtime_ns == written for path, written in finished.items())


def test_a_killed_worker_is_a_clear_error_and_a_second_run_goes_on(many, whole, codec, tmp_path):
    out = tmp_path / "out"
    process = start(many, out, *SMALL, "--workers", 2)
    wait_for_journal(out, process)
    for child in children(process.pid):
        os.kill(child, signal.SIGKILL)
        break
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "a worker process died" in errors
    assert "Traceback" not in errors
    assert run_small(many, out, codec).written < 150
    assert made(out) == made(whole)


def children(parent: int) -> list[int]:
    """Worker processes of a process (not the tracker that Python starts beside them)."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if int(fields[1]) == parent and b"spawn_main" in line:
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize(("workers", "everyone"), [(1, True), (2, True), (2, False)])
def test_interrupted_it_says_so_and_a_second_run_goes_on(many, whole, codec, tmp_path, workers, everyone):
    """`everyone`: as a terminal does it, which sends the signal to workers too."""
    out = tmp_path / "out"
    process = start(many, out, *SMALL, "--workers", workers)
    wait_for_journal(out, process)
    if everyone:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert len(list(out.glob("*.tar"))) < 38
    assert errors.strip() == "interrupted: finished shards are kept; run the same command again to go on"
    assert run_small(many, out, codec).written < 150
    assert made(out) == made(whole)


@pytest.fixture
def unfinished(photos, dataset, codec, tmp_path):
    """A run that stopped at its last shard, for a photograph of `val` that could not be read."""
    source, out = shutil.copytree(photos, tmp_path / "photos"), tmp_path / "out"
    broken = source / "val" / "chelsea" / "002.jpg"
    data = broken.read_bytes()
    broken.write_bytes(data[:900])
    with pytest.raises(SampleError, match=r"002\.jpg"):
        run(source, out, codec, on_error="stop")
    broken.write_bytes(data)
    return source, out


def test_stopped_fixed_and_run_again(unfinished, dataset, codec):
    source, out = unfinished
    assert len((out / JOURNAL).read_text().splitlines()) == 5
    assert not (out / "walloc.json").exists()
    summary = run(source, out, codec, on_error="stop")
    assert (summary.samples, summary.written, summary.skipped) == (72, 12, 0)
    assert made(out) == made(dataset)


@pytest.mark.parametrize("workers", [1, 2])
def test_stop_stops(photos, codec, tmp_path, workers):
    source = shutil.copytree(photos, tmp_path / "photos")
    for path in (source / "train").rglob("*.jpg"):
        if path.stem > "015":
            path.write_bytes(b"text")
    with pytest.raises(SampleError, match="not an image that Pillow knows"):
        run(source, tmp_path / "out", codec, on_error="stop", workers=workers)
    assert not list((tmp_path / "out").glob(".*.tmp"))


@pytest.mark.parametrize(
    "end", [b'{"split": "train", "sha', b"", b"\xff\xfe\n", b"[]\n", b"7\n", b"{}\n", b'{"shard": 5}\n']
)
def test_a_damaged_journal_line_costs_its_shard_alone(unfinished, dataset, codec, end):
    source, out = unfinished
    lines = (out / JOURNAL).read_bytes().splitlines(keepends=True)
    (out / JOURNAL).write_bytes(b"".join(lines[:-1]) + end)
    summary = run(source, out, codec)
    assert summary.written == 12 + 12
    assert made(out) == made(dataset)


def test_a_line_after_one_cut_short_is_not_lost(unfinished, dataset, codec):
    source, out = unfinished
    lines = (out / JOURNAL).read_bytes().splitlines(keepends=True)
    (out / JOURNAL).write_bytes(b"".join(lines[:-1]) + lines[-1][:30])
    broken = source / "val" / "chelsea" / "002.jpg"
    data = broken.read_bytes()
    broken.write_bytes(b"text")
    with pytest.raises(SampleError):
        run(source, out, codec, on_error="stop")
    broken.write_bytes(data)
    assert run(source, out, codec).written == 12
    assert made(out) == made(dataset)


@pytest.mark.parametrize("damage", ["tar gone", "tar short", "index gone"])
def test_a_journaled_shard_that_is_not_there_is_written_again(unfinished, dataset, codec, damage):
    source, out = unfinished
    path = out / ("train-00001.idx" if damage == "index gone" else "train-00001.tar")
    if damage == "tar short":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()
    assert run(source, out, codec).written == 12 + 16
    assert made(out) == made(dataset)


def test_what_a_killed_run_left_is_taken_away(unfinished, dataset, codec):
    source, out = unfinished
    for name in (".train-00003.tar.99.tmp", ".train-00003.idx.99.tmp", ".walloc.json.99.tmp"):
        (out / name).write_bytes(b"x")
    run(source, out, codec)
    assert made(out) == made(dataset)


def test_killed_between_manifest_and_end(dataset, photos, codec, tmp_path):
    out = shutil.copytree(dataset, tmp_path / "out")
    (out / JOURNAL).write_text("whatever\n")
    assert run(photos, out, codec).written == 0
    assert made(out) == made(dataset)


@pytest.mark.parametrize("first", [b"", b"{", b"[]\n", b'{"plan": "other"}\n', b"\xff\n"])
def test_the_journal_of_something_else(photos, codec, tmp_path, first):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / JOURNAL).write_bytes(first)
    with pytest.raises(DatasetError, match="unfinished dataset of another source"):
        run(photos, tmp_path / "out", codec)
    assert (tmp_path / "out" / JOURNAL).read_bytes() == first


def test_other_options_on_an_unfinished_dataset(unfinished, codec):
    source, out = unfinished
    before = made(out)
    for other in ({"seed": 1}, {"layout": "samples"}, {"size": 32}):
        with pytest.raises(DatasetError, match="unfinished dataset"):
            run(source, out, codec, **other)
    with pytest.raises(DatasetError, match="unfinished dataset"):
        run(source, out, load_codec("rgb-f8c48"))
    assert made(out) == before


def test_another_source_of_the_same_names(unfinished, dataset, photos, codec, tmp_path):
    _, out = unfinished
    other = shutil.copytree(photos, tmp_path / "other")
    before = made(out)
    with pytest.raises(DatasetError, match="another source"):
        run(other, out, codec)
    assert made(out) == before
    complete = shutil.copytree(dataset, tmp_path / "complete")
    assert run(other, complete, codec).written == 0
    window("astronaut", 500).save(other / "train" / "chelsea" / "000.jpg")
    again = run(other, complete, codec)
    assert again.written in (12, 16)
    assert again.notes[0].startswith("made again: 1 shards (train-0000")


def test_a_complete_dataset_is_left_alone(dataset, photos, codec, tmp_path):
    out = shutil.copytree(dataset, tmp_path / "out")
    times = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    summary = run(photos, out, codec, workers=2)
    assert (summary.samples, summary.written) == (72, 0)
    assert times == {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    with pytest.raises(DatasetError, match="holds another dataset"):
        run(photos, out, codec, seed=1)
    assert made(out) == made(dataset)


def test_other_things_in_the_way(photos, codec, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.doc").write_text("x")
    with pytest.raises(DatasetError, match="not empty and holds no dataset"):
        run(photos, tmp_path / "full", codec)
    with pytest.raises(DatasetError, match="is not a folder"):
        run(photos, tmp_path / "full" / "thesis.doc", codec)
    with pytest.raises(DatasetError, match="cannot write"):
        run(photos, tmp_path / "full" / "thesis.doc" / "out", codec)
    assert made(tmp_path) == {"full/thesis.doc": b"x"}


@pytest.mark.parametrize("inside", [".", "train", "out", "train/a/out"])
def test_a_dataset_in_its_own_source_is_refused(photos, codec, inside):
    with pytest.raises(DatasetError, match="lies in"):
        run(photos, photos / inside, codec)
    assert not list(photos.rglob("*.tar"))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_cannot_be_read_is_skipped_and_said(photos, codec, tmp_path, workers):
    source = shutil.copytree(photos, tmp_path / "photos")
    bad = {
        "train/chelsea/003.jpg": b"",
        "train/flower/007.jpg": b"not a picture",
        "val/astronaut/001.jpg": (source / "val" / "astronaut" / "001.jpg").read_bytes()[:500],
    }
    for key, data in bad.items():
        (source / key).write_bytes(data)
    summary = run(source, tmp_path / "out", codec, workers=workers)
    assert (summary.samples, summary.skipped) == (69, 3)
    lines = [json.loads(line) for line in (tmp_path / "out" / "errors.jsonl").read_text().splitlines()]
    assert {line["key"] for line in lines} == set(bad)
    assert all(line["key"] in line["reason"] for line in lines)
    kept = LatentDataset(tmp_path / "out", "train")
    keys = {kept.fields(i)["key"] for i in range(len(kept))}
    assert len(keys) == 58
    assert not keys & bad.keys()
    assert summary.source_bytes == sum(
        (source / key).stat().st_size for split in ("train", "val") for key in all_keys(tmp_path / "out", split)
    )


def all_keys(out, split):
    dataset = LatentDataset(out, split)
    return [dataset.fields(i)["key"] for i in range(len(dataset))]


def test_a_first_record_that_cannot_be_read(photos, codec, tmp_path):
    source = tmp_path / "photos"
    source.mkdir()
    window("chelsea", 1).save(source / "b.jpg")
    (source / "a.jpg").write_text("text")
    summary = run(source, tmp_path / "out", codec, block=1, shuffle=False)
    assert (summary.samples, summary.skipped) == (1, 1)
    assert 20 < summary.psnr < 60


def test_a_shard_and_a_split_that_cannot_be_read(photos, codec, tmp_path):
    source = shutil.copytree(photos, tmp_path / "photos")
    for path in [*(source / "val").rglob("*.jpg"), *(source / "train" / "astronaut").iterdir()]:
        path.write_text("text")
    summary = run(source, tmp_path / "out", codec, shuffle=False)
    assert (summary.samples, summary.skipped) == (40, 32)
    manifest = Manifest.read(tmp_path / "out")
    assert list(manifest.splits) == ["train"]
    assert [shard.name for shard in manifest.splits["train"]] == [f"train-0000{i}.tar" for i in (1, 2, 3)]
    assert sorted(path.name for path in (tmp_path / "out").glob("*.tar")) == [s.name for s in manifest.splits["train"]]
    assert LatentDataset(tmp_path / "out").targets == [1] * 20 + [2] * 20


def test_nothing_can_be_read(codec, tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(5):
        (tmp_path / "photos" / f"{number}.jpg").write_text("text")
    for _ in range(2):
        with pytest.raises(DatasetError, match=r"none of 5 samples .* can be read, such as .*\.jpg: not an image"):
            run(tmp_path / "photos", tmp_path / "out", codec)
    for number in range(5):
        window("chelsea", number).save(tmp_path / "photos" / f"{number}.jpg")
    assert run(tmp_path / "photos", tmp_path / "out", codec).samples == 5


def test_a_full_disk_is_one_clear_error_and_keeps_what_is_finished(photos, codec, tmp_path):
    # A limit on the size of a file stands for the disk: it stops the largest shard, in its last bytes.
    run(photos, tmp_path / "whole", codec, size=128)
    largest = max((tmp_path / "whole").glob("*.tar"), key=lambda path: path.stat().st_size)
    code = (
        "import resource, signal, sys\n"
        "from walloc_data.cli import main_shard\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({largest.stat().st_size - 1}, resource.RLIM_INFINITY))\n"
        "sys.exit(main_shard())\n"
    )
    out = tmp_path / "out"
    arguments = [str(photos), str(out), *FLAGS, "--read", "size=128", "--workers", "1"]
    failed = subprocess.run([sys.executable, "-c", code, *arguments], check=False, capture_output=True, text=True)
    assert failed.returncode == 1
    assert failed.stderr.startswith(f"error: cannot write {out / largest.name}: ")
    assert failed.stderr.count("\n") == 1
    assert "run the same command again" in failed.stderr
    assert not list(out.glob(".*.tmp"))
    finished = sorted(out.glob("*.tar"))
    assert largest.name not in [path.name for path in finished]
    assert len((out / JOURNAL).read_text().splitlines()) == 1 + len(finished)
    assert run(photos, out, codec, size=128).samples == 72
    assert made(out) == made(tmp_path / "whole")


def test_the_summary_is_that_of_the_files(photos, dataset, codec, tmp_path):
    summary = run(photos, tmp_path / "out", codec)
    assert summary.source_bytes == sum(path.stat().st_size for path in photos.rglob("*.jpg"))
    assert summary.dataset_bytes == sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    assert summary.latents == 72 * 12 * 8 * 8
    assert summary.ratio == summary.source_bytes / summary.dataset_bytes
    assert summary.bits_per_latent == 8 * summary.payload_bytes / summary.latents
    assert 24 < summary.psnr < 50
    manifest = Manifest.read(tmp_path / "out")
    assert manifest.summary.payload_bytes == summary.payload_bytes == sum(s.payload_bytes for s in shards(manifest))
    assert summary.samples == sum(shard.samples for shard in shards(manifest)) == 72


def shards(manifest):
    return [shard for of_split in manifest.splits.values() for shard in of_split]


def test_overhead(codec, tmp_path):
    """All that is no payload, in a dataset of 400 samples of 128 pixels: little, and mostly fixed."""
    root = write_folder(tmp_path / "photos", count=132, splits=("train",))
    summary = run(root, tmp_path / "out", codec, size=128, block=64, shard_samples=None)
    fixed = sum(len(data) for name, data in made(tmp_path / "out").items() if not name.endswith(".tar"))
    tars = sum(path.stat().st_size for path in (tmp_path / "out").glob("*.tar"))
    assert tars - summary.payload_bytes < 80 * 396
    assert fixed < 20_000


def test_sizes_that_differ(ragged_dataset):
    dataset = LatentDataset(ragged_dataset)
    assert {len(dataset[i][0]) for i in range(12)} == {12}
    for i in range(12):
        height, width = dataset.fields(i)["size"]
        assert dataset.fields(i)["original_size"] == [height, width]
        assert dataset[i][0].shape[1:] == (-(-height // 8), -(-width // 8))
    assert len({dataset[i][0].shape for i in range(12)}) > 3


def test_gray(photos, tmp_path):
    gray = load_codec("gray-f8c4")
    summary = run(photos, tmp_path / "out", gray)
    assert summary.samples == 72
    latents, label = LatentDataset(tmp_path / "out")[0]
    assert (latents.shape, label in (0, 1, 2)) == ((4, 8, 8), True)
    with pytest.raises(DatasetError, match="for image of 1 channels, and the reader gives image of 3"):
        shard_dataset(photos, tmp_path / "other", codec=gray, reader=ImageReader())
    assert not (tmp_path / "other").exists()


def test_gray_files_for_a_codec_of_three_channels(codec, tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(4):
        window("chelsea", number).convert("L").save(tmp_path / "photos" / f"{number}.png")
    assert run(tmp_path / "photos", tmp_path / "out", codec).skipped == 0


def test_a_limit(photos, codec, tmp_path):
    summary = run(photos, tmp_path / "out", codec, limit=5)
    assert summary.samples == 10
    assert len(LatentDataset(tmp_path / "out", "val")) == 5


def test_strange_names_survive(codec, tmp_path):
    folder = tmp_path / "photos" / os.fsdecode(b"caf\xe9")
    folder.mkdir(parents=True)
    (tmp_path / "photos" / "猫 и.ёж").mkdir()
    names = ["a.b.c.jpg", "a.b.png", "two  words.jpg", "line\nbreak.jpg", os.fsdecode(b"\xff.jpg")]
    for number, name in enumerate(names):
        window("chelsea", number).save(folder / name)
    window("flower", 1).save(tmp_path / "photos" / "猫 и.ёж" / "ж.jpg")
    (folder / os.fsdecode(b"\xfe.jpg")).write_text("text")
    for layout in ("records", "samples"):
        out = tmp_path / layout
        summary = run(tmp_path / "photos", out, codec, layout=layout)
        assert (summary.samples, summary.skipped) == (6, 1)
        dataset = LatentDataset(out)
        assert dataset.classes == [folder.name, "猫 и.ёж"]
        keys = all_keys(out, "train")
        assert {"猫 и.ёж/ж.jpg", "caf\ufffd/a.b.c.jpg", "caf\ufffd/line\nbreak.jpg", "caf\ufffd/\ufffd.jpg"} < set(keys)
        assert json.loads((out / "errors.jsonl").read_text())["key"].endswith("\udcfe.jpg")


def test_unusable_arguments(photos, codec, tmp_path):
    for arguments in ({"workers": 0}, {"on_error": "ignore"}):
        with pytest.raises(DatasetError):
            run(photos, tmp_path / "out", codec, **arguments)
    with pytest.raises(SourceError):
        run(tmp_path / "none", tmp_path / "out", codec)
    assert not (tmp_path / "out").exists()
