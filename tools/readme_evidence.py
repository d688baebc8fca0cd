"""What README.md says in short of what networks learn from latents: where they win, tie and lose, and one table."""

import json
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.results import table
from benchmarks.tasks.report import spread

__all__ = ["sections"]

_RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
_HEAD = ("task", "few numbers: pixels", "latents", "`-detail`", "more numbers: pixels", "latents", "all pixels")
_IMAGES = {
    "fonts": "which of 22 fonts, %",
    "tokens": "the same by a transformer, %",
    "totals": "digits of a total on a rendered form, %",
    "receipts": "digits on scanned receipts, %",
    "photographs": "classes of photographs, %",
}
_INPUTS = {
    "p12": "pixels / 4, JPEG 95",
    "c12": "latents rgb-f8c12",
    "d12": "latents rgb-f8c12-detail",
    "p48": "pixels / 2, JPEG 95",
    "c48": "latents rgb-f8c48",
    "all": "all pixels, JPEG 95",
    "x2": "latents rgb-f8c48, steps x 2",
    "x4": "latents rgb-f8c48, steps x 4",
}
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
    "latents f128c64": "latents rgb-f8c48",
    "all samples": "all pixels, JPEG 95",
}
_INTRODUCTION = """The same small network, trained on the same samples on the same grid, from what is stored: pixels
downscaled, to as many numbers as the latents beside them have; latents as `dequantize` gives them; and all pixels. Few
numbers are 16 times fewer than pixels have (`rgb-f8c12`, and for the transformer `rgb-f16c48`), more numbers 4 times
fewer (`rgb-f8c48`, `rgb-f16c192`). Validation accuracy, or dB, are means over seeds, kilobytes those stored a sample
(of sound, a second). [Task by task](benchmarks/tasks/README.md): spreads, speeds, commands, caveats.
"""
_SAID = """- **Latents win** where detail decides and numbers are few. In about as many bytes as downscaled pixels,
  `rgb-f8c12` is {fonts c12-p12} points ahead on fonts, {totals c12-p12} on totals and {receipts c12-p12} on scanned
  receipts, `rgb-f16c48` {tokens c12-p12} for a transformer. At 4 times fewer numbers fonts still gain {fonts c48-p48},
  and {tokens c48-p48} by the transformer. Training on `rgb-f8c48` was {fonts speed} times as fast as on all pixels
  from JPEG 95, most of that for there being fewer numbers.
- **They tie** with downscaled pixels at 4 times fewer numbers on totals ({totals c48-p48}) and receipts
  ({receipts c48-p48}), everywhere on photographs of objects, which hardly need resolution, on colour, and on melodies.
  With all pixels `rgb-f8c48` ties: {fonts c48-all} on fonts, {totals c48-all} on totals, {receipts c48-all} on
  receipts, {photographs c48-all} on photographs.
- **They lose** bytes at 4 times fewer numbers where pixels downscaled by 2 still show what is asked: {totals c48_bytes}
  to {totals p48_bytes} on totals, {receipts c48_bytes} to {receipts p48_bytes} on receipts. `rgb-f8c12` is behind all
  pixels by {fonts all-c12} points on fonts, {totals all-c12} on totals and {receipts all-c12} on receipts. On drums
  half as many latents as samples are behind all samples after long training.
- **What explains it**: downscaling drops all detail above its limit; as many latents keep what varies most of every
  band. So the codec decides, more than how its latents are given: other scales than that of `dequantize` gain on one
  task and lose on another, a bare stem, mixup and windows of a larger canvas change little. Its steps may
  be coarser: `rgb-f8c48x2` is within about a point on all four
  ({fonts x2-c48}, {totals x2-c48}, {receipts x2-c48}, {photographs x2-c48}), in samples {fonts x2_less} to
  {photographs x2_less} smaller; `rgb-f8c48x4` loses on totals alone ({fonts x4-c48}, {totals x4-c48},
  {receipts x4-c48}, {photographs x4-c48}). Fonts are then {fonts x4-all} points to all pixels in {fonts x4_bytes}
  bytes, a tenth of the raw pixels' 49,152 and fewer than JPEG 50 takes. An emphasis on high frequencies
  (`rgb-f8c12-detail`) gains {fonts d12-c12} points on fonts, {totals d12-c12} on totals, {photographs d12-c12} on
  photographs and {receipts d12-c12} on receipts, in fewer bytes each; in a transformer, where tokens of 16 × 16 pixels
  leave more out, {tokens d12-c12} on fonts, which is then {tokens d12-all} to all pixels.
- **So take** `rgb-f8c48x2` or `x4` to train on, and `rgb-f8c12` where numbers or bytes are to be fewest;
  try `-detail` beside it, with transformers first; always with the one scale of `dequantize`.

These are small networks on small sets, trained on two cores. No natural photographs were found, of seven sets, on which
accuracy rises with resolution here, so nothing is said of those.
"""


