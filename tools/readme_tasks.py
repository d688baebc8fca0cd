"""What README.md says of networks trained on latents: the tables of `benchmarks/tasks`, and sentences with their figures."""

import json
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.results import table

__all__ = ["sections"]

_RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
_TITLES = {
    "fonts": "Which of {choices} fonts set this patch of 128 × 128 pixels of 11 to 13 pixel text",
    "totals": "The three digits beside the word TOTAL on a form of 128 × 128 pixels, in fonts of 10 to 13 pixels; "
    "accuracy a digit",
    "photographs": "Classes of photographs ({choices} of Caltech-101) at 128 × 128 pixels, mirrored half the time",
    "recipe": "How latents are scaled, on the task of fonts: channels multiplied by their standard deviation to the "
    "power of 0 (one scale, what `dequantize` gives), -1/2 (square root) or -1 (unit variance); no stem: the first "
    "convolution takes them as they are. Differences are to one scale",
}
_INTRODUCTION = """**What a network learns from them.** One small convolutional network, the same trunk on a grid of 16 × 16
positions for every input, the same optimiser, epochs and seeds; only the width of the 1 × 1 stem differs. Pixels are
folded into the positions (space-to-depth), downscaled by 4 (12 numbers a position, as many as `rgb-f8c12`), by 2
(48, as many as `rgb-f8c48`) or not at all (192). Accuracy is of the validation samples, mean ± standard deviation over
seeds; the difference is to all pixels, raw, seed by seed. Samples a second, the loader's share of the time and the
time of training are processor time of one core, loading included. `rgb-f8c12` and `rgb-f8c48` are those of the zoo,
fitted to photographs, with `LatentDataset` and `dequantize` as they come.
"""


def sections() -> list[str]:
    """Paragraphs and tables, of those tasks that were run."""
    found = {name: _read(name) for name in _TITLES if (_RESULTS / f"tasks_{name}.json").exists()}
    if not found:
        return []
    parts = [_INTRODUCTION, *_said(found)]
    for name, content in found.items():
        counts = "{train:,} samples to train on, {val:,} to validate on".format(**content["samples"])
        title = _TITLES[name].format(**content)
        parts.append(
            f"{title} ({counts}; {content['epochs']} epochs, {content['seeds']} seeds; {content['machine']}; "
            f"`python -m benchmarks.tasks.{name}`):\n"
        )
        parts.append(table(content["rows"]) + "\n")
    if (_RESULTS / "tasks.png").exists():
        parts.append("![tasks](benchmarks/results/tasks.png)\n")
    return parts


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((_RESULTS / f"tasks_{name}.json").read_text("utf-8"))
    return content
