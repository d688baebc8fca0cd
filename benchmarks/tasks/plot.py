"""Accuracy against bytes and against time a sample, a column a task: `python -m benchmarks.tasks.plot`.

Drawn of what the tasks saved; latents only as `dequantize` gives them.
"""

import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import matplotlib.pyplot as plt

__all__ = ["draw"]

_RESULTS = Path(__file__).parents[1] / "results"
_TASKS = {"fonts": "which of 22 fonts", "totals": "digits of the total", "photographs": "classes of photographs"}
_COLOURS = {"latents": "#c1440e", "pixels": "#4a6fa5", "all": "#7a7a7a"}
_COSTS = {"sample_bytes": "bytes stored a sample", "samples_a_second": "samples trained on a second, loading included"}


def main() -> None:
    """Draw the tasks that were run."""
    found = [name for name in _TASKS if (_RESULTS / f"tasks_{name}.json").exists()]
    size = (4.6 * len(found), 4.0 * len(_COSTS))
    figure, panels = plt.subplots(len(_COSTS), len(found), figsize=size, layout="constrained", squeeze=False)
    for row, cost in zip(panels, _COSTS, strict=True):
        for name, axes in zip(found, row, strict=True):
            draw(axes, json.loads((_RESULTS / f"tasks_{name}.json").read_text("utf-8"))["runs"], cost, _TASKS[name])
    figure.savefig(_RESULTS / "tasks.png", dpi=100)


def draw(axes: Any, runs: list[dict[str, Any]], cost: str, title: str) -> None:
    """One panel: a point an arm, its bar the standard deviation over seeds."""
    for arm in dict.fromkeys(run["arm"] for run in runs):
        if arm.startswith("latents") and "," in arm:
            continue
        own = [run for run in runs if run["arm"] == arm]
        shares = [100 * run["accuracy"] for run in own]
        place, colour = mean(run[cost] for run in own), _COLOURS[arm.split()[0]]
        axes.errorbar(place, mean(shares), stdev(shares) if len(shares) > 1 else 0, fmt="o", color=colour, capsize=3)
        axes.annotate(
            arm.removeprefix("latents "),
            (place, mean(shares)),
            xytext=(0, -13),
            ha="center",
            textcoords="offset points",
            fontsize=8,
        )
    axes.set(xscale="log", xlabel=_COSTS[cost], ylabel="validation accuracy, %")
    axes.set_title(title, fontsize=10)
    axes.grid(True, which="both", alpha=0.25)
    axes.margins(x=0.28, y=0.14)


if __name__ == "__main__":
    main()
