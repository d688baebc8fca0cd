"""How results are shown, and kept where that is asked for: a table to read, JSON for the pages that quote it."""

import argparse
import json
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

__all__ = ["FOLDER", "add_save", "best_time", "machine", "peak_memory", "read_results", "show", "table"]

FOLDER = Path(__file__).parent / "results"


def add_save(parser: argparse.ArgumentParser) -> None:
    """The option of every benchmark: without it, nothing but what is printed is left of a run."""
    parser.add_argument(
        "--save", action="store_true", help="keep the results in benchmarks/results, in the place of those there"
    )


def best_time(call: Callable[[], Any], repeats: int = 5, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of the fastest of several calls, after one to warm up; with the clock `time.process_time` those of a
    core, which other work on the machine changes little.
    """
    call()
    times = []
    for _ in range(repeats):
        started = clock()
        call()
        times.append(clock() - started)
    return min(times)


def machine() -> str:
    """The processor and the versions that figures depend on."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{model}, torch {torch.__version__}, Python {platform.python_version()}"


def peak_memory() -> float:
    """The most that this process has held, in MB (of 2**20 bytes), Python and torch with it; of Linux alone.

    What `resource` calls so begins for a new process at what the one held that started it.
    """
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024


def table(rows: Sequence[Sequence[Any]]) -> str:
    """Markdown of rows, the first the head."""
    head, *body = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [head, *body]) for i in range(len(head))]
    lines = [head, ["-" * width for width in widths], *body]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in lines
    )


def show(name: str, rows: Sequence[Sequence[Any]], *, save: bool, **facts: Any) -> None:
    """Print a table, and `save` it with its facts as `results/NAME.json`."""
    print(table(rows))
    for key, value in facts.items():
        print(f"{key}: {value}")
    if save:
        FOLDER.mkdir(exist_ok=True)
        content = {
            "date": time.strftime("%Y-%m-%d"),
            "machine": machine(),
            "rows": [list(row) for row in rows],
            **facts,
        }
        (FOLDER / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")


def read_results(name: str) -> dict[str, Any]:
    """What `show` kept of a benchmark: `rows`, the `date`, the `machine` and its facts."""
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return content
