"""What README.md says of instruments taken out of mixtures, with the tables of `benchmarks/tasks/separation.py`."""

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
difference is to all samples, seed by seed. "True stem" is the SI-SDR of the stem itself in that form, the most that
can be reached. Bytes are those stored a second of a signal, samples being plain 16-bit ones; seconds of training are
processor time of one core.
"""
_TITLES = {
    "drums": "Drums, whose cymbals fill the band",
    "melody": "Melody, which has little above a quarter of the rate",
}
_COMMANDS = {"drums": " --longer", "melody": " --stem melody --seeds 1"}
_SAID = {"drums": "DRUMS", "melody": "MELODY"}
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
    """What the sentences name, by arm: SI-SDR in dB, that of the true stem, and bytes a second."""
    figures = {}
    for short, arm in _ARMS.items():
        own = [run for run in runs if run["arm"] == arm]
        if own:
            figures[short] = f"{mean(run['si_sdr'] for run in own):.1f}"
            figures[f"{short}_ceiling"] = f"{own[0]['ceiling']:.1f}"
            figures[f"{short}_bytes"] = f"{own[0]['signal_rate']:,.0f}"
    return figures
