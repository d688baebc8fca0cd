"""What benchmarks/tasks/README.md says of instruments taken out of mixtures."""

import json
from math import hypot
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.results import table

__all__ = ["sections"]

_RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
_INTRODUCTION = """**Sound: one instrument out of a mixture.** Songs of {seconds_a_song:.1f} seconds at {rate:,} Hz, one
channel: random melody, chords, bass and drums, played by a soundfont ({soundfont}) and mixed at random gains; songs to
validate on are others, of the same instruments. One convolutional network on a grid of 128 samples a position makes
the stem of the mixture, both stored in the input's form. Samples are folded into the positions, at a rate that is
lowered by an ideal low-pass where they are fewer than 128. Latents are of codecs that `walloc_data.fit` made of 64
mixtures, int8 with the coder `rans`, read by `LatentDataset`. What the network makes is decoded and judged at the full
rate: SI-SDR, mean ± standard deviation over seeds, and what that is more than of the mixture taken for the stem. The
difference is to all samples after as many epochs, seed by seed; a seed draws weights and order, not the songs. "True
stem" is the SI-SDR of the stem itself in that form, the most that can be reached. Bytes are those stored a second of a
signal, samples being plain 16-bit ones, which is what was read; "as FLAC" is what the same samples take without loss
(`flac -8`, a file a signal). Seconds of training are processor time of one core. It needs Debian's packages
`fluidsynth`, `fluid-soundfont-gm` and `flac`, or their like.
"""
_TITLES = {
    "drums": "Drums, whose cymbals fill the band",
    "melody": "Melody, which shares its band with the chords",
}
_COMMANDS = {"drums": " --more --longer", "melody": " --stem melody"}
_SHORT = {
    "all samples": "all",
    "rate / 2": "half",
    "rate / 4": "quarter",
    "rate / 8": "eighth",
    "latents f128c16": "c16",
    "latents f128c32": "c32",
    "latents f128c64": "c64",
    "latents f128c128": "c128",
    "latents f128c32, not quantised": "floats",
    "latents f128c32, unit variance": "unit",
    "latents f128c32, unit variance, loss not": "unit_input",
}
_SAID = {
    ("drums", 16): (
        "Longer training takes part of the lead of latents away. All 128 latents come to {c128} dB, still "
        "ahead of all samples ({all}); 64 latents, ahead of them after short training, come to {c64} and are "
        "behind. At as many numbers a position latents stay ahead: {c64} dB to {half} at half the rate, "
        "though the true drums are kept as well ({c64_ceiling} and {half_ceiling} dB). Training is not at its "
        "end here either."
    ),
    ("drums", 4): (
        "After short training both are ahead of all samples ({c64} and {c128} dB to {all}), and not because "
        "they hold more: `f128c128` holds no more than all samples do, and `f128c64` no more than half the "
        "rate, which comes to {half}. It must be the form that helps: a channel is a band, of a window of up "
        "to 3,938 samples, where the first layer sees 384 samples. At 32 and 16 numbers latents and lower "
        "rates are close ({c32} and {quarter}, {c16} and {eighth}): a fit to the variance of mixtures keeps "
        "the low bands, as a lower rate does, and both are bounded by the cymbals they leave out; latents are "
        "then smaller than FLAC by {quarter/c32} and {eighth/c16} times. int8 costs little: as floats 32 "
        "latents come to {floats}. Unit variance a channel is the wrong scale: {unit} if the loss is scaled "
        "like that too, which then counts small channels for as much as large ones, {unit_input} if it is "
        "not, {c32} with the one scale of `dequantize`."
    ),
    ("melody", 4): (
        "Melody is harder, and after so short a training nothing is gained or lost beyond the spread of "
        "seeds: {c64} and {c128} dB from latents, {all} from all samples and {half} from half the rate, which "
        "keeps the true melody to {half_ceiling} dB. What the form of latents gives to drums it does not give "
        "to melody; longer training was not tried."
    ),
}
_COMPARED = (
    "What latents are worth more than samples, in dB of SI-SDR after as many epochs: the mean ± its standard error, as "
    "songs to judge on and seeds are few. Less than twice its error is a tie. Bytes are those of samples as FLAC, in "
    "times those of the latents:\n"
)
_CONCLUSION = (
    "So for drums latents win at as many numbers a position, by less the longer the training: all 128 by "
    "{drums4 c128-all} dB after 4 epochs and {drums16 c128-all} after 16, from {drums4 all/c128} times fewer "
    "bytes than FLAC. Half as many, from {drums4 all/c64} times fewer bytes, win on all samples after 4 "
    "epochs ({drums4 c64-all}) and lose after 16 ({drums16 c64-all}). For melody it is a tie in quality "
    "({melody4 c64-all} and {melody4 c128-all}), and what latents win is bytes alone ({melody4 all/c64} and "
    "{melody4 all/c128} times fewer than FLAC). Lossy audio formats, which are smaller than FLAC, were not "
    "compared."
)