def sections() -> list[str]:
    """What is compared, the table of those tasks that were run, what it comes to, and the plot."""
    rows: list[tuple[str, ...]] = [_HEAD]
    figures: dict[str, str] = {}
    for name, title in _IMAGES.items():
        if runs := _runs(name):
            rows.append((title, *_cells(runs, "accuracy", "sample_bytes", 100)))
            figures |= {f"{name} {what}": figure for what, figure in _figures(runs).items()}
    if runs := _runs("colorization"):
        rows.append(("chroma of a photograph, dB", *_cells(runs, "chroma_psnr", "", 1)))
    for stem in ("drums", "melody"):
        if runs := _runs(f"separation_{stem}"):
            longest = max(run["epochs"] for run in runs)
            own = [run for run in runs if run["epochs"] == longest]
            rows.append((f"{stem} out of a mixture, SI-SDR, dB", *_cells(own, "si_sdr", "signal_rate", 1)))
    plot = "![accuracy against bytes and speed](benchmarks/results/tasks.png)\n"
    return [_INTRODUCTION, table(rows) + "\n", _SAID.format(**figures), plot]


def _runs(name: str) -> list[dict[str, Any]]:
    """A task's runs, with those of the comparison of codecs, their arms named by the column they stand in."""
    found: dict[tuple[str, int, int], dict[str, Any]] = {}
    for file in ("encoders", name):
        path = _RESULTS / f"tasks_{file}.json"
        content = json.loads(path.read_text("utf-8"))["runs"] if path.exists() else []
        for run in content.get(name, []) if isinstance(content, dict) else content:
            arm = _SAME.get(run["arm"], run["arm"])
            found[arm, run["seed"], run.get("epochs", 0)] = run | {"arm": arm}
    return list(found.values())


def _cells(runs: list[dict[str, Any]], metric: str, stored: str, times: float) -> list[str]:
    """What inputs came to in the mean, and the kilobytes of it."""
    cells = []
    for arm in list(_INPUTS.values())[: len(_HEAD) - 1]:
        own = [run for run in runs if run["arm"] == arm]
        size = f" in {own[0][stored] / 1000:.1f} kB" if own and stored else ""
        cells.append(f"{times * mean(run[metric] for run in own):.1f}{size}" if own else "")
    return cells


def _figures(runs: list[dict[str, Any]]) -> dict[str, str]:
    """`ONE-OTHER`, points that one input is ahead of another, seed by seed; bytes a sample (`ONE_bytes`); by how much a
    sample is smaller than with `rgb-f8c48` (`ONE_less`); and `speed`, how many times as fast as on all pixels training
    on `rgb-f8c48` was."""
    by_input = {short: {run["seed"]: run for run in runs if run["arm"] == arm} for short, arm in _INPUTS.items()}
    figures = {}
    for one, own in by_input.items():
        for other, theirs in by_input.items():
            both = sorted(own.keys() & theirs.keys())
            if both and one != other:
                ahead = [own[seed]["accuracy"] - theirs[seed]["accuracy"] for seed in both]
                figures[f"{one}-{other}"] = spread(ahead, sign="+")
        if own:
            figures[f"{one}_bytes"] = f"{own[0]['sample_bytes']:,.0f}"
            if by_input["c48"]:
                figures[f"{one}_less"] = f"{1 - own[0]['sample_bytes'] / by_input['c48'][0]['sample_bytes']:.0%}"
    speed = {short: mean(run["samples_a_second"] for run in own.values()) for short, own in by_input.items() if own}
    if {"c48", "all"} <= speed.keys():
        figures["speed"] = f"{speed['c48'] / speed['all']:.1f}"
    return figures
