"""Datasets that are written elsewhere: the bytes of a folder, after kills too, and one sentence where it cannot be."""

import errno
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tests.photographs import contents, made
from tests.test_shard import JOURNAL, command, run, run_small
from walloc_data import LatentDataset, verify_dataset
from walloc_data.errors import DatasetError
from walloc_data.format import ShardInfo
from walloc_data.storage import FsspecFolder, claim
from walloc_data.write.lock import LOCK_FILE, check_token, owned
from walloc_data.write.output import output_at
from walloc_data.write.room import room

URL = "memory://bucket/out"


def stored(system):
    return {path.removeprefix("/bucket/out/"): system.cat_file(path) for path in system.find("/bucket/out")}


def test_the_bytes_are_those_of_a_folder_journal_included(memory, photos, codec, tmp_path):
    run(photos, tmp_path / "out", codec)
    result = run(photos, URL, codec)
    assert stored(memory) == contents(tmp_path / "out")
    assert result.dataset_bytes == sum(map(len, stored(memory).values()))
    assert verify_dataset(URL, deep=True) == []
    assert len(LatentDataset(URL, split="val")) == 12
    before = stored(memory)
    assert run(photos, URL, codec).written == 0
    assert stored(memory) == before
    with pytest.raises(DatasetError, match=rf"^{URL} holds another dataset, .*seed was 0 and is now 1"):
        run(photos, URL, codec, seed=1)


def test_a_run_that_stops_is_gone_on_with(memory, photos, codec, dataset, tmp_path, monkeypatch):
    put = MemoryFileSystem.put_file
    with monkeypatch.context() as patch:
        patch.setattr(
            MemoryFileSystem, "put_file", lambda self, here, there, **rest: failing_at(self, here, there, put)
        )
        with pytest.raises(
            DatasetError, match=r"^memory://bucket/out/train-00002.tar: cannot be written \(No space left"
        ):
            run(photos, URL, codec)
    assert {"train-00001.tar", "train-00002.idx", JOURNAL} <= stored(memory).keys()
    assert "walloc.json" not in stored(memory)
    assert LOCK_FILE not in stored(memory)
    assert run(photos, URL, codec).written == 72 - 2 * 16
    (tmp_path / "out").mkdir()
    for name, data in stored(memory).items():
        (tmp_path / "out" / name).write_bytes(data)
    assert made(tmp_path / "out") == made(dataset)


def failing_at(system, here, there, put):
    if there.endswith("train-00002.tar"):
        raise OSError(errno.ENOSPC, "No space left on device", there)
    return put(system, here, there)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            PermissionError("the access key is not known"),
            r"access refused \(the access key is not known\); check the cred",
        ),
        (FileNotFoundError("NoSuchBucket"), "cannot be written, since it is in no bucket that is there: make it"),
        (NotImplementedError(), "its driver failed"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_refuses_to_be_written_is_one_sentence(memory, photos, codec, monkeypatch, error, message):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", refuse)
    with pytest.raises(DatasetError, match=rf"^memory://bucket/out.*{message}"):
        run(photos, URL, codec)
    assert stored(memory) == {}


def test_a_place_that_holds_something_else_is_left_alone(memory, photos, codec):
    memory.pipe_file("/bucket/out/letter.txt", b"dear")
    with pytest.raises(DatasetError, match=f"^{URL} is not empty and holds no dataset: choose an empty or a new place"):
        run(photos, URL, codec)
    assert stored(memory) == {"letter.txt": b"dear"}


def test_a_second_run_is_refused_while_the_first_lives(memory, photos, codec, monkeypatch):
    for name, seconds in (("_BEAT", 0.05), ("_LOOK", 0.1), ("_PATIENCE", 60.0)):
        monkeypatch.setattr(claim, name, seconds)
    folder = FsspecFolder(URL)
    with claim.claimed(folder, LOCK_FILE) as first:
        with pytest.raises(DatasetError, match=rf"{URL} is being written by another run \(process {os.getpid()} on "):
            run(photos, URL, codec)
        first.check()
        with pytest.raises(DatasetError, match=r"by another run \(process 1 on other\)"):
            checked_while_another(folder, first)
    assert stored(memory).keys() == {LOCK_FILE}  # of the other
    monkeypatch.setattr(claim, "_PATIENCE", 0.2)
    assert run(photos, URL, codec).samples == 72  # which is dead
    assert LOCK_FILE not in stored(memory)


def checked_while_another(folder, claim):
    """Both began at one moment, and the other is the last to say so."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        folder.put(LOCK_FILE, b'{"process": 1, "host": "other", "run": "0"}')
        time.sleep(0.1)
        claim.check()


def test_a_killed_run_is_gone_on_with(photos, codec, dataset, tmp_path, monkeypatch):
    """`local://` is a disk by fsspec, where files grow in sight of all: they are written under other names first."""
    monkeypatch.setattr(claim, "_PATIENCE", 0.5)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    out, rooms = tmp_path / "out", {"TMPDIR": str(tmp_path)}
    flags = ["--read", "size=64", "--block", "8", "--shard-samples", "16", "--quiet", "--workers", "1"]
    process = subprocess.Popen(
        command(photos, f"local://{out}", *flags), stderr=subprocess.PIPE, env=os.environ | rooms, text=True
    )
    deadline = time.monotonic() + 60
    while not any(out.glob("*.tar")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    (out / ".train-00001.tar.99.tmp").write_bytes(b"half")
    run(photos, f"local://{out}", codec)
    assert made(out) == made(dataset)
    assert list(tmp_path.iterdir()) == [out]


def test_rooms_of_the_dead_are_swept(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = "import os\nfrom walloc_data.write.room import room\nwith room() as folder:\n    os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code], check=False, env=os.environ | {"TMPDIR": str(tmp_path)})
    assert len(list(tmp_path.iterdir())) == 2
    with room() as one, room() as other:
        assert one.is_dir()
        assert len(list(tmp_path.iterdir())) == 4
        assert other.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_one_machine_alone_is_refused_on_another(tmp_path, monkeypatch):
    monkeypatch.setattr("walloc_data.write.lock._SHARED", 0.1)
    with owned(tmp_path / "out") as token:
        check_token(tmp_path / "out", token)
        for other in (tmp_path / "other", tmp_path):
            other.mkdir(exist_ok=True)
            with pytest.raises(
                DatasetError, match="is not the folder of that name that this run writes in: give one on"
            ):
                check_token(other, token)


def test_a_file_url_is_a_folder(photos, codec, dataset, tmp_path):
    run(photos, (tmp_path / "out").as_uri(), codec)
    assert made(tmp_path / "out") == made(dataset)
    assert Path(tmp_path / "out" / JOURNAL).exists()


def test_no_sample_at_all_leaves_the_reasons(memory, codec, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match="none of 1 samples"):
        run_small(tmp_path / "photos", URL, codec)
    assert stored(memory) == {}


def test_tasks_of_other_processes_send_what_they_write(memory, tmp_path):
    output = output_at(URL)
    shard = ShardInfo(name="train-00000.tar", samples=1, records=1, bytes=0, payload_bytes=0, sha256="")
    with output.owned():
        other = pickle.loads(pickle.dumps(output))
        with other.room() as folder:
            for name in ("train-00000.tar", "train-00000.idx"):
                (folder / name).write_bytes(name.encode())
            other.send(folder, shard)
        with pytest.raises(DatasetError, match=f"^{URL} is not being written by this process"):
            print(other.folder)
    assert stored(memory).keys() == {"train-00000.tar", "train-00000.idx"}
