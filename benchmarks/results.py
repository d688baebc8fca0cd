"""How results are shown and kept: a table to read, JSON for the README."""

import json
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

__all__ = ["best_time", "machine", "save", "table"]

_FOLDER = Path(__file__).parent / "results"


def best_time(call: Callable[[], Any], repeats: int = 5) -> float:
    """Seconds of the fastest of several calls, after one to warm up."""
    call()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)


def machine() -> str:
    """The processor and the versions that figures depend on."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{model}, torch {torch.__version__}, Python {platform.python_version()}"


def table(rows: Sequence[Sequence[Any]]) -> str:
    """Markdown of rows, the first the head."""
    head, *body = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [head, *body]) for i in range(len(head))]
    lines = [head, ["-" * width for width in widths], *body]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in lines
    )


def save(name: str, rows: Sequence[Sequence[Any]], **facts: Any) -> None:
    """Print a table, and keep it with its facts in `results/NAME.json`."""
    print(table(rows))
    for key, value in facts.items():
        print(f"{key}: {value}")
    _FOLDER.mkdir(exist_ok=True)
    content = {"machine": machine(), "rows": [list(row) for row in rows], **facts}
    (_FOLDER / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
