"""Faults of the machine: runs that are disturbed come out as undisturbed ones, and a disk that fills loses nothing."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.photographs import made
from tests.test_shard import run
from walloc_data.errors import DatasetError

ROOT = Path(__file__).parents[1]


def test_disturbed_runs_that_are_run_again_give_the_same_bytes():
    """Killed before some of the operations on files; killed, interrupted, terminated, or met by a second run at random
    moments; on a slow disk, by a clock that jumps."""
    command = [sys.executable, "-m", "tools.disturb_runs", "--samples", "24", "--shard-samples", "8", "--workers", "1"]
    command += ["--steps", "5", "--count", "4", "--how", "kill,interrupt,terminate,second", "--slow", "0.01", "--clock"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = [int(count) for count in re.findall(r"^ *(\d+) .*: the same bytes$", done.stdout, re.MULTILINE)]
    assert sum(counts) == 9


@pytest.fixture
def disk(tmp_path):
    """A function that gives the folder of a new disk of so many bytes, or makes the last one larger."""
    if not sys.platform.startswith("linux") or os.geteuid():
        pytest.skip("only root mounts disks")
    mounted = []

    def sized(size, *, larger=False):
        if not larger:
            mounted.append(tmp_path / f"disk{len(mounted)}")
            mounted[-1].mkdir()
        options = f"{'remount,' if larger else ''}size={size}"
        command = ["mount", "-t", "tmpfs", "-o", options, "walloc-test", str(mounted[-1])]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode and not larger:
            mounted.pop()
            pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
        assert done.returncode == 0, done.stderr
        return mounted[-1]

    yield sized
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_fills_wherever_the_run_is(photos, dataset, codec, disk):
    """In the lock, the journal's head, the codec, a shard, an index, a line of the journal or the manifest."""
    pages, stopped = sum(-(-path.stat().st_size // 4096) for path in dataset.iterdir()), set()
    for room in range(1, pages + 1, 3):
        out = disk(4096 * room) / "out"
        with pytest.raises(DatasetError, match="No space left on device") as caught:
            run(photos, out, codec)
        assert re.search(r"What is finished is kept: .*run the same command again", str(caught.value))
        assert not list(out.glob(".*.tmp"))
        assert not (out / "walloc.json").exists()
        stopped.add(len(list(out.glob("*.tar"))))
        disk("100m", larger=True)
        assert run(photos, out, codec).samples == 72
        assert made(out) == made(dataset)
    assert min(stopped) == 0
    assert max(stopped) >= 3  # of five
