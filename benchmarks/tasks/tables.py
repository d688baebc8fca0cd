"""Tables of several tasks, made of their results: each with the names of the results that it is made of."""

from collections.abc import Sequence
from statistics import mean
from typing import Any

from benchmarks.results import read_results
from benchmarks.tasks.training import spread

_IMAGES = {
    "fonts": "which of 22 fonts, %",
    "tokens": "the same by a transformer, %",
    "receipts": "digits on scanned receipts, %",
    "photographs": "classes of photographs, %",
}
_OTHERS = {  # by result: title, figure, factor, what is stored
    "colour": ("colour of a photograph, dB", "chroma_psnr", 1, ""),
    "separation_drums_16": ("drums out of a mixture (half the rate), SI-SDR, dB", "si_sdr", 1, "signal_rate"),
    "separation_melody_4": ("melody out of a mixture (half the rate), SI-SDR, dB", "si_sdr", 1, "signal_rate"),
    "digits": ("which digit is spoken (a quarter of the rate), %", "accuracy", 100, "sample_bytes"),
}
_COLUMNS = (  # titles, and inputs of tasks that stand below them
    ("pixels downscaled by 4", "pixels / 4, JPEG 95", "pixels / 4"),
    ("as many latents", "latents rgb-f8c12", "latents rgb-f16c48", "latents of 4 and 8 channels"),
    ("pixels downscaled by 2", "pixels / 2, JPEG 95", "pixels / 2", "rate / 2", "samples / 4"),
    (*("as many latents", "latents rgb-f8c48", "latents rgb-f16c192", "latents of 16 and 32 channels"),)
    + ("latents f128c64", "latents mono-f64c16"),
    ("all pixels", "all pixels, JPEG 95", "all samples"),
    ("", "latents rgb-f8c12-detail", "latents rgb-f16c48-detail", "latents rgb-f8c12, emphasis 0.5"),
)
_SAME = {other: arm for _, arm, *others in _COLUMNS for other in others}
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
_CODECS = ("fonts", "photographs")  # tasks by which codecs were compared, in results of their own
Table = tuple[list[str], list[Sequence[str]]]


def task_means() -> Table:
    """Every task by what the network read: what it came to in the mean, and the kilobytes stored a sample."""
    rows: list[Sequence[str]] = [("task", *(title for title, *_ in _COLUMNS if title))]
    shown = {name: (title, "accuracy", 100, "sample_bytes") for name, title in _IMAGES.items()} | _OTHERS
    for name, (title, figure, times, stored) in shown.items():
        rows.append((title, *_cells(runs_of(name), figure, times, stored)))
    return [f"tasks_{name}" for name in shown], rows


def advantages() -> Table:
    """Points of accuracy that one input is ahead of another, seed by seed, in every task of images."""
    heads = (title.removesuffix(", %") for title in _IMAGES.values())
    rows: list[Sequence[str]] = [("points ahead", *heads)]
    runs = {name: runs_of(name) for name in _IMAGES}
    for title, pair in _PAIRS.items():
        rows.append((title, *(_ahead(runs[name], *pair) for name in _IMAGES)))
    return [*(f"tasks_{name}" for name in _IMAGES), *(f"tasks_{name}_codecs" for name in _CODECS)], rows


def runs_of(name: str) -> list[dict[str, Any]]:
    """A task's runs, with those of the comparison of codecs, their arms named by the column they stand in."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    more = read_results(f"tasks_{name}_codecs")["runs"] if name in _CODECS else []
    for run in [*more, *read_results(f"tasks_{name}")["runs"]]:
        arm = _SAME.get(run["arm"], run["arm"])
        found[arm, run["seed"]] = run | {"arm": arm}
    return list(found.values())


def _cells(runs: list[dict[str, Any]], figure: str, times: float, stored: str) -> list[str]:
    cells = []
    for _, arm, *_ in (column for column in _COLUMNS if column[0]):
        own = [run for run in runs if run["arm"] == arm]
        size = f" in {own[0][stored] / 1000:.1f} kB" if own and stored else ""
        cells.append(f"{times * mean(run[figure] for run in own):.1f}{size}" if own else "")
    return cells


def _ahead(runs: list[dict[str, Any]], arm: str, other: str) -> str:
    own, theirs = ({run["seed"]: run["accuracy"] for run in runs if run["arm"] == each} for each in (arm, other))
    both = sorted(own.keys() & theirs.keys())
    return spread([100 * (own[seed] - theirs[seed]) for seed in both], sign="+") if both else ""
