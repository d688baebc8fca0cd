"""Tables of several tasks, made of their results: each with the names of the results that it is made of."""

from collections.abc import Sequence
from math import hypot
from statistics import mean
from typing import Any

from benchmarks.results import read_results
from benchmarks.tasks.report import spread

__all__ = ["advantages", "separation", "separation_differences", "task_means"]

_IMAGES = {
    "fonts": "which of 22 fonts, %",
    "tokens": "the same by a transformer, %",
    "receipts": "digits on scanned receipts, %",
    "totals": "digits of a total on a made-up form, %",
    "photographs": "classes of photographs, %",
}
_STEMS = ("drums", "melody")
_INPUTS = (
    ("pixels downscaled by 4", "pixels / 4, JPEG 95"),
    ("as many latents", "latents rgb-f8c12"),
    ("pixels downscaled by 2", "pixels / 2, JPEG 95"),
    ("as many latents", "latents rgb-f8c48"),
    ("all pixels", "all pixels, JPEG 95"),
)
_SAME = {  # inputs of other tasks that stand in the same column
    "latents rgb-f16c48": "latents rgb-f8c12",
    "latents rgb-f16c48-detail": "latents rgb-f8c12-detail",
    "latents rgb-f16c192": "latents rgb-f8c48",
    "latents rgb-f8c12, emphasis 0.5": "latents rgb-f8c12-detail",
    "pixels / 4": "pixels / 4, JPEG 95",
    "pixels / 2": "pixels / 2, JPEG 95",
    "latents of 4 and 8 channels": "latents rgb-f8c12",
    "latents of 16 and 32 channels": "latents rgb-f8c48",
    "rate / 2": "pixels / 2, JPEG 95",
    "samples / 4": "pixels / 2, JPEG 95",
    "latents f128c64": "latents rgb-f8c48",
    "latents mono-f64c16": "latents rgb-f8c48",
    "all samples": "all pixels, JPEG 95",
}
_PAIRS = {
    "12 channels, to pixels / 4": ("latents rgb-f8c12", "pixels / 4, JPEG 95"),
    "12 channels, to all pixels": ("latents rgb-f8c12", "all pixels, JPEG 95"),
    "48 channels, to pixels / 2": ("latents rgb-f8c48", "pixels / 2, JPEG 95"),
    "48 channels, to all pixels": ("latents rgb-f8c48", "all pixels, JPEG 95"),
    "48 channels, steps x 2, to finer steps": ("latents rgb-f8c48, steps x 2", "latents rgb-f8c48"),
    "48 channels, steps x 4, to finer steps": ("latents rgb-f8c48, steps x 4", "latents rgb-f8c48"),
    "48 channels, steps x 4, to all pixels": ("latents rgb-f8c48, steps x 4", "all pixels, JPEG 95"),
    "12 channels with `-detail`, to without": ("latents rgb-f8c12-detail", "latents rgb-f8c12"),
    "12 channels with `-detail`, to all pixels": ("latents rgb-f8c12-detail", "all pixels, JPEG 95"),
}
Table = tuple[list[str], list[Sequence[str]]]


def task_means() -> Table:
    """Every task by what the network read: what it came to in the mean, and the kilobytes stored a sample."""
    rows: list[Sequence[str]] = [("task", *(title for title, _ in _INPUTS))]
    for name, title in _IMAGES.items():
        rows.append((title, *_cells(_runs(name), "accuracy", "sample_bytes", 100)))
    rows.append(("colour of a photograph, dB", *_cells(_runs("colorization"), "chroma_psnr", "", 1)))
    for stem in _STEMS:
        runs = _runs(f"separation_{stem}")
        longest = max(run["epochs"] for run in runs)
        own = [run for run in runs if run["epochs"] == longest]
        rows.append((f"{stem} out of a mixture (half the rate), SI-SDR, dB", *_cells(own, "si_sdr", "signal_rate", 1)))
    digits = read_results("tasks_digits")
    size = {row[0]: int(row[3]) for row in digits["rows"][1:]}
    runs = [
        {"arm": _SAME[arm], "accuracy": mean(accuracies), "sample_bytes": size[arm]}
        for arm, accuracies in digits["runs"].items()
    ]
    rows.append(("which digit is spoken (a quarter of the rate), %", *_cells(runs, "accuracy", "sample_bytes", 100)))
    names = [*_IMAGES, "colorization", *(f"separation_{stem}" for stem in _STEMS), "digits"]
    return [f"tasks_{name}" for name in names], rows


