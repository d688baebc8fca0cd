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
    "`--codec rgb-f8c48x2`), and fitted to the same photographs with an emphasis on detail (`fit(emphasis=...)`, "
    "`walloc fit --emphasis`), where errors count by frequency to that power; an emphasis of 0.5 at 12 channels is "
    "`rgb-f8c12-detail`. Differences are to the codec of the zoo ({machine}; `python -m benchmarks.tasks.encoders "
    "--data FOLDER --fit FOLDER [FOLDER ...]`):\n"
)
_SAID = (
    "Steps of the zoo are finer than training needs. Twice as large, those of `rgb-f8c48` change accuracy by "
    "{fonts_c48x2_more}, {totals_c48x2_more} and {photographs_c48x2_more} points on fonts, totals and photographs, and "
    "samples are smaller by {fonts_c48x2_less}, {totals_c48x2_less} and {photographs_c48x2_less} (PSNR of photographs "
    "by {c48x2_psnr} dB worse); four times as large, by {fonts_c48x4_more}, {totals_c48x4_more} and "
    "{photographs_c48x4_more}, and {fonts_c48x4_less}, {totals_c48x4_less} and {photographs_c48x4_less}. With 12 "
    "channels each has more to tell: steps twice as large cost {totals_c12x2_more} points on totals. An emphasis on "
    "detail depends on the task. At 12 channels one of 0.5 gives {fonts_c12e_more} points on fonts, "
    "{totals_c12e_more} on totals and {photographs_c12e_more} on photographs, in samples smaller by {fonts_c12e_less}, "
    "{totals_c12e_less} and {photographs_c12e_less}, though it decodes photographs {c12e_psnr} dB worse. It was chosen "
    "on these tasks; on the digits of receipts (above), which had no part in that, it loses. One of 1 goes too far "
    "({totals_c12e1_more} on totals), and at 48 channels, which leave out little, 0.5 changes fonts by "
    "{fonts_c48e_more}, totals by {totals_c48e_more} and photographs by {photographs_c48e_more}, spoiling them as "
    "the square root does. So no weights are best for all, and the zoo keeps those of least error beside `-detail`; "
    "what it should do otherwise is to take larger steps where channels are many.\n"
)
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
    return [_TITLE.format(**content), table(content["rows"]) + "\n", _SAID.format(**_figures(content))]


def _figures(content: dict[str, Any]) -> dict[str, str]:
    """By task and arm (`fonts_c12`): accuracy in percent, points more than the zoo's codec of as many channels
    (`_more`), and by how much a sample is smaller than that's (`_less`). By arm, dB of PSNR that it loses (`_psnr`),
    and bytes a sample of fonts (`_bytes`)."""
    figures = {}
    for task, found in content["runs"].items():
        by_arm = {short: {run["seed"]: run for run in found if run["arm"] == arm} for short, arm in _ARMS.items()}
        for short, own in by_arm.items():
            zoo = by_arm[short[:3]]
            more = [own[seed]["accuracy"] - zoo[seed]["accuracy"] for seed in sorted(own)]
            figures[f"{task}_{short}"] = f"{100 * mean(run['accuracy'] for run in own.values()):.1f}%"
            figures[f"{task}_{short}_more"] = spread(more, sign="+")
            figures[f"{task}_{short}_less"] = f"{1 - own[0]['sample_bytes'] / zoo[0]['sample_bytes']:.0%}"
            if task == "fonts":
                figures[f"{short}_bytes"] = f"{own[0]['sample_bytes']:,.0f}"
    for short, arm in _ARMS.items():
        figures[f"{short}_psnr"] = f"{content['psnr'][_ARMS[short[:3]]] - content['psnr'][arm]:.1f}"
    return figures
