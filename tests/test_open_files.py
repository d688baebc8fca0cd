"""Local shards: few are open at a time, and what is cut short or away while it is read is an error."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.test_streaming import keys, stream
from walloc_data import LatentDataset
from walloc_data.errors import DatasetError, FormatError
from walloc_data.read import open_files
from walloc_data.read.open_files import OpenFile


@pytest.fixture(scope="module")
def many(photos, sharded, tmp_path_factory):
    """60 train photographs in as many shards."""
    return sharded(photos, tmp_path_factory.mktemp("many") / "out", block=1, shard_samples=1)


@pytest.mark.parametrize("kind", ["dataset", "samples_dataset"])
def test_a_shard_cut_short_in_place_while_it_is_read(kind, request, tmp_path, sharded, photos):
    root = sharded(photos, tmp_path / "out", shard_samples=60, layout="samples" if "samples" in kind else "records")
    one = LatentDataset(root)
    assert one[0][0].shape == (12, 8, 8)
    [path] = root.glob("train-*.tar")
    os.truncate(path, 4096)  # a map of it would end the process by SIGBUS
    with pytest.raises(FormatError, match=r"train-00000\.tar ends before byte \d+ of \d+: cut short; copy it again"):
        one.__getitems__(range(60))
    with pytest.raises(FormatError, match="has 4096 bytes"):
        LatentDataset(root)[59]


PROGRAM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
from walloc_data import LatentDataset, StreamingLatentDataset
one = LatentDataset(sys.argv[1])
assert len(one.__getitems__(range(60))) == 60
mixed = StreamingLatentDataset({sys.argv[1]: 1, sys.argv[2]: 1}, batch_size=40, epoch_samples=120, threads=4)
print(sum(len(x) for x, _ in mixed))
"""


def test_more_shards_than_files_may_be_open(many, dataset):
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, many, dataset]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr[-500:]) == ("120\n", "")


def test_no_more_are_open_than_are_allowed(many, monkeypatch):
    monkeypatch.setattr(open_files, "_OPEN", type(open_files._OPEN)(maxlen=3))
    before = len(os.listdir("/proc/self/fd"))
    samples = LatentDataset(many)
    batch = samples.__getitems__(range(60))
    assert len(os.listdir("/proc/self/fd")) <= before + 3
    assert all(torch.equal(x, samples[i][0]) for i, (x, _) in enumerate(batch))
    assert sorted(keys(stream(many))) == sorted(samples.fields(i)["key"] for i in range(60))


def test_too_many_open_files_passes_when_others_are_closed(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    whole, failures = os.open, []

    def busy(*given, **options):
        if failures:
            raise OSError(failures.pop(), "Too many open files")
        return whole(*given, **options)

    monkeypatch.setattr(os, "open", busy)
    failures += [errno.EMFILE]
    assert OpenFile(path, 10)[3:7] == b"3456"
    failures += [errno.EMFILE] * 2
    with pytest.raises(DatasetError, match=r"file: cannot be read \(Too many open files: allow more, with ulimit -n\)"):
        OpenFile(path, 10)[3:7]


def test_small_files_make_room_too(many, monkeypatch):
    samples, whole = LatentDataset(many), Path.read_bytes
    assert samples[0][0].shape == (12, 8, 8)

    def busy(path):
        if open_files._OPEN or always:
            raise OSError(errno.EMFILE, "Too many open files")
        return whole(path)

    always: list[bool] = []
    monkeypatch.setattr(Path, "read_bytes", busy)
    assert samples[30][0].shape == (12, 8, 8)  # of which the index is read
    assert len(LatentDataset(many)) == 60
    always.append(True)
    with pytest.raises(DatasetError, match=r"\.idx: cannot be read .*open files\): allow more, with ulimit -n"):
        samples[31]


def test_a_descriptor_that_went_stale_is_opened_anew(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    file, failures = OpenFile(path, 10), []

    def read(*given):
        if failures:
            raise OSError(failures.pop(), "Stale file handle")
        return os.pread(*given)

    monkeypatch.setattr(open_files, "_READ", read)
    assert file[8:10] == b"89"
    failures += [errno.ESTALE]
    assert file[0:4] == b"0123"
    failures += [errno.EIO]
    with pytest.raises(DatasetError, match="cannot be read"):
        file[0:4]


def test_what_is_read_into_memory_is_all_there_or_an_error(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    file, memory = OpenFile(path, 10), bytearray(4)
    into, failures = open_files._READ_INTO, []

    def read(descriptor, parts, offset):
        if failures:
            raise OSError(failures.pop(), "Stale file handle")
        return into(descriptor, [parts[0][:1]], offset)  # as signals and network drives may have it

    for one in (into, open_files._copy_into, read):
        monkeypatch.setattr(open_files, "_READ_INTO", one)
        file.read_into(memoryview(memory), [(2, 2, 3), (0, 2, 7)])
        assert memory == b"7834"
        memory[:] = bytes(4)
    failures += [errno.ESTALE]
    file.read_into(memoryview(memory), [(0, 4, 6)])
    assert memory == b"6789"
    os.truncate(path, 8)
    with pytest.raises(FormatError, match=r"file ends before byte 9 of 10: cut short"):
        file.read_into(memoryview(memory), [(0, 4, 5)])
