"""Accuracy against bytes stored, a panel a task: `python -m benchmarks.tasks.plot PICTURE`.

Drawn of what the tasks saved; latents only as `dequantize` gives them. One legend serves all panels.
"""

import argparse
from pathlib import Path
from statistics import mean, stdev

import matplotlib.pyplot as plt

from benchmarks.tasks.tables import IMAGES, INPUTS, runs_of


def main() -> None:
    """Draw the tasks whose results were saved."""
    parser = argparse.ArgumentParser(description="The plot of the tasks.")
    parser.add_argument("picture", type=Path, help="file to write, such as benchmarks/results/tasks.png")
    picture = parser.parse_args().picture
    figure, panels = plt.subplots(1, len(IMAGES), figsize=(3.4 * len(IMAGES), 4.2), layout="constrained")
    drawn = {}
    for (name, title), axes in zip(IMAGES.items(), panels, strict=True):
        for _, label, colour, marker, arms in INPUTS:
            if own := runs_of(name, arms[0]):
                shares, place = [100 * run["accuracy"] for run in own], own[0]["sample_bytes"] / 1000
                deviation = stdev(shares) if len(shares) > 1 else 0
                drawn[label] = axes.errorbar(place, mean(shares), deviation, fmt=marker, color=colour, capsize=3)
        ticks = (0.5, 1, 2, 5, 10, 20)
        axes.set(xscale="log", xlabel="kilobytes stored an image", xlim=(0.5, 22), title=title)
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.grid(True, alpha=0.25)
        axes.margins(y=0.1)
    panels[0].set_ylabel("validation accuracy, %")
    said = "What the network reads of an image, and how many numbers that is (bars: standard deviation over seeds)"
    figure.legend(list(drawn.values()), list(drawn), title=said, loc="outside lower center", ncols=3)
    figure.savefig(picture, dpi=100)


if __name__ == "__main__":
    main()
