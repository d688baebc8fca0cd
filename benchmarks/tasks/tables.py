"""Tables of runs: of one task, and of several by what they saved, with the names of the results they are made of."""

from collections.abc import Iterable, Sequence
from statistics import mean, stdev

from benchmarks.results import FOLDER, read_results
from benchmarks.tasks.task import Arm, Run, Task

IMAGES = {
    "fonts": "which of 22 fonts",
    "tokens": "the same by a transformer",
    "receipts": "digits on scanned receipts",
    "photographs": "classes of photographs",
}
_SDR, _MANY = "out of a mixture (half the rate), SI-SDR, dB", "as many latents"
_TASKS = {  # by result: title, figure, factor, what is stored
    **{name: (f"{title}, %", "accuracy", 100, "sample_bytes") for name, title in IMAGES.items()},
    "colour": ("colour of a photograph, dB", "chroma_psnr", 1, ""),
    "separation_drums_16": (f"drums {_SDR}", "si_sdr", 1, "signal_rate"),
    "separation_melody_4": (f"melody {_SDR}", "si_sdr", 1, "signal_rate"),
    "digits": ("which digit is spoken (a quarter of the rate), %", "accuracy", 100, "sample_bytes"),
}
_QUARTER = "pixels / 4, JPEG 95", "pixels / 4"
_C12 = "latents rgb-f8c12", "latents rgb-f16c48", "latents of 4 and 8 channels"
_DETAIL = "latents rgb-f8c12-detail", "latents rgb-f16c48-detail", "latents rgb-f8c12, emphasis 0.5"
_HALF = "pixels / 2, JPEG 95", "pixels / 2", "rate / 2", "samples / 4"
_C48 = "latents rgb-f8c48", "latents rgb-f16c192", "latents of 16 and 32 channels"
INPUTS = (  # inputs that are alike: their column in tables, if any; label, colour and marker in the plot; arms
    ("pixels downscaled by 4", "pixels downscaled by 4: 1/16 of the numbers", "#8fb0dd", "s", _QUARTER),
    (_MANY, "latents: 1/16 of the numbers", "#ee8a4f", "o", _C12),
    ("pixels downscaled by 2", "pixels downscaled by 2: 1/4 of the numbers", "#3f6fb0", "s", _HALF),
    (_MANY, "latents: 1/4 of the numbers", "#b5360a", "o", (*_C48, "latents f128c64", "latents mono-f64c16")),
    ("all pixels", "all pixels, from JPEG", "#7a7a7a", "s", ("all pixels, JPEG 95", "all samples")),
    ("", "latents of a codec with -detail: 1/16 of the numbers", "#d9a400", "^", _DETAIL),
)
_LEARNED = {"latents rgb-f16c48-learned": "latents rgb-f8c12-learned"}
_SAME = {other: arms[0] for *_, arms in INPUTS for other in arms} | _LEARNED
_PAIRS = {
    "12 channels, to pixels / 4": ("latents rgb-f8c12", "pixels / 4, JPEG 95"),
    "12 channels, to all pixels": ("latents rgb-f8c12", "all pixels, JPEG 95"),
    "48 channels, to pixels / 2": ("latents rgb-f8c48", "pixels / 2, JPEG 95"),
    "48 channels, to all pixels": ("latents rgb-f8c48", "all pixels, JPEG 95"),
    "48 channels, steps x 2, to finer steps": ("latents rgb-f8c48, steps x 2", "latents rgb-f8c48"),
    "48 channels, steps x 4, to finer steps": ("latents rgb-f8c48, steps x 4", "latents rgb-f8c48"),
    "48 channels, steps x 4, to all pixels": ("latents rgb-f8c48, steps x 4", "all pixels, JPEG 95"),
    "12 channels with `-detail`, to without": ("latents rgb-f8c12-detail", "latents rgb-f8c12"),
    "12 channels with `-detail`, to all pixels": ("latents rgb-f8c12-detail", "all pixels, JPEG 95"),
    "12 channels, learned, to linear": ("latents rgb-f8c12-learned", "latents rgb-f8c12"),
    "48 channels, learned, to linear": ("latents rgb-f8c48-learned", "latents rgb-f8c48"),
}
_SETS = "_codecs", "", "_learned"  # of arms; of runs that are in several the last ones count
_BESIDE_LEARNED = "rgb-f8c12", "rgb-f8c12-detail", "rgb-f8c12-learned", "rgb-f8c48", "rgb-f8c48-learned"


