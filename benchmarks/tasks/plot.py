"""Accuracy against bytes a sample, a panel a task: `python -m benchmarks.tasks.plot`, from what the tasks saved."""

import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import matplotlib.pyplot as plt

__all__ = ["draw"]

_RESULTS = Path(__file__).parents[1] / "results"
_TASKS = {"fonts": "which of 22 fonts", "totals": "digits of the total", "photographs": "classes of photographs"}
_COLOURS = {"latents": "#c1440e", "pixels": "#4a6fa5", "all": "#7a7a7a"}


def main() -> None:
    """Draw the tasks that were run."""
    found = [name for name in _TASKS if (_RESULTS / f"tasks_{name}.json").exists()]
    figure, panels = plt.subplots(1, len(found), figsize=(4.6 * len(found), 4.2), layout="constrained", squeeze=False)
    for name, axes in zip(found, panels[0], strict=True):
        draw(axes, json.loads((_RESULTS / f"tasks_{name}.json").read_text("utf-8"))["runs"], _TASKS[name])
    figure.savefig(_RESULTS / "tasks.png", dpi=100)


def draw(axes: Any, runs: list[dict[str, Any]], title: str) -> None:
    """One panel: a point an arm, its bar the standard deviation over seeds."""
    for arm in dict.fromkeys(run["arm"] for run in runs):
        own = [run for run in runs if run["arm"] == arm]
        shares = [100 * run["accuracy"] for run in own]
        bytes_, colour = own[0]["sample_bytes"], _COLOURS[arm.split()[0]]
        axes.errorbar(bytes_, mean(shares), stdev(shares) if len(shares) > 1 else 0, fmt="o", color=colour, capsize=3)
        axes.annotate(
            arm.removeprefix("latents "),
            (bytes_, mean(shares)),
            xytext=(0, -13),
            ha="center",
            textcoords="offset points",
            fontsize=8,
        )
    axes.set(xscale="log", xlabel="bytes stored a sample", ylabel="validation accuracy, %")
    axes.set_title(title, fontsize=10)
    axes.grid(True, which="both", alpha=0.25)
    axes.margins(x=0.28, y=0.14)


if __name__ == "__main__":
    main()
