"""Streams of training batches, ours against those of others: `python -m benchmarks.streaming --data FOLDER`.

The same photographs, each stored `--samples` / their number times, so that an epoch lasts: as JPEGs of 256 pixels for
`webdataset`, and as the same latents of `rgb-f8c12` for all others. See `formats` for how each is stored and loaded. A
turn runs every format once with each number of workers, in a process of its own, from the first batch of an epoch to
its last or to the end of `--seconds`; figures are medians of the turns and, in brackets, the slowest and the fastest.
Samples for each second of processor time count what the workers and the training process use, and say what holds on a
machine that is shared. Files are in the page cache.

Peers are no extra, because their pins exclude one another's: `pip install litdata`, `pip install --no-deps
mosaicml-streaming` and what that imports, `transformers zstd xxhash Brotli catalogue python-snappy`, and `torchvision`
of the same build as torch.

Memory is that of a worker at its largest (anonymous and shared, so also what it shares
with the process it was forked from); beside it, that of a worker that imports the same and gives nothing but zeros.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.formats import FORMATS, Photographs
from benchmarks.images import list_images
from benchmarks.results import add_save, show

Figures = tuple[float, float, float]  # samples a second; a second of processor time; bytes of a worker
WORKERS, CLASSES = (1, 2), 10
IDLE = "nothing"


def main() -> None:
    """Store, measure in turns, print, and save if asked."""
    parser = argparse.ArgumentParser(description="Streams of training batches.")
    parser.add_argument("--data", type=Path, help="folder of photographs, 1,000 or so")
    parser.add_argument("--samples", type=int, default=50_000, help="samples to store, about")
    parser.add_argument("--seconds", type=float, default=5.0, help="the longest that one format runs in a turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--one", nargs=3, metavar=("FORMAT", "FOLDER", "WORKERS"), help=argparse.SUPPRESS)
    add_save(parser)
    arguments = parser.parse_args()
    if arguments.one:
        name, folder, workers = arguments.one
        print(json.dumps(epoch(name, Path(folder), int(workers), arguments.seconds)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        photographs = gather(arguments.data, Path(scratch), arguments.samples)
        folders = {name: Path(scratch) / f"format{number}" for number, name in enumerate(FORMATS)}
        sizes = {}
        for name, folder in folders.items():
            folder.mkdir()
            FORMATS[name].store(photographs, folder)
            sizes[name] = sum(path.stat().st_size for path in folder.iterdir())
            print(f"stored {name}", flush=True)
        runs = list(product(WORKERS, [*FORMATS, IDLE]))
        found: dict[tuple[int, str], list[Figures]] = {run: [] for run in runs}
        for _, (workers, name) in product(range(arguments.turns), runs):
            folder = folders.get(name, Path(scratch))
            found[workers, name].append(apart(name, folder, workers, arguments.seconds))
            print(workers, name, *(f"{figure:,.0f}" for figure in found[workers, name][-1]), flush=True)
    samples = len(photographs.labels) * photographs.copies
    sizes_each = {name: size / samples for name, size in sizes.items()}
    report(found, sizes_each, save=arguments.save, samples=samples, turns=arguments.turns)


def report(found: dict[tuple[int, str], list[Figures]], sizes: dict[str, float], *, save: bool, **facts: int) -> None:
    """The table, and the memory of workers."""
    head = ["input", "bytes a sample"]
    rows = [[name, f"{size:,.0f}"] for name, size in sizes.items()]
    for workers in WORKERS:
        head += [f"{workers} worker{'s' * (workers > 1)}, samples/s", "times the JPEGs", "a second of processor time"]
        jpegs = statistics.median(rate for rate, _, _ in found[workers, next(iter(sizes))])
        for row in rows:
            rates = [rate for rate, _, _ in found[workers, row[0]]]
            median = statistics.median(rates)
            row += [f"{median:,.0f} ({min(rates):,.0f} to {max(rates):,.0f})", f"{median / jpegs:.1f}"]
            row.append(f"{statistics.median(each for _, each, _ in found[workers, row[0]]):,.0f}")
    memory = {name: round(max(most for _, _, most in found[1, name]) / 1e6) for name in [*sizes, IDLE]}
    show("streaming", [head, *rows], save=save, **facts, memory=memory, idle=memory[IDLE])


def gather(data: Path, scratch: Path, samples: int) -> Photographs:
    """Links to photographs in class folders, since a flat folder has no labels, and their latents."""
    for number, path in enumerate(sorted(list_images(data))):
        link = scratch / "photographs" / "train" / f"class{number % CLASSES}" / f"{number:05d}{path.suffix}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path.resolve())
    return Photographs.encode(scratch / "photographs", scratch / "encoded", samples)


def apart(name: str, folder: Path, workers: int, seconds: float) -> Figures:
    """`epoch` in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.streaming", "--seconds", str(seconds)]
    command += ["--one", name, str(folder), str(workers)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    shutil.rmtree(folder.with_name(f"{folder.name}-local"), ignore_errors=True)
    rate, each, most = json.loads(done.stdout.splitlines()[-1])
    return rate, each, most


def epoch(name: str, folder: Path, workers: int, seconds: float) -> Figures:
    """Samples a second of an epoch, and of processor time, and the most bytes that a worker held."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    idle = DataLoader(TensorDataset(torch.zeros(16, 1)), num_workers=workers)
    batches: Iterable[Any] = idle if name == IDLE else FORMATS[name].load(folder, workers)
    given = iter(batches)
    next(given)
    started, cpu = time.perf_counter(), cpu_seconds()
    samples, most, looked = 0, worker_bytes(), started
    for batch in given:
        samples += len(batch["x"] if isinstance(batch, dict) else batch[0])
        now = time.perf_counter()
        if now - started > seconds:
            break
        if now - looked > 1:  # it takes milliseconds
            most, looked = max(most, worker_bytes()), now
    return samples / (time.perf_counter() - started), samples / max(0.01, cpu_seconds() - cpu), most


def status(process: str, file: str) -> str:
    """A file of `/proc`; empty where the process has ended."""
    try:
        return Path("/proc", process, file).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def children() -> list[str]:
    """Processes that this one has started."""
    parent = f"PPid:\t{os.getpid()}\n"
    return [path.name for path in Path("/proc").glob("[0-9]*") if parent in status(path.name, "status")]


def cpu_seconds() -> float:
    """What this process, its workers and those that have ended have used."""
    total = 0
    for process in ("self", *children()):
        fields = status(process, "stat").rpartition(")")[2].split()
        total += sum(map(int, fields[11:15] if process == "self" else fields[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


def worker_bytes() -> int:
    """Anonymous and shared memory of the largest process that this one has started."""
    most = 0
    for child in children():
        fields = dict(line.split(":", 1) for line in status(child, "status").splitlines())
        kilobytes = [int(fields.get(kind, "0 kB").split()[0]) for kind in ("RssAnon", "RssShmem")]
        most = max(most, 1024 * sum(kilobytes))
    return most


if __name__ == "__main__":
    main()
