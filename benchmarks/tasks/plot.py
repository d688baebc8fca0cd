"""Accuracy against bytes and against time a sample, a column a task: `python -m benchmarks.tasks.plot PICTURE`.

Drawn of what the tasks saved; latents only as `dequantize` gives them.
"""

import argparse
import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import matplotlib.pyplot as plt

__all__ = ["draw"]

_RESULTS = Path(__file__).parents[1] / "results"
_TASKS = {
    "fonts": "which of 22 fonts",
    "tokens": "the same, by a transformer",
    "totals": "digits of the total",
    "receipts": "digits on scanned receipts",
    "photographs": "classes of photographs",
}
_COLOURS = {"latents": "#c1440e", "pixels": "#4a6fa5", "all": "#7a7a7a"}
_COSTS = {"sample_bytes": "bytes stored a sample", "samples_a_second": "samples trained on a second, loading included"}


def main() -> None:
    """Draw the tasks whose results were saved."""
    parser = argparse.ArgumentParser(description="The plot of the tasks.")
    parser.add_argument("picture", type=Path, help="file to write, such as benchmarks/results/tasks.png")
    picture = parser.parse_args().picture
    found = [name for name in _TASKS if (_RESULTS / f"tasks_{name}.json").exists()]
    size = (4.2 * len(found), 4.0 * len(_COSTS))
    figure, panels = plt.subplots(len(_COSTS), len(found), figsize=size, layout="constrained", squeeze=False)
    for row, cost in zip(panels, _COSTS, strict=True):
        for name, axes in zip(found, row, strict=True):
            draw(axes, json.loads((_RESULTS / f"tasks_{name}.json").read_text("utf-8"))["runs"], cost, _TASKS[name])
    figure.savefig(picture, dpi=100)


def draw(axes: Any, runs: list[dict[str, Any]], cost: str, title: str) -> None:
    """One panel: a point an arm, its bar the standard deviation over seeds."""
    arms = dict.fromkeys(run["arm"] for run in sorted(runs, key=lambda run: float(run[cost])))
    plain = [arm for arm in arms if not arm.startswith("latents") or "," not in arm]
    for number, arm in enumerate(plain):
        own = [run for run in runs if run["arm"] == arm]
        shares = [100 * run["accuracy"] for run in own]
        place, colour = mean(run[cost] for run in own), _COLOURS[arm.split()[0]]
        axes.errorbar(place, mean(shares), stdev(shares) if len(shares) > 1 else 0, fmt="o", color=colour, capsize=3)
        axes.annotate(
            arm.removeprefix("latents "),
            (place, mean(shares)),
            xytext=(0, (-15, 9, -26, 20)[number % 4]),  # so that neighbours do not hide one another
            ha="center",
            textcoords="offset points",
            fontsize=8,
        )
    axes.set(xscale="log" if cost == "sample_bytes" else "linear", xlabel=_COSTS[cost], ylabel="validation accuracy, %")
    axes.set_title(title, fontsize=10)
    axes.grid(True, which="both", alpha=0.25)
    axes.margins(x=0.28, y=0.2)


if __name__ == "__main__":
    main()
