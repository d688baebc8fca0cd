"""Accuracy against bytes stored, a panel a task: `python -m benchmarks.tasks.plot PICTURE`.

Drawn of what the tasks saved; latents only as `dequantize` gives them. One legend serves all panels.
"""

import argparse
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import matplotlib.pyplot as plt

from benchmarks.tasks.tables import runs_of

_TASKS = {
    "fonts": "which of 22 fonts",
    "tokens": "the same, by a transformer",
    "receipts": "digits on scanned receipts",
    "photographs": "classes of photographs",
}
_INPUTS = {  # arms as columns of tables have them, by how they are drawn: (label, colour, marker)
    "pixels / 4, JPEG 95": ("pixels downscaled by 4", "#8fb0dd", "s"),
    "pixels / 2, JPEG 95": ("pixels downscaled by 2", "#3f6fb0", "s"),
    "all pixels, JPEG 95": ("all pixels", "#7a7a7a", "s"),
    "latents rgb-f8c12": ("latents, as many as / 4", "#ee8a4f", "o"),
    "latents rgb-f8c12-detail": ("the same, -detail", "#d9a400", "^"),
    "latents rgb-f8c48": ("latents, as many as / 2", "#b5360a", "o"),
}


def main() -> None:
    """Draw the tasks whose results were saved."""
    parser = argparse.ArgumentParser(description="The plot of the tasks.")
    parser.add_argument("picture", type=Path, help="file to write, such as benchmarks/results/tasks.png")
    picture = parser.parse_args().picture
    figure, panels = plt.subplots(1, len(_TASKS), figsize=(3.4 * len(_TASKS), 3.6), layout="constrained", squeeze=False)
    for name, axes in zip(_TASKS, panels[0], strict=True):
        draw(axes, runs_of(name), _TASKS[name])
    panels[0][0].set_ylabel("validation accuracy, %")
    drawn = {line.get_label(): line for axes in panels[0] for line in axes.get_legend_handles_labels()[0]}
    labels = [label for label in dict.fromkeys(label for label, _, _ in _INPUTS.values()) if label in drawn]
    figure.legend([drawn[label] for label in labels], labels, loc="outside lower center", ncols=len(labels), fontsize=9)
    figure.savefig(picture, dpi=100)


def draw(axes: Any, runs: list[dict[str, Any]], title: str) -> None:
    """One panel: a point an arm, its bar the standard deviation over seeds."""
    for arm, (label, colour, marker) in _INPUTS.items():
        own = [run for run in runs if run["arm"] == arm]
        if own:
            shares = [100 * run["accuracy"] for run in own]
            deviation = stdev(shares) if len(shares) > 1 else 0
            place = own[0]["sample_bytes"] / 1000
            axes.errorbar(place, mean(shares), deviation, fmt=marker, color=colour, capsize=3, label=label)
    ticks = (0.5, 1, 2, 5, 10, 20)
    axes.set(xscale="log", xlabel="kilobytes stored a sample")
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlim(0.6, 22)
    axes.set_title(title, fontsize=10)
    axes.grid(True, alpha=0.25)
    axes.margins(y=0.1)


if __name__ == "__main__":
    main()
