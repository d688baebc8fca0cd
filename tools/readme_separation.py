"""What benchmarks/tasks/README.md says of instruments taken out of mixtures."""

import json
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
difference is to all samples, seed by seed; a seed draws weights and order, not the songs. "True stem" is the SI-SDR of
the stem itself in that form, the most that can be reached. Bytes are those stored a second of a signal, samples being
plain 16-bit ones; seconds of training are processor time of one core. It needs Debian's packages `fluidsynth` and
`fluid-soundfont-gm`, or their like.
"""
_TITLES = {
    "drums": "Drums, whose cymbals fill the band",
}
_COMMANDS = {"drums": " --longer"}
_SAID = {
    "drums": "After equal, short training latents beat samples, and not because they hold more. 64 numbers a "
    "position keep the true drums as well in `f128c64` as at half the rate ({c64_ceiling} and {half_ceiling} dB), "
    "but the network comes to {c64} dB with those latents and to {half} with those samples, from {c64_bytes} bytes "
    "a second and {half_bytes}. All samples, {all_times} times the bytes of `f128c64`, come to {all}, all 128 "
    "latents to {c128}. At 32 and 16 numbers latents and lower rates are close ({c32} and {quarter}, {c16} and "
    "{eighth}): a fit to the variance of mixtures keeps the low bands, as a lower rate does, and both are bounded "
    "by the cymbals they leave out; latents are then smaller by {c32_less} and {c16_less} times. `f128c128` holds "
    "no more than all samples do, so it must be the form that helps: a channel is a band, of a window of up to "
    "3,938 samples, where the first layer sees 384 samples. Training is far from its end, and longer training, of "
    "one seed, takes part of the lead away: with twice the epochs all samples come to {all_twice}, with 4 times as "
    "many to {all_longer}, where `f128c64` is at {c64_longer}, behind them, and `f128c128` at {c128_longer}, still "
    "ahead. int8 costs little: as floats 32 latents come to {floats}. Unit variance a channel is the wrong scale: "
    "{unit} if the loss is scaled like that too, which then counts small channels for as much as large ones, "
    "{unit_input} if it is not, {c32} with the one scale of `dequantize`.",
}
_ARMS = {
    "all": "all samples",
    "half": "rate / 2",
    "quarter": "rate / 4",
    "eighth": "rate / 8",
    "c16": "latents f128c16",
    "c32": "latents f128c32",
    "c64": "latents f128c64",
    "c128": "latents f128c128",
    "floats": "latents f128c32, not quantised",
    "unit": "latents f128c32, unit variance",
    "unit_input": "latents f128c32, unit variance, loss not",
    "all_twice": "all samples, twice the epochs",
    "all_longer": "all samples, 4 times the epochs",
    "c64_longer": "latents f128c64, 4 times the epochs",
    "c128_longer": "latents f128c128, 4 times the epochs",
}


def sections() -> list[str]:
    """Paragraphs and tables, of those stems that were taken out."""
    paths = {stem: _RESULTS / f"tasks_separation_{stem}.json" for stem in _TITLES}
    found = {stem: json.loads(path.read_text("utf-8")) for stem, path in paths.items() if path.exists()}
    parts = [_INTRODUCTION.format(**next(iter(found.values())))] if found else []
    for stem, content in found.items():
        counts = "{train:,} songs to train on, {val:,} to validate on".format(**content["songs"])
        parts.append(
            f"{_TITLES[stem]} ({counts}; epochs: {content['epochs']}; the mixture's SI-SDR: "
            f"{content['runs'][0]['mixture']:.1f} dB; {content['machine']}; "
            f"`python -m benchmarks.tasks.separation{_COMMANDS[stem]}`):\n"
        )
        parts.append(table(content["rows"]) + "\n")
        parts.append(_SAID[stem].format(**_figures(content["runs"])) + "\n")
    return parts


def _figures(runs: list[dict[str, Any]]) -> dict[str, str]:
    """What the sentences name, by arm: SI-SDR in dB, that of the true stem, and bytes a second; and how many
    times the bytes of latents samples take."""
    figures = {}
    for short, arm in _ARMS.items():
        own = [run for run in runs if run["arm"] == arm]
        if own:
            figures[short] = f"{mean(run['si_sdr'] for run in own):.1f}"
            figures[f"{short}_ceiling"] = f"{own[0]['ceiling']:.1f}"
            figures[f"{short}_bytes"] = f"{own[0]['signal_rate']:,.0f}"
    rate = {short: run["signal_rate"] for run in runs for short, arm in _ARMS.items() if run["arm"] == arm}
    for name, more, less in (
        ("all_times", "all", "c64"),
        ("c32_less", "quarter", "c32"),
        ("c16_less", "eighth", "c16"),
    ):
        figures[name] = f"{rate[more] / rate[less]:.0f}"
    return figures