def summary(task: Task, arms: Sequence[Arm], runs: Sequence[Run]) -> list[list[str]]:
    """A row an arm: means over seeds, of the first figure also the standard deviation, and what it is more, seed by
    seed, than that of the arm it is compared to."""
    (key, title, times, digits), *others = task.figures
    head = ["input", "numbers a position", "seeds", title, "difference", *(figure.title for figure in others)]
    rows = [[*head, "bytes a sample", "samples/s", "loader's share", "training, s"]]
    for arm in arms:
        own, theirs = ([run for run in runs if run["arm"] == name] for name in (arm.name, arm.against))
        seconds, size = mean(run["seconds"] for run in own), own[0]["sample_bytes"]
        row = [arm.name, f"{own[0]['channels']}", f"{len(own)}", spread([times * run[key] for run in own], digits)]
        row += [spread(ahead(own, theirs, key, times), digits, "+") if arm.name != arm.against else ""]
        row += [f"{mean(each.times * run[each.key] for run in own):.{each.digits}f}" for each in others]
        row += [f"{size:,.0f}" if size else "", f"{mean(run['samples_a_second'] for run in own):,.0f}"]
        rows.append([*row, f"{mean(run['loader_seconds'] for run in own) / seconds:.0%}", f"{seconds:.1f}"])
    return rows


def ahead(own: Sequence[Run], theirs: Sequence[Run], key: str, times: float = 1) -> list[float]:
    """What a figure is more in some runs than in others, by seed."""
    found, other = ({run["seed"]: run[key] for run in runs} for runs in (own, theirs))
    return [times * (found[seed] - other[seed]) for seed in sorted(found.keys() & other)]


def spread(values: Sequence[float], digits: int = 1, sign: str = "") -> str:
    """Mean and, of several, standard deviation; nothing of none."""
    deviation = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):{sign}.{digits}f}{deviation}" if values else ""


def task_means() -> tuple[list[str], list[Sequence[str]]]:
    """Every task by what the network read: what it came to in the mean, and the kilobytes stored a sample."""
    columns = [(column, arms[0]) for column, *_, arms in INPUTS if column]
    return sources(*_TASKS), _means(_TASKS, columns)


def learned() -> tuple[list[str], list[Sequence[str]]]:
    """The same of images by learned codecs, beside those of as many numbers."""
    return sources(*IMAGES), _means(IMAGES, [(f"`{name}`", f"latents {name}") for name in _BESIDE_LEARNED])


def _means(names: Iterable[str], columns: Sequence[tuple[str, str]]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("task", *(column for column, _ in columns))]
    for title, figure, times, stored, name in ((*_TASKS[name], name) for name in names):
        cells = [title]
        for own in (runs_of(name, arm) for _, arm in columns):
            size = f" in {own[0][stored] / 1000:.1f} kB" if own and stored else ""
            cells.append(f"{times * mean(run[figure] for run in own):.1f}{size}" if own else "")
        rows.append(cells)
    return rows


def advantages() -> tuple[list[str], list[Sequence[str]]]:
    """Points of accuracy that one input is ahead of another, seed by seed, in every task of images."""
    rows: list[Sequence[str]] = [("points ahead", *IMAGES.values())]
    for title, pair in _PAIRS.items():
        both = ([runs_of(name, arm) for arm in pair] for name in IMAGES)
        rows.append([title, *(spread(ahead(own, theirs, "accuracy", 100), 1, "+") for own, theirs in both)])
    return sources(*IMAGES), rows


def sources(*names: str) -> list[str]:
    """The results that there are of tasks."""
    found = [f"tasks_{name}{what}" for name in names for what in _SETS]
    return [name for name in found if (FOLDER / f"{name}.json").exists()]


def runs_of(name: str, arm: str) -> list[Run]:
    """A task's runs of the arms that are alike, one a seed."""
    runs = [run for each in sources(name) for run in read_results(each)["runs"]]
    return list({run["seed"]: run for run in runs if _SAME.get(run["arm"], run["arm"]) == arm}.values())
