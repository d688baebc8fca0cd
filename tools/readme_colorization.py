"""What benchmarks/tasks/README.md says of colours predicted from latents."""

import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks.results import table

__all__ = ["colorization_section"]

_RESULT = Path(__file__).parents[1] / "benchmarks" / "results" / "tasks_colorization.json"
_TITLE = (
    "Chroma predicted from luma on a grid of 16 × 16 positions, squares of 128 × 128 pixels of photographs; means over "
    "the squares to be judged on, mean ± standard deviation over seeds; RGB has the true luma, or that which the input "
    "stores; `grey` is no chroma at all ({train:,} squares to train on, {test:,} to be judged on; epochs: {epochs}; "
    "{machine}; `python -m benchmarks.tasks.colorization --data FOLDER [FOLDER ...] --test FOLDER`):\n"
)
_SAID = (
    "Colour is where latents gain nothing. They are {few-p4} dB of chroma to pixels of as many numbers a position at "
    "4 and 8, a small loss, and {many-p2} at 16 and 32, a tie; all of them gain far more on `grey` ({grey} dB to "
    "{p4}). The true chroma as stored comes to {few_true} and {many_true} dB from latents, {p4_true} and {p2_true} "
    "from pixels: guessing limits this task, not storing, and what can be guessed of colour is smooth. With the luma "
    "that is stored, RGB comes to {few_stored} and {many_stored} dB from latents, to {p4_stored} and {p2_stored} from "
    "pixels.\n"
)
_ARMS = {
    "grey": "grey",
    "p4": "pixels / 4",
    "p2": "pixels / 2",
    "few": "latents of 4 and 8 channels",
    "many": "latents of 16 and 32 channels",
}


def colorization_section() -> list[str]:
    """Title, table and words, or nothing where the task was not run."""
    if not _RESULT.exists():
        return []
    content: dict[str, Any] = json.loads(_RESULT.read_text("utf-8"))
    title = _TITLE.format(epochs=content["epochs"], machine=content["machine"], **content["samples"])
    return [title, table(content["rows"]) + "\n", _SAID.format(**_figures(content))]


def _figures(content: dict[str, Any]) -> dict[str, str]:
    """By arm: dB of chroma alone, of RGB (`_rgb`), of RGB with the luma as stored (`_stored`), and of chroma when the
    true one is given (`_true`); and `ONE-OTHER`, dB of chroma that one arm is ahead of another, seed by seed."""
    figures: dict[str, str] = {}
    known = {run["arm"]: run for run in content["known"]}
    by_arm = {short: {run["seed"]: run for run in content["runs"] if run["arm"] == arm} for short, arm in _ARMS.items()}
    for short, arm in _ARMS.items():
        own = by_arm[short] or {0: known[arm]}
        for ending, what in (("", "chroma_psnr"), ("_rgb", "rgb_psnr"), ("_stored", "stored_psnr")):
            figures[short + ending] = f"{mean(run[what] for run in own.values()):.2f}"
        figures[f"{short}_true"] = f"{known[arm]['chroma_psnr']:.1f}"
        for other, theirs in by_arm.items():
            ahead = [own[seed]["chroma_psnr"] - theirs[seed]["chroma_psnr"] for seed in own.keys() & theirs.keys()]
            if len(ahead) > 1 and other != short:
                figures[f"{short}-{other}"] = f"{mean(ahead):+.2f} ± {stdev(ahead):.2f}"
    return figures
