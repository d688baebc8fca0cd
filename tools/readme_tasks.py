"""What README.md says of networks trained on latents, with the tables of `benchmarks/tasks`."""

import json
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.results import table
from benchmarks.tasks.report import spread
from tools.readme_colorization import colorization_section

__all__ = ["sections"]

_RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
_TITLES = {
    "fonts": "Which of {choices} fonts set this patch of 128 × 128 pixels of 11 to 13 pixel text",
    "totals": "The three digits beside the word TOTAL on a form of 128 × 128 pixels, in fonts of 10 to 12 pixels; "
    "accuracy a digit",
    "photographs": "Classes of photographs (`{data}`, {choices} classes) at 128 × 128 pixels, mirrored half the time",
    "recipe": "How latents are given to the network, on the task of fonts: channels divided by their standard "
    "deviation to the power of 0 (what `dequantize` gives), 1/2 (square root) or 1 (unit variance); no stem: the first "
    "convolution takes them as they are; fitted: a codec of `walloc_data.fit` on 500 of the patches. Differences are "
    "to the same codec as `dequantize` gives it, those of fitted codecs to that of the zoo with as many channels or 48",
}
_INTRODUCTION = """**What a network learns from latents.** One small convolutional network, with the same trunk on a
grid of 16 × 16 positions, optimiser and epochs for every input; only the width of the 1 × 1 stem differs. Pixels are
folded into the positions (space-to-depth): downscaled by 4 (12 numbers a position, as many as `rgb-f8c12`), by 2 (48,
as many as `rgb-f8c48`), or all of them (192). Accuracy is that of the last epoch on validation samples, mean ±
standard deviation over seeds, which draw weights and order anew; differences are taken seed by seed, to all pixels from
JPEG 95. Sizes, epochs and the rate of learning were fixed before inputs were compared, on pixels downscaled by 2 alone:
so many epochs that half as many more gained 2.3 points on fonts, 0.5 on totals, 0.3 on photographs. Networks compute in
bfloat16. Samples a second, the loader's share and the time of training are processor time of one core, loading
included, on a machine that did other work beside. Latents are read by `LatentDataset` and scaled by `dequantize`; the
codecs of the zoo were fitted to photographs.
"""
_SAID = {
    "fonts": "Small text is where latents win at equal cost: at 12 numbers a position `rgb-f8c12` names {c12} "
    "of fonts and pixels downscaled to as many {p12}, in about as many bytes. At 48, `rgb-f8c48` names {c48}, "
    "pixels {p48}, and all pixels from JPEG 95 {all}; but most inputs have one seed so far, and where there are "
    "two, they lie up to 13 points apart, so that of differences below that nothing is settled: with eight epochs "
    "instead of six (one seed, before this table) `rgb-f8c48` and all pixels were level at 93%, pixels downscaled "
    "by 2 at 89%. `rgb-f8c48` takes {c48_bytes} bytes a sample, JPEG 95 {all_bytes} and raw pixels {raw_bytes}: a "
    "sixth of raw, not the tenth aimed at. A coarser JPEG is the smaller file: quality 50 takes {q50_bytes} bytes "
    "for {q50}. The loader took {loading} as long over JPEG 95 as over `rgb-f8c48`; but patches of 128 pixels are "
    "soon decoded, the network takes most of the time, and training on `rgb-f8c48` was {speed} as fast, not twice.",
    "totals": "Reading digits, with one seed, no input is near its ceiling after so few epochs, and it is not "
    "the one with most information that is ahead: `rgb-f8c12` is far above pixels downscaled to as many numbers "
    "({c12} to {p12}, in as many bytes) and level with pixels downscaled by 2 ({p48}, in twice the bytes), but "
    "`rgb-f8c48` loses to those ({c48}, in twice their bytes), and all pixels come to {all}. A codec fitted to such "
    "forms is behind that of the zoo here ({own12}).",
    "photographs": "Photographs of objects hardly need resolution, and latents are level with pixels downscaled by "
    "4: {p12} and {p48} from downscaled pixels, {all} from all of them, {c12} and {c48} from latents, with one "
    "seed, after so short a training, and with a sampling error of 1.2 points.",
    "recipe": "How latents are given may matter as much as which they are, but with one seed these are hints. "
    "On text the square root takes `rgb-f8c12` from {c12} to {c12_root} and `rgb-f8c48` from {c48} to {c48_root}, "
    "unit variance to {c12_unit} and {c48_unit}; without the stem they come to {c12_bare} and {c48_bare}. Digits "
    "and photographs hardly gain by the square root (above), so one scale is still the default. On text a codec "
    "fitted to text (`walloc fit`, seconds) does most for few channels: its 12 name {own12}; its 48 come to "
    "{own48}, no more than those of the zoo. All 192 channels of a fitted codec, which leave nothing out, come to "
    "{own192}.",
}
_NEEDS = {"photographs": " --data FOLDER"}
_ARMS = {
    "c12": "latents rgb-f8c12",
    "c48": "latents rgb-f8c48",
    "c12_root": "latents rgb-f8c12, square root",
    "c48_root": "latents rgb-f8c48, square root",
    "c12_unit": "latents rgb-f8c12, unit variance",
    "c48_unit": "latents rgb-f8c48, unit variance",
    "c12_bare": "latents rgb-f8c12, no stem",
    "c48_bare": "latents rgb-f8c48, no stem",
    "own12": "latents fitted-c12",
    "own48": "latents fitted-c48",
    "own192": "latents fitted-c192",
    "p12": "pixels / 4, JPEG 95",
    "p48": "pixels / 2, JPEG 95",
    "all": "all pixels, JPEG 95",
    "q50": "all pixels, JPEG 50",
    "raw": "all pixels, raw",
}


