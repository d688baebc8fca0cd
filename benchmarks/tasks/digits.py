"""Which digit is spoken.

Recordings of `--data` at 8 kHz are called `{digit}_{speaker}_{take}.wav`, as in the Free Spoken Digit Dataset, whose
takes 0 to 4 are there to test on. A network gets latents of `mono-f64c16`, which was fitted to other recordings; or
samples at a lower rate, folded so that each position of its grid holds as many numbers (16, of 2 kHz); or all samples
(64). Inputs are divided by their root mean square, that of a recording (some speak softly) and that of a channel.
"""

from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from benchmarks.tasks.networks import convolution
from benchmarks.tasks.separation import fold
from benchmarks.tasks.task import Arm, ClassTask, Stored
from walloc_data import AudioReader, LatentDataset, Options, open_source, shard_dataset

_CODEC, _RATE, _FACTOR, _NAMES = "mono-f64c16", 8000, 64, "{label}_{speaker}_{take}"
_POSITIONS = 96  # of 8 ms; longer recordings are cut, shorter ones end in zeros
_TEST_TAKES, _WIDTH, _ALL = 5, 48, "all samples"
_ARMS = (
    Arm(name=f"latents {_CODEC}", codec=_CODEC, against=_ALL),
    Arm(name="samples / 4", downscaled=4, against=_ALL),
    Arm(name=_ALL, against=_ALL),
)


class DigitsTask(ClassTask):
    """Recordings in a folder; what is stored is kept in memory as the network gets it."""

    name, epochs, sets = "digits", 20, {"": _ARMS}

    def __init__(self, data: Path) -> None:
        self.data = data

    def prepare(self, arm: Arm, work: Path) -> Stored:
        [split] = open_source(self.data, suffixes=AudioReader.suffixes, names=_NAMES).splits.values()
        raws = [split[index] for index in range(len(split))]
        sounds = [AudioReader(channels=1, rate=_RATE).read(raw.data, raw.name).values for raw in raws]
        if arm.codec:
            done = shard_dataset(sounds, work / arm.codec, codec=arm.codec, options=Options(shuffle=False))
            dataset = LatentDataset(work / arm.codec)
            inputs, size = [dataset.codec.dequantize(z) for z, _ in dataset], done.dataset_bytes / done.samples
        else:
            inputs = [_folded(x[0] / np.float32(32768), arm.downscaled) for x in sounds]
            size = float(np.mean([x.nbytes for x in sounds])) / arm.downscaled
        tested = torch.tensor([int(raw.fields["take"]) < _TEST_TAKES for raw in raws])
        digits = torch.tensor([int(raw.fields["label"]) for raw in raws])
        x = torch.stack([_input(each) for each in inputs])
        x = x / x[~tested].square().mean((0, 2), keepdim=True).sqrt()
        train, val = (TensorDataset(x[chosen], digits[chosen]) for chosen in (~tested, tested))
        return Stored(train=train, val=val, form=None, channels=x.shape[1], sample_bytes=size)

    def network(self, data: Stored) -> nn.Module:
        w = _WIDTH
        return nn.Sequential(
            *convolution(1, data.channels, w, 5, 1),
            *convolution(1, w, 2 * w, 5, 2),
            *convolution(1, 2 * w, 2 * w, 5, 2),
            *(nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Dropout(0.3), nn.Linear(8 * w, 10)),
        )

    def inputs(self, data: Stored, x: Tensor, *, augment: bool) -> Tensor:
        """Recordings to learn from are shifted by up to four positions."""
        return x.roll(int(torch.randint(-4, 5, ())), 2) if augment else x


def _folded(x: Any, downscaled: int) -> Tensor:
    """Samples `[n]` at a lower rate as `[factor, positions]`, the last position filled up with zeros."""
    x = soxr.resample(x, _RATE, _RATE // downscaled) if downscaled > 1 else x
    factor = _FACTOR // downscaled
    return fold(torch.from_numpy(np.pad(x, (0, -len(x) % factor)).astype(np.float32)), factor)


def _input(x: Tensor) -> Tensor:
    """Numbers `[c, n]` of unit mean square, as `[c, 96]`."""
    x = x / x.square().mean().sqrt().clamp_min(1e-8)
    return nn.functional.pad(x, (0, _POSITIONS - x.shape[1]))
