"""Memory over time of a large dataset, end to end: `python -m benchmarks.memory [--samples 200000] [--plot PICTURE]`.

A folder of photographs of 64 pixels a side, 1,000 of them, by as many names as there are samples, in 1,000 classes, is
sharded by `walloc-shard` in one process; then a stream reads two epochs of it, and a `DataLoader` of the map-style
dataset one, in one process each. Four times a second the memory of that process is looked at: all of it, and what it
has allocated, without files that are mapped. Then other folders, of fewer files in many classes, are only planned.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.photographs import CLASSES, window
from benchmarks.results import add_save, show

SIDE, PICTURES, EVERY = 64, 1000, 0.25
PLANNED = ((100_000, 30_000), (100_000, 10))  # files, classes
_FIRST = "planning and sharding"
_SHARD = "import sys; from walloc_data.cli import main_shard; sys.exit(main_shard(sys.argv[1:]))"
_STREAM = """
import sys
from walloc_data import StreamingLatentDataset
stream = StreamingLatentDataset(sys.argv[1], batch_size=256)
print(sum(len(x) for _ in range(2) for x, *_ in stream.loader()))
"""
_MAP = """
import sys
from torch.utils.data import DataLoader
from walloc_data import LatentDataset
dataset = LatentDataset(sys.argv[1], split="train")
print(sum(len(x) for x, *_ in DataLoader(dataset, batch_size=256, shuffle=True)))
"""
_PLAN = """
import sys, time
from walloc_data import ImageReader, Options, load_codec, open_source
from walloc_data.write.plan import Plan, measured_keys
from walloc_data.write.resume import head_of
codec, reader, started = load_codec("rgb-f8c12"), ImageReader(size=64), time.perf_counter()
source = open_source(sys.argv[1], suffixes=reader.suffixes)
plan = Plan.of(source, reader, codec, Options())
head_of(plan).to_json(), measured_keys(plan)
print(time.perf_counter() - started)
"""


class Moment(NamedTuple):
    """Memory of a process, in MB, so many seconds after it began; and whether its shards are planned by then."""

    seconds: float
    resident: float
    allocated: float
    planned: bool


def main() -> None:
    """Make, watch, print, draw, and save if asked."""
    parser = argparse.ArgumentParser(description="Memory over time of a large dataset.")
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--plot", type=Path, help="file to draw the picture in")
    add_save(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "pictures", arguments.samples, min(1000, arguments.samples))
        shard = [_SHARD, str(folder / "pictures"), str(folder / "out"), "--workers", "1", "--quiet"]
        watched = {
            _FIRST: watch([*shard, "--read", f"size={SIDE}"], folder / "out"),
            "a stream, two epochs": watch([_STREAM, str(folder / "out")]),
            "a DataLoader, one epoch": watch([_MAP, str(folder / "out")]),
        }
        planned = [(files, classes, plan(folder / f"{files}-{classes}", files, classes)) for files, classes in PLANNED]
    rows: list[tuple[object, ...]] = [("of", "seconds", "MB at a quarter", "MB at the end", "most MB", "most in all")]
    rows.append(_row("planning", [moment for moment in watched[_FIRST] if not moment.planned]))
    rows.append(_row("sharding", [moment for moment in watched[_FIRST] if moment.planned]))
    rows += [_row(what, moments) for what, moments in watched.items() if what != _FIRST]
    plans = [f"{files:,} files in {classes:,} classes: {seconds:.1f} s" for files, classes, seconds in planned]
    if arguments.plot is not None:
        draw(arguments.plot, watched)
    show("memory", rows, save=arguments.save, samples=arguments.samples, planned="; ".join(plans))


def write(root: Path, samples: int, classes: int) -> None:
    """So many files in so many classes, by several names each."""
    first = []
    for number in range(samples):
        folder = root / f"class-{number % classes:05d}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{number:07d}.png"
        if number < PICTURES:
            window(CLASSES[number % len(CLASSES)], number, (SIDE, SIDE)).save(path)
            first.append(path)
        else:
            os.link(first[number % PICTURES], path)


def watch(command: Sequence[str], out: Path | None = None) -> list[Moment]:
    """The memory of a process of Python, with code and arguments, until it ends."""
    process, started, moments = subprocess.Popen([sys.executable, "-c", *command]), time.perf_counter(), []
    while process.poll() is None:
        planned = out is None or (out / ".walloc-journal.jsonl").exists()
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        sizes = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if line.endswith(" kB")}
        if "VmRSS" in sizes:
            resident, allocated = (int(sizes[key]) / 1024 for key in ("VmRSS", "RssAnon"))
            moments.append(Moment(time.perf_counter() - started, resident, allocated, planned))
        time.sleep(EVERY)
    if process.wait():
        raise SystemExit(f"{' '.join(command[1:])}: exit status {process.returncode}")
    return moments


def plan(root: Path, files: int, classes: int) -> float:
    """Seconds of planning a folder, from listing it to the head of the journal."""
    write(root, files, classes)
    said = subprocess.run([sys.executable, "-c", _PLAN, str(root)], check=True, capture_output=True, text=True)
    return float(said.stdout)


def draw(picture: Path, watched: dict[str, list[Moment]]) -> None:
    """A panel a process."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(watched), figsize=(12, 3.2), layout="constrained", sharey=True)
    for axes, (what, moments) in zip(panels, watched.items(), strict=True):
        seconds, resident, allocated, planned = np.array(moments).T
        axes.plot(seconds, resident, color="#8fb0dd", label="all")
        axes.plot(seconds, allocated, color="#b5360a", label="allocated")
        if not planned.all():
            axes.axvline(seconds[planned == 0].max(), color="#7a7a7a", linestyle=":", label="planned")
        axes.set(title=what, xlabel="seconds", ylim=(0, None))
        axes.legend(loc="lower right", fontsize=8)
    panels[0].set_ylabel("MB")
    figure.savefig(picture, dpi=100)


def _row(what: str, moments: Sequence[Moment]) -> tuple[Any, ...]:
    allocated = [moment.allocated for moment in moments]
    quarter = allocated[len(allocated) // 4 : len(allocated) // 4 + 4]
    seconds = moments[-1].seconds - moments[0].seconds
    figures = (np.median(quarter), np.median(allocated[-8:-1] or allocated), max(allocated))
    return what, f"{seconds:.0f}", *(f"{n:.0f}" for n in (*figures, max(moment.resident for moment in moments)))


if __name__ == "__main__":
    main()
