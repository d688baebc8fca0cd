"""What benchmarks/tasks/README.md says of codecs with other steps and weights."""

import json
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.results import table
from benchmarks.tasks.report import spread

__all__ = ["encoders_section"]

_RESULT = Path(__file__).parents[1] / "benchmarks" / "results" / "tasks_encoders.json"
_TITLE = (
    "Which codec trains the best models at its size: those of the zoo with steps multiplied (`Codec.coarser`, "
    "`walloc-shard --coarser`), and fitted to the same photographs with an emphasis on detail (`fit(emphasis=...)`, "
    "`walloc fit --emphasis`), where errors count by frequency to that power; an emphasis of 0.5 at 12 channels is "
    "`rgb-f8c12-detail`. Differences are to the codec of the zoo ({machine}; `python -m benchmarks.tasks.encoders "
    "--data FOLDER --fit FOLDER [FOLDER ...]`):\n"
)
_SAID = "ENCODERS.\n"
_ARMS = {
    "c12": "latents rgb-f8c12",
    "c12x2": "latents rgb-f8c12, steps x 2",
    "c12x4": "latents rgb-f8c12, steps x 4",
    "c12e": "latents rgb-f8c12, emphasis 0.5",
    "c12e1": "latents rgb-f8c12, emphasis 1.0",
    "c48": "latents rgb-f8c48",
    "c48x2": "latents rgb-f8c48, steps x 2",
    "c48x4": "latents rgb-f8c48, steps x 4",
    "c48e": "latents rgb-f8c48, emphasis 0.5",
    "c48ex2": "latents rgb-f8c48, steps x 2, emphasis 0.5",
}


def encoders_section() -> list[str]:
    """Title, table and words, or nothing where it was not run."""
    if not _RESULT.exists():
        return []
    content: dict[str, Any] = json.loads(_RESULT.read_text("utf-8"))
    return [_TITLE.format(**content), table(content["rows"]) + "\n", _SAID.format(**_figures(content["runs"]))]


def _figures(runs: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """By task and arm (`fonts_c12`): accuracy in percent, points more than the zoo's codec of as many channels
    (`_more`), and by how much a sample is smaller than that's (`_less`)."""
    figures = {}
    for task, found in runs.items():
        by_arm = {short: {r["seed"]: r for r in found if r["arm"] == arm} for short, arm in _ARMS.items()}
        for short, own in by_arm.items():
            zoo = by_arm[short[:3]]
            figures[f"{task}_{short}"] = f"{100 * mean(run['accuracy'] for run in own.values()):.1f}%"
            if short != short[:3]:
                more = [own[seed]["accuracy"] - zoo[seed]["accuracy"] for seed in sorted(own)]
                figures[f"{task}_{short}_more"] = spread(more, sign="+")
                less = 1 - own[0]["sample_bytes"] / zoo[0]["sample_bytes"]
                figures[f"{task}_{short}_less"] = f"{less:.0%}"
    return figures
