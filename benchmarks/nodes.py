"""Two nodes of a Ray cluster against one core: `python -m benchmarks.nodes --data FOLDER_OF_PHOTOGRAPHS`.

Needs `pip install 'walloc-data[ray]'`, Linux, and two cores that nothing else uses. The same command, `walloc-shard`,
is run by one worker on one core, and by a cluster of two nodes on this machine, each kept to a core of its own, in
turns. A node's encoding thread shares its core with the reading one, as that of the worker does.

Speed is taken from the times at which shards were finished, from when a quarter of them was, until none was waiting.
"Whole" is all that the command takes, with its start, its imports, those of each node, and the fit of the coder, which
small datasets feel. Seconds of a core are those of the command, of the tasks, and of all else that Ray has running.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.images import list_images
from benchmarks.results import add_save, show

__all__ = ["NODES", "TASK", "cluster_on", "processes"]

NODES, TASK = 2, "ray::task"  # what a process that has a task is called
_LOOK = 0.25  # seconds
_HEAD = {"include_dashboard": False}


class _Taken(NamedTuple):
    speed: float  # samples a second, once it runs
    whole: float  # seconds
    command: float  # seconds of a core
    tasks: float
    ray: float


def main() -> None:
    """Measure, print, and save if asked."""
    parser = argparse.ArgumentParser(description="Sharding by two Ray nodes against one worker on one core.")
    parser.add_argument("--data", type=Path, required=True, help="image folder of photographs, 1,000 or so")
    parser.add_argument("--copies", type=int, default=3, help="how often each photograph is taken (default: 3)")
    parser.add_argument("--shard-samples", type=int, default=32, help="(default: 32)")
    parser.add_argument("--turns", type=int, default=3, help="how often each is done (default: 3; the median counts)")
    add_save(parser)
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:NODES]
    if len(cores) < NODES:
        raise SystemExit(f"{NODES} cores are needed, and this process may use {len(cores)}")
    flags = ["--shard-samples", str(arguments.shard_samples), "--quiet"]
    alone, together = list[_Taken](), list[_Taken]()
    with tempfile.TemporaryDirectory() as folder:
        photographs = _copied(arguments.data, Path(folder), arguments.copies)
        for _ in range(arguments.turns):
            alone.append(_run(Path(folder), [*flags, "--workers", "1"], cores[:1]))
            with cluster_on(cores) as cluster:
                given = [*flags, "--engine", "ray", "--address", str(cluster.address)]
                together.append(_run(Path(folder), given, cores))
    rows: list[tuple[str, ...]] = [("what", "samples/s", "whole, seconds", "of a core: the command", "tasks", "Ray")]
    for name, found in (("one worker on one core", alone), (f"{NODES} Ray nodes, a core each", together)):
        rows.append((name, *(f"{_median(found, which):.2f}" for which in _Taken._fields)))
    wanted = NODES * _median(alone, "speed")
    show(
        "nodes",
        rows,
        save=arguments.save,
        photographs=photographs,
        turns=arguments.turns,
        of_twice_one_core=round(_median(together, "speed") / wanted, 2),
        of_twice_one_core_whole=round(_median(alone, "whole") / _median(together, "whole") / NODES, 2),
    )


def _median(found: Sequence[_Taken], which: str) -> float:
    return float(statistics.median(getattr(one, which) for one in found))


def _copied(data: Path, folder: Path, copies: int) -> int:
    """Links to all images of a folder, so many of each; gives how many these are."""
    files = list_images(data)
    for copy in range(copies):
        (folder / str(copy)).mkdir()
        for number, path in enumerate(files):
            (folder / str(copy) / f"{number}{path.suffix}").symlink_to(path.resolve())
    return copies * len(files)


def _run(data: Path, flags: Sequence[str], cores: Sequence[int]) -> _Taken:
    """Shard into a folder that is taken away again."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        command = [sys.executable, "-m", "walloc_data", "shard", str(data), str(out), *flags]
        with _kept_to(cores):
            started = time.perf_counter()
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
                spent = _seconds_of_cores(process)
            whole = time.perf_counter() - started
        if process.returncode:
            raise SystemExit(process.returncode)
        shards = sorted((tar.stat().st_mtime, _samples(tar)) for tar in out.glob("*.tar"))
        first, last = len(shards) // 4, len(shards) - NODES
        speed = sum(samples for _, samples in shards[first + 1 : last + 1]) / (shards[last][0] - shards[first][0])
        return _Taken(speed, whole, *spent)


def _samples(tar: Path) -> int:
    from walloc_data.format import read_index

    return int(read_index(tar.with_suffix(".idx"))[0]["samples"].sum())


def _seconds_of_cores(process: "subprocess.Popen[bytes]") -> tuple[float, float, float]:
    """What a process takes until it ends, tasks of Ray, and what else came of this process."""
    first, last, names = dict[int, int](), dict[int, int](), dict[int, str]()
    while process.poll() is None:
        for pid, (name, ticks) in processes().items():
            first.setdefault(pid, ticks)
            last[pid] = ticks
            if not names.get(pid, "").startswith(TASK):  # a process is called otherwise when it has none
                names[pid] = name
        time.sleep(_LOOK)
    taken = [0.0, 0.0, 0.0]
    for pid, ticks in last.items():
        which = 0 if pid == process.pid else 1 if names[pid].startswith(TASK) else 2
        taken[which] += (ticks - (0 if which == 0 else first[pid])) / os.sysconf("SC_CLK_TCK")
    return taken[0], taken[1], taken[2]


def processes() -> dict[int, tuple[str, int]]:
    """What each process that came of this one is called, and how much of a core it has taken."""
    found = dict[int, tuple[int, str, int]]()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                name = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:  # it has ended
                continue
            found[int(entry.name)] = int(fields[1]), name, int(fields[11]) + int(fields[12])
    ours = {os.getpid()}
    while more := {pid for pid, (parent, _, _) in found.items() if parent in ours} - ours:
        ours |= more
    return {pid: found[pid][1:] for pid in ours - {os.getpid()}}


@contextmanager
def _kept_to(cores: Sequence[int]) -> Iterator[None]:
    """Processes that are started meanwhile use these cores alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def cluster_on(cores: Sequence[int]) -> Iterator[Any]:
    """A cluster with a node on each of some cores."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ray.cluster_utils import Cluster

        made: Any = Cluster()
        try:
            for number, core in enumerate(cores):
                with _kept_to([core]):
                    made.add_node(num_cpus=1, **({} if number else _HEAD))
            made.wait_for_nodes()
            yield made
        finally:
            made.shutdown()


if __name__ == "__main__":
    main()
