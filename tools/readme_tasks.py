"""What benchmarks/tasks/README.md says of networks trained on latents, task by task."""

import json
from pathlib import Path
from statistics import mean
from typing import Any

import tools.readme_separation
from benchmarks.results import table
from benchmarks.tasks.report import spread
from tools.readme_colorization import colorization_section
from tools.readme_encoders import encoders_section

__all__ = ["sections"]

_RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
_TITLES = {
    "fonts": "Which of {choices} fonts set this patch of 128 × 128 pixels of 11 to 13 pixel text",
    "totals": "The three digits beside the word TOTAL on a form of 128 × 128 pixels, in fonts of 10 to 12 pixels; "
    "accuracy a digit",
    "receipts": "The digit at the middle of a window of 128 × 128 pixels of a scanned receipt (ICDAR 2019 SROIE), "
    "pages brought to one height of text, digits of 10 to 13 pixels",
    "photographs": "Classes of photographs (`{data}`, {choices} classes) at 128 × 128 pixels, mirrored half the time",
    "tokens": "The same patches and fonts by a transformer of three blocks, width 64, on a grid of 8 × 8 positions, "
    "whose tokens stand for 16 × 16 pixels as those of a ViT/16 do: at 48 numbers a token pixels are downscaled by 4, "
    "at 192 by 2, all of them are 768",
    "augmentation": "The task of photographs (`{data}`) with windows cut from a canvas of 160 pixels (from latents at "
    "the positions of their grid, 8 pixels apart; from pixels / 2 there, or at any pixel; the middle is validated on), "
    "and with mixup (inputs and answers of two samples mixed by a share of Beta(0.2, 0.2)). Differences are to the "
    "same input with flips alone",
    "recipe": "How latents are given to the network, on the task of fonts: channels divided by their standard "
    "deviation to the power of 0 (what `dequantize` gives), 1/2 (square root) or 1 (unit variance); no stem: the first "
    "convolution takes them as they are; fitted: a codec of `walloc_data.fit` on 500 of the patches. Differences are "
    "to the codec of the zoo with as many channels as `dequantize` gives it",
}
_INTRODUCTION = """**What a network learns from latents.** One small convolutional network, with the same trunk on a
grid of 16 × 16 positions, optimiser and epochs for every input; only the width of the 1 × 1 stem differs. Pixels are
folded into the positions (space-to-depth): downscaled by 4 (12 numbers a position, as many as `rgb-f8c12`), by 2 (48,
as many as `rgb-f8c48`), or all of them (192). Accuracy is that of the last epoch on validation samples, mean ±
standard deviation over seeds, which draw weights and order anew; differences are taken seed by seed, to all pixels from
JPEG 95. Sizes, epochs and the rate of learning were fixed on pixels downscaled by 2 alone, before inputs were compared:
with half as many epochs more, one seed gained 2.3 points on fonts, 0.5 on totals, 3.4 on photographs (another half:
0.3). Networks compute in bfloat16. Samples a second, the loader's share and the time of training are processor time of
one core, loading included, on a machine that did other work beside. A `DataLoader` in the process reads JPEG
files by Pillow, raw pixels from one mapped file and latents by `LatentDataset`, which `dequantize` scales; the codecs
of the zoo were fitted to photographs.
"""
_SAID = {
    "fonts": "Small text is where latents win at equal cost. At 12 numbers a position `rgb-f8c12` names {c12} of "
    "fonts, pixels downscaled to as many {p12} ({c12-p12} points, seed by seed) in as many bytes "
    "({c12_bytes} and {p12_bytes}): as many fonts as pixels downscaled by 2 ({p48}), which are four times "
    "the numbers and take {p48_bytes} bytes. At 48 numbers `rgb-f8c48` names {c48}: {c48-p48} points more "
    "than pixels, and level with all pixels from JPEG 95 ({c48-all}). It takes {c48_bytes} bytes a "
    "sample, JPEG 95 {all_bytes} and raw pixels {raw_bytes}: a sixth of raw, not the tenth aimed at, and "
    "a coarser JPEG is smaller still: quality 50 takes {q50_bytes} bytes and names {q50}, level with "
    "quality 95. What `rgb-f8c12` loses to all pixels, {c12-all}, is the price of a tenth of the bytes of "
    "JPEG 95. The loader took {loading} as long over JPEG 95 as over `rgb-f8c48`, and with fewer numbers "
    "to prepare, training on `rgb-f8c48` was {speed} as fast.",
    "totals": "Reading digits, latents win where numbers are few: `rgb-f8c12` reads {c12} of digits, pixels "
    "downscaled by 4 {p12} ({c12-p12} points) in more bytes ({c12_bytes} and {p12_bytes}). At 48 numbers "
    "nothing is settled beyond the spread: `rgb-f8c48` reads {c48}, {c48-p48} points to pixels downscaled "
    "by 2 and {c48-all} to all pixels. As those pixels still show such digits and take {p48_bytes} bytes "
    "to the {c48_bytes} of `rgb-f8c48`, they are the cheaper way to store this task. Scale matters for "
    "few channels: divided by the square root of their standard deviation, those of `rgb-f8c12` gain "
    "{c12_root-c12} points; for `rgb-f8c48` it changes little ({c48_root-c48}; unit variance: "
    "{c48_unit-c48}).",
    "receipts": "On real scans as on made-up forms, latents win where numbers are few. At 12 numbers a position "
    "`rgb-f8c12` reads {c12} of digits, pixels downscaled to as many {p12} ({c12-p12} points), in {c12_bytes} bytes to "
    "{p12_bytes}; always the commonest digit would be {chance:.1%}. To pixels downscaled by 2, four times the numbers "
    "and {p48_bytes} bytes, it is {c12-p48} points, to all pixels {c12-all}. At 48 numbers the sampling error of about "
    "1.1 points decides nothing: `rgb-f8c48` reads {c48}, {c48-p48} points to pixels downscaled by 2 and {c48-all} to "
    "all of them. It takes {c48_bytes} bytes to their {p48_bytes}, but with steps twice as large {c48x2_bytes}, at "
    "{c48x2-c48} points, and with steps four times as large {c48x4_bytes}, at {c48x4-c48} ({c48x4-all} to all pixels "
    "from {all_bytes} bytes). Another codec of 12 channels gains nothing here: one fitted to 500 of these windows is "
    "{own12-c12} points to that of the zoo in {own12_bytes} bytes, `rgb-f8c12-detail` {c12d-c12} in {c12d_bytes}, and "
    "what they gained on fonts they do not gain on digits. Training on `rgb-f8c48` was {speed} as "
    "fast as on all pixels. A script that decodes the whole scan and cuts the window from it reads "
    "{reading[scans]:,.0f} windows a second, one that reads windows stored as JPEG 95 "
    "{reading[all pixels, JPEG 95]:,.0f}, `LatentDataset` {reading[latents rgb-f8c48]:,.0f} (`rgb-f8c48`) and "
    "{reading[latents rgb-f8c12]:,.0f} (`rgb-f8c12`): most of what such a script gains, it gains by cutting windows "
    "once, whatever they are stored as. Windows are around {digits[train]:,} digits of amounts, dates and codes on "
    "{receipts[train]} receipts, to validate on around {digits[val]:,} of {receipts[val]} others; shops are in both. "
    "Where a digit is in its text box is reckoned, not marked, so some windows have it off the middle. Six epochs "
    "gained 3.3 points on four, so networks are not trained to their end. There are few seeds: the table says how "
    "many.",
    "photographs": "Photographs of objects hardly need resolution, and as `dequantize` gives them, latents are level "
    "with pixels, within the spread and the sampling error of 1.8 points: {p12} and {p48} of classes from "
    "downscaled pixels, {all} from all of them, {c12} and {c48} from latents ({c12-p12} points to pixels "
    "of as many numbers at 12, {c48-p48} at 48; the square root: {c12_root-c12} and {c48_root-c48}). At "
    "12 numbers `rgb-f8c12` takes {c12_bytes} bytes, pixels {p12_bytes}; at 48 pixels are smaller "
    "({p48_bytes} bytes to {c48_bytes}).",
    "tokens": "By the tokens of a transformer latents win more than by convolutions, and the codec decides most. At "
    "48 numbers a token `rgb-f16c48` names {t48} of fonts, pixels downscaled to as many {p12} ({t48-p12} points) in as "
    "many bytes ({t48_bytes} and {p12_bytes}), and `rgb-f16c48-detail` {t48d}: {t48d-t48} points to `rgb-f16c48` in "
    "{t48d_bytes} bytes, {t48d-all} to all pixels, which are 16 times the numbers and ten times the bytes. At 192 "
    "`rgb-f16c192` names {t192}, pixels {p48} ({t192-p48}); it is {t192-all} points to all pixels, from {t192_bytes} "
    "bytes to {all_bytes}. The emphasis of `-detail` was chosen on these fonts, by convolutions on another grid, and "
    "other tasks were not tried with a transformer: by convolutions it gains less on fonts and loses on receipts. Runs "
    "from few numbers without it differ much by seed. Ten epochs are far from the end of such a network, and no other "
    "number was tried.",
    "augmentation": "Nothing goes beyond the sampling error of 1.8 points, though mixup on latents may gain: "
    "windows change `rgb-f8c12` by {c12_win-c12} points, `rgb-f8c48` by {c48_win-c48}, pixels / 2 by {p48_grid-p48} on "
    "the grid and {p48_any-p48} at any pixel; mixup `rgb-f8c12` by {c12_mix-c12}, `rgb-f8c48` by {c48_mix-c48}, pixels "
    "/ 2 by {p48_mix-p48}; both `rgb-f8c12` by {c12_both-c12} and `rgb-f8c48` by {c48_both-c48}. That latents can be "
    "cut at positions of their grid alone costs nothing that shows here, and windows of a larger canvas take "
    "{c48_win_bytes} bytes to {c48_bytes}. At 20 epochs such small networks are not what augmentation is for.",
    "recipe": "Once trained nearly to the end, how latents are given hardly matters, and where it does, signs "
    "differ by codec and task. On text the square root changes `rgb-f8c12` by {c12_root-c12} points and "
    "`rgb-f8c48` by {c48_root-c48}, unit variance by {c12_unit-c12} and {c48_unit-c48}, leaving out the "
    "stem `rgb-f8c48` by {c48_bare-c48}; with totals and photographs (above) no scale is better on all "
    "three, so `dequantize` keeps one scale for all channels. A codec of 12 channels fitted to text "
    "(`walloc fit`, seconds) names {own12} ({own12-c12} points to that of the zoo).",
}
_ORIGINALS = """**What reading costs where files stay as they came.** {samples:,} photographs (`{data}`) read by a
`DataLoader` in the process on one core, best of {epochs} epochs, in samples a second of processor time: as the
original files, decoded by Pillow and resized to 128 × 128 pixels in every epoch, as most training scripts do it; and
as what is stored once at that size. Counted is what the loader gives, uint8 or int8; making floats of it is not
({machine}; `python -m benchmarks.tasks.originals --data FOLDER`):
"""
_ORIGINALS_SAID = """Original files come at {original} a second, which binds any network that trains faster than that:
JPEG files of the size trained at are read at {jpeg}, `rgb-f8c48` at {c48}, `rgb-f8c12` at {c12}. So the largest step
is to store the size that is trained at, in whatever form; latents go on from there. Letting the JPEG decoder shrink
first ({helped}) helps only pictures that are at least four times too large. Fastest are raw pixels ({raw}), at
{raw_bytes} bytes a sample to the {c48_bytes} and {c12_bytes} of latents; all that is stored was in the memory of the
machine here.
"""
_READ = {
    "original": "original files",
    "helped": "original files, shrunk by the decoder",
    "jpeg": "all pixels, JPEG 95",
    "raw": "all pixels, raw",
    "c48": "latents rgb-f8c48",
    "c12": "latents rgb-f8c12",
}
_NEEDS = dict.fromkeys(("photographs", "augmentation", "receipts"), " --data FOLDER")
_ARMS = {
    "c12": "latents rgb-f8c12",
    "c48": "latents rgb-f8c48",
    "c12_root": "latents rgb-f8c12, square root",
    "c48_root": "latents rgb-f8c48, square root",
    "c12_unit": "latents rgb-f8c12, unit variance",
    "c48_unit": "latents rgb-f8c48, unit variance",
    "c48_bare": "latents rgb-f8c48, no stem",
    "own12": "latents fitted-c12",
    "c12d": "latents rgb-f8c12-detail",
    "c48x2": "latents rgb-f8c48, steps x 2",
    "c48x4": "latents rgb-f8c48, steps x 4",
    "t48": "latents rgb-f16c48",
    "t48d": "latents rgb-f16c48-detail",
    "t192": "latents rgb-f16c192",
    "p48_mix": "pixels / 2, JPEG 95, mixed",
    "p48_any": "pixels / 2, JPEG 95, windows at any pixel",
    "p48_grid": "pixels / 2, JPEG 95, windows on the grid",
    "c12_win": "latents rgb-f8c12, windows",
    "c12_mix": "latents rgb-f8c12, mixed",
    "c12_both": "latents rgb-f8c12, windows, mixed",
    "c48_win": "latents rgb-f8c48, windows",
    "c48_mix": "latents rgb-f8c48, mixed",
    "c48_both": "latents rgb-f8c48, windows, mixed",
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
        return tools.readme_separation.sections()
    parts = [_INTRODUCTION]
    for name, content in found.items():
        counts = "{train:,} samples to train on, {val:,} to validate on".format(**content["samples"])
        parts.append(
            f"{_TITLES[name].format(**content)} ({counts}; epochs: {content['epochs']}; "
            f"{content['machine']}; `python -m benchmarks.tasks.{name}{_NEEDS.get(name, '')}`):\n"
        )
        parts.append(table(content["rows"]) + "\n")
        parts.append(_SAID[name].format(**content, **_figures(content["runs"])) + "\n")
    parts += encoders_section() + _originals_section() + colorization_section()
    return parts + tools.readme_separation.sections()


def _originals_section() -> list[str]:
    """Reading original files, where that was measured."""
    if not (_RESULTS / "tasks_originals.json").exists():
        return []
    content = _read("originals")
    rows = {name: (size, speed) for name, size, speed, _ in content["rows"]}
    figures = {short: rows[name][1] for short, name in _READ.items()}
    figures |= {f"{short}_bytes": rows[name][0] for short, name in _READ.items()}
    return [_ORIGINALS.format(**content), table(content["rows"]) + "\n", _ORIGINALS_SAID.format(**figures)]


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
