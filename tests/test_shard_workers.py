"""Processes of the write path: one error at once where they cannot work, and as many as there are cores for."""

import os
import subprocess
import sys
import time
from functools import partial

import pytest

from walloc_data.errors import DatasetError, SampleError
from walloc_data.write.cores import usable_cores
from walloc_data.write.local import LocalEngine

UNGUARDED = """
import sys
from walloc_data import ImageReader, Options, shard_dataset
print("script", flush=True)
options = {"reader": ImageReader(size=64), "options": Options(block=8, shard_samples=16), "workers": 2}
shard_dataset(sys.argv[1], sys.argv[2], **options)
"""


def test_a_script_without_a_main_guard_is_one_error_at_once(photos, tmp_path):
    (tmp_path / "script.py").write_text(UNGUARDED)
    line = [sys.executable, str(tmp_path / "script.py"), str(photos), str(tmp_path / "out")]
    done = subprocess.run(line, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    assert "put the call under `if __name__ == '__main__':`" in done.stderr.splitlines()[-1]
    guarded = UNGUARDED.replace("shard_dataset(sys", "if __name__ == '__main__':\n    shard_dataset(sys")
    (tmp_path / "script.py").write_text(guarded)
    done = subprocess.run(line, check=False, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "walloc.json").exists()


def test_a_script_that_cannot_be_imported_again_is_an_error_too(photos, tmp_path):
    leaving = "if __name__ != '__main__':\n    raise SystemExit(1)\n"
    (tmp_path / "script.py").write_text(leaving + UNGUARDED)
    line = [sys.executable, str(tmp_path / "script.py"), str(photos), str(tmp_path / "out")]
    done = subprocess.run(line, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "a worker process could not start" in done.stderr.splitlines()[-1]


def work(task, tick):
    tick(1)
    if task == "die":
        os._exit(9)
    if task == "unpicklable":
        raise Unpicklable("this", "that")
    if isinstance(task, Exception):
        raise task
    return task * 2


class Unpicklable(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def test_every_task_is_done_once_and_counted():
    ticks = []
    assert sorted(LocalEngine(2).run(work, list(range(9)), ticks.append)) == [(n, 2 * n) for n in range(9)]
    assert sum(ticks) == 9


@pytest.mark.parametrize(
    ("task", "kind", "message"),
    [
        (SampleError("a.jpg: no picture"), SampleError, "^a.jpg: no picture$"),
        ("unpicklable", RuntimeError, "Unpicklable: this and that"),
        ("die", DatasetError, "a worker process died"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_worker_raises_is_raised_and_others_finish(task, kind, message, tmp_path):
    tasks = list(range(7, 60))
    done, results = [], LocalEngine(2).run(partial(after, tmp_path / "begun", task), tasks, lambda _: None)
    with pytest.raises(kind, match=message):
        done.extend(results)
    assert (8, 16) in done
    assert len(done) < len(tasks) - 1


def after(begun, failing, number, tick):
    """Task 7 fails once task 8 has begun."""
    while number == 7 and not begun.exists():
        time.sleep(0.01)
    if number == 8:
        begun.touch()
    time.sleep(0.1)
    return work(failing if number == 7 else number, tick)


class Far:
    """Work that cannot be had in another process."""

    def __call__(self, task, tick):
        return task

    def __reduce__(self):
        return int, ("far",)


def test_work_that_a_worker_cannot_have_is_its_error():
    for work in (Far(), lambda task, tick: task):
        with pytest.raises(DatasetError, match=r"cannot be sent to other processes \((invalid|Can't)"):
            list(LocalEngine(2).run(work, [1, 2, 3], lambda _: None))


def test_workers_end_when_results_are_not_wanted_any_more():
    results = LocalEngine(2).run(work, list(range(50)), lambda _: None)
    next(results)
    results.close()


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return tmp_path, write


def test_cores_are_those_of_the_affinity(machine):
    root, _ = machine
    assert usable_cores(root) == 64
    assert usable_cores() <= 64


@pytest.mark.parametrize(
    ("group", "files", "cores"),
    [
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "max 100000\n"}, 64),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "250000 100000\n"}, 2),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        ("0::/a/b\n", {"sys/fs/cgroup/a/cpu.max": "400000 100000\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000\n"}, 4),
        ("0::/docker/1\n", {"sys/fs/cgroup/cpu.max": "300000 100000\n"}, 3),
        (
            "4:memory:/x\n3:cpu,cpuacct:/job\n0::/\n",
            {
                "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "600000\n",
                "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
            },
            6,
        ),
        (
            "1:cpu:/\n",
            {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"},
            64,
        ),
        ("nonsense", {"sys/fs/cgroup/cpu.max": "no number"}, 64),
    ],
)
def test_cores_are_no_more_than_the_control_group_allows(machine, group, files, cores):
    root, write = machine
    write("proc/self/cgroup", group)
    for name, text in files.items():
        write(name, text)
    assert usable_cores(root) == cores
