"""What README.md says in short of what networks learn from latents: one table of all tasks."""

import json
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.results import table

__all__ = ["sections"]

_RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
_HEAD = (
    "task",
    "few numbers: pixels",
    "latents",
    "latents, `-detail`",
    "more numbers: pixels",
    "latents",
    "all pixels",
)
_IMAGES = {
    "fonts": "which of 22 fonts, %",
    "totals": "digits of a total on a rendered form, %",
    "receipts": "digits on scanned receipts, %",
    "photographs": "40 classes of photographs, %",
}
_INPUTS = (
    "pixels / 4, JPEG 95",
    "latents rgb-f8c12",
    "latents rgb-f8c12-detail",
    "pixels / 2, JPEG 95",
    "latents rgb-f8c48",
    "all pixels, JPEG 95",
)
_COLOURS = "pixels / 4", "latents of 4 and 8 channels", "", "pixels / 2", "latents of 16 and 32 channels", ""
_SOUND = "rate / 8", "latents f128c16", "", "rate / 2", "latents f128c64", "all samples"


def sections() -> list[str]:
    """The table, of those tasks that were run, and the plot."""
    rows: list[tuple[str, ...]] = [_HEAD]
    for name, title in _IMAGES.items():
        runs = _runs(name) + _detailed(name)
        if runs:
            rows.append((title, *(_cell(runs, arm, "accuracy", "sample_bytes", 100) for arm in _INPUTS)))
    if runs := _runs("colorization"):
        rows.append(("chroma of a photograph, dB", *(_cell(runs, arm, "chroma_psnr", "", 1) for arm in _COLOURS)))
    if runs := _runs("separation_drums"):
        row = (_cell(runs, arm, "si_sdr", "signal_rate", 1) for arm in _SOUND)
        rows.append(("drums out of a mixture, SI-SDR, dB", *row))
    plot = "![accuracy against bytes and speed](benchmarks/results/tasks.png)\n"
    return [table(rows) + "\n", *([plot] if (_RESULTS / "tasks.png").exists() else [])]


def _runs(name: str) -> list[dict[str, Any]]:
    path = _RESULTS / f"tasks_{name}.json"
    runs: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["runs"] if path.exists() else []
    return runs


def _detailed(task: str) -> list[dict[str, Any]]:
    """Runs of the codec with an emphasis, where the comparison of codecs made them."""
    path, fitted = _RESULTS / "tasks_encoders.json", "latents rgb-f8c12, emphasis 0.5"
    runs = json.loads(path.read_text("utf-8"))["runs"].get(task, []) if path.exists() else []
    return [run | {"arm": "latents rgb-f8c12-detail"} for run in runs if run["arm"] == fitted]


def _cell(runs: list[dict[str, Any]], arm: str, metric: str, stored: str, times: float) -> str:
    """What an arm came to in the mean, and the kilobytes of it."""
    own = [run for run in runs if run["arm"] == arm]
    if not own:
        return ""
    size = f" in {own[0][stored] / 1000:.1f} kB" if stored else ""
    return f"{times * mean(run[metric] for run in own):.1f}{size}"