def advantages() -> Table:
    """Points of accuracy that one input is ahead of another, seed by seed, in every task of images."""
    heads = (title.removesuffix(", %") for title in _IMAGES.values())
    rows: list[Sequence[str]] = [("points ahead", *heads)]
    runs = {name: _runs(name) for name in _IMAGES}
    for title, pair in _PAIRS.items():
        rows.append((title, *(_ahead(runs[name], *pair) for name in _IMAGES)))
    return ["tasks_encoders", *(f"tasks_{name}" for name in _IMAGES)], rows


def separation(stem: str, epochs: int) -> Table:
    """The rows of an instrument after so many epochs."""
    rows = read_results(f"tasks_separation_{stem}")["rows"]
    column = rows[0].index("epochs")
    return [f"tasks_separation_{stem}"], [
        row[:column] + row[column + 1 :] for row in rows if row[column] in ("epochs", str(epochs))
    ]


def separation_differences() -> Table:
    """Latents less samples in dB of SI-SDR ± a standard error over songs and seeds; FLAC's bytes in times theirs."""
    columns: dict[tuple[str, int], dict[tuple[str, str], str]] = {}
    smaller: dict[tuple[str, str], list[float]] = {}
    for stem in _STEMS:
        content = read_results(f"tasks_separation_{stem}")
        rate = {run["arm"]: run["signal_rate"] for run in content["runs"]}
        for found in content["differences"]:
            pair = found["arm"], found["to"]
            error = hypot(found["over_songs"], found["over_seeds"] / found["seeds"] ** 0.5)
            columns.setdefault((stem, found["epochs"]), {})[pair] = f"{found['mean']:+.2f} ± {error:.2f}"
            smaller.setdefault(pair, []).append(content["flac"][pair[1]] / rate[pair[0]])
    head = ["latents", "samples", "bytes as FLAC", *(f"{stem}, {epochs} epochs" for stem, epochs in columns)]
    rows: list[Sequence[str]] = [head]
    for pair, times in smaller.items():
        size = " to ".join(dict.fromkeys(f"{end(times):.1f}" for end in (min, max)))
        rows.append([*pair, f"{size} times as many", *(column.get(pair, "") for column in columns.values())])
    return [f"tasks_separation_{stem}" for stem in _STEMS], rows


def _runs(name: str) -> list[dict[str, Any]]:
    """A task's runs, with those of the comparison of codecs, their arms named by the column they stand in."""
    found: dict[tuple[str, int, int], dict[str, Any]] = {}
    for run in [*read_results("tasks_encoders")["runs"].get(name, []), *read_results(f"tasks_{name}")["runs"]]:
        arm = _SAME.get(run["arm"], run["arm"])
        found[arm, run["seed"], run.get("epochs", 0)] = run | {"arm": arm}
    return list(found.values())


def _cells(runs: list[dict[str, Any]], metric: str, stored: str, times: float) -> list[str]:
    cells = []
    for _, arm in _INPUTS:
        own = [run for run in runs if run["arm"] == arm]
        size = f" in {own[0][stored] / 1000:.1f} kB" if own and stored else ""
        cells.append(f"{times * mean(run[metric] for run in own):.1f}{size}" if own else "")
    return cells


def _ahead(runs: list[dict[str, Any]], arm: str, other: str) -> str:
    own, theirs = ({run["seed"]: run["accuracy"] for run in runs if run["arm"] == each} for each in (arm, other))
    both = sorted(own.keys() & theirs.keys())
    return spread([own[seed] - theirs[seed] for seed in both], sign="+") if both else ""