def sections() -> list[str]:
    """Paragraphs and tables, of those stems that were taken out."""
    paths = {stem: _RESULTS / f"tasks_separation_{stem}.json" for stem in _TITLES}
    found = {stem: json.loads(path.read_text("utf-8")) for stem, path in paths.items() if path.exists()}
    if not found:
        return []
    parts, figures = [_INTRODUCTION.format(**next(iter(found.values())))], dict[str, str]()
    for stem, content in found.items():
        counts = "{train:,} songs to train on, {val:,} to validate on".format(**content["songs"])
        for epochs in sorted({run["epochs"] for run in content["runs"]}, reverse=True):
            own = _figures(content, epochs)
            figures |= {f"{stem}{epochs} {name}": figure for name, figure in own.items()}
            parts.append(
                f"{_TITLES[stem]}, after {epochs} epochs ({counts}; the mixture's SI-SDR: "
                f"{content['runs'][0]['mixture']:.1f} dB; {content['machine']}; "
                f"`python -m benchmarks.tasks.separation{_COMMANDS[stem]}`):\n"
            )
            parts.append(table(_without_epochs(content["rows"], epochs)) + "\n")
            parts.append(_SAID[stem, epochs].format(**own) + "\n")
    return [*parts, _COMPARED, table(_compared(found)) + "\n", _CONCLUSION.format(**figures) + "\n"]


def _without_epochs(rows: list[list[str]], epochs: int) -> list[list[str]]:
    """The head and the rows of so many epochs, without that column."""
    column = rows[0].index("epochs")
    return [row[:column] + row[column + 1 :] for row in rows if row[column] in ("epochs", str(epochs))]


def _compared(found: dict[str, dict[str, Any]]) -> list[list[str]]:
    """Latents beside the samples that they are compared to, a column for each stem and length of training."""
    columns: dict[tuple[str, int], dict[tuple[str, str], str]] = {}
    smaller: dict[tuple[str, str], list[float]] = {}
    for stem, content in found.items():
        rate = {run["arm"]: run["signal_rate"] for run in content["runs"]}
        for difference in content["differences"]:
            pair = difference["arm"], difference["to"]
            columns.setdefault((stem, difference["epochs"]), {})[pair] = _verdict(difference)
            smaller.setdefault(pair, []).append(content["flac"][pair[1]] / rate[pair[0]])
    head = ["latents", "samples", "bytes", *(f"{stem}, {epochs} epochs" for stem, epochs in columns)]
    return [head] + [
        [*pair, _range(times), *(column.get(pair, "") for column in columns.values())]
        for pair, times in smaller.items()
    ]


def _verdict(difference: dict[str, Any]) -> str:
    """Mean and error in dB, and which side they are on."""
    error = hypot(difference["over_songs"], difference["over_seeds"] / difference["seeds"] ** 0.5)
    decided = abs(difference["mean"]) > 2 * error
    word = ("win" if difference["mean"] > 0 else "loss") if decided else "tie"
    return f"{difference['mean']:+.2f} ± {error:.2f}, {word}"


def _range(times: list[float]) -> str:
    """From the fewest to the most."""
    fewest, most = (f"{end(times):.1f}" for end in (min, max))
    return fewest if fewest == most else f"{fewest} to {most}"


def _figures(content: dict[str, Any], epochs: int) -> dict[str, str]:
    """What the sentences name, by arm, after so many epochs: SI-SDR in dB, that of the true stem, bytes a second, as
    stored and as FLAC; `LATENTS-SAMPLES`, the difference; `SAMPLES/LATENTS`, FLAC's bytes in times those of latents."""
    figures, means = dict[str, str](), dict[str, float]()
    rates = {run["arm"]: run["signal_rate"] for run in content["runs"]}
    for arm in rates:
        own = [run for run in content["runs"] if (run["arm"], run["epochs"]) == (arm, epochs)]
        if own:
            means[_SHORT[arm]] = mean(run["si_sdr"] for run in own)
            figures[_SHORT[arm]] = f"{means[_SHORT[arm]]:.1f}"
            figures[f"{_SHORT[arm]}_ceiling"] = f"{own[0]['ceiling']:.1f}"
            figures[f"{_SHORT[arm]}_bytes"] = f"{own[0]['signal_rate']:,.0f}"
    for arm, flac in content["flac"].items():
        figures[f"{_SHORT[arm]}_flac"] = f"{flac:,.0f}"
        figures |= {f"{_SHORT[arm]}/{_SHORT[other]}": f"{flac / rate:.1f}" for other, rate in rates.items()}
    for one in figures.keys() & {"c64", "c128"}:
        for other in ("half", "all"):
            figures[f"{one}-{other}"] = f"{means[one] - means[other]:+.2f}"
    return figures
