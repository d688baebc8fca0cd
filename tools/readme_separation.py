"""What README.md says of instruments taken out of mixtures, with the tables of `benchmarks/tasks/separation.py`."""

import json
from pathlib import Path
from statistics import mean, stdev
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
}