def sections() -> list[str]:
    """Paragraphs and tables, of those tasks that were run."""
    found = {name: _read(name) for name in _TITLES if (_RESULTS / f"tasks_{name}.json").exists()}
    if not found:
        return []
    parts = [_INTRODUCTION]
    for name, content in found.items():
        counts = "{train:,} samples to train on, {val:,} to validate on".format(**content["samples"])
        parts.append(
            f"{_TITLES[name].format(**content)} ({counts}; epochs: {content['epochs']}; "
            f"{content['machine']}; `python -m benchmarks.tasks.{name}{_NEEDS.get(name, '')}`):\n"
        )
        parts.append(table(content["rows"]) + "\n")
        parts.append(_SAID[name].format(**_figures(content["runs"])) + "\n")
    parts += colorization_section()
    if (_RESULTS / "tasks.png").exists():
        parts.append("![tasks](benchmarks/results/tasks.png)\n")
    return parts


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((_RESULTS / f"tasks_{name}.json").read_text("utf-8"))
    return content


def _figures(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """What the sentences name, by arm: accuracy in percent and bytes a sample; `ONE-OTHER`, points that one arm is
    ahead of another, seed by seed; and `loading` and `speed`, how many times as long JPEG 95 of all pixels took to load
    as `rgb-f8c48`, and how many times as fast that trained."""
    figures: dict[str, Any] = {}
    by_arm = {short: {run["seed"]: run for run in runs if run["arm"] == arm} for short, arm in _ARMS.items()}
    for short, own in by_arm.items():
        if own:
            figures[short] = f"{100 * mean(run['accuracy'] for run in own.values()):.1f}%"
            figures[f"{short}_bytes"] = f"{own[0]['sample_bytes']:,.0f}"
        for other, theirs in by_arm.items():
            both = own.keys() & theirs.keys()
            if both and other != short:
                ahead = [own[seed]["accuracy"] - theirs[seed]["accuracy"] for seed in sorted(both)]
                figures[f"{short}-{other}"] = spread(ahead, sign="+")
    if by_arm["c48"] and by_arm["all"]:
        loading, speed = (
            mean(run[what] for run in by_arm["all"].values()) / mean(run[what] for run in by_arm["c48"].values())
            for what in ("loader_seconds", "samples_a_second")
        )
        figures |= {"loading": f"{loading:.1f} times", "speed": f"{1 / speed:.1f} times"}
    return figures
