"""Which digit is spoken.

Recordings of `--data` at 8 kHz are called `{digit}_{speaker}_{take}.wav`, as in the Free Spoken Digit Dataset, whose
takes 0 to 4 are there to test on. A network gets latents of `mono-f64c16`, which was fitted to other recordings; or
samples at a lower rate, folded so that each position of its grid holds as many numbers (16, of 2 kHz); or all samples
(64). Inputs are divided by their root mean square, that of a recording (some speak softly) and that of a channel.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from torch import Tensor, nn

from benchmarks.tasks.networks import convolution
from benchmarks.tasks.separation import fold
from benchmarks.tasks.task import Arm, Figure, Shuffled, Task
from walloc_data import AudioReader, LatentDataset, open_source, shard_dataset

_CODEC, _RATE, _FACTOR = "mono-f64c16", 8000, 64
_POSITIONS = 96  # of 8 ms; longer recordings are cut, shorter ones end in zeros
_TEST_TAKES, _WIDTH, _ALL = 5, 48, "all samples"
_ARMS = (
    Arm(name=f"latents {_CODEC}", codec=_CODEC, against=_ALL),
    Arm(name="samples / 4", fold=_FACTOR // 4, against=_ALL),
    Arm(name=_ALL, fold=_FACTOR, against=_ALL),
)


@dataclass(frozen=True)
class StoredDigits:
    """Inputs float32 `[recordings, channels, 96]` and digits, to learn from and to test on."""

    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    channels: int
    sample_bytes: float

    def batches(self, order: torch.Generator) -> Shuffled:
        return Shuffled(len(self.train[0]), DigitsTask.batch)


class DigitsTask(Task):
    """Recordings in a folder."""

    name = "digits"
    figures = (Figure("accuracy", "accuracy, %", 100, 1),)

    def __init__(self, data: Path, *, quick: bool = False) -> None:
        self.data, self.epochs = data, 1 if quick else 20
        self.sets = {"": _ARMS}

    def prepare(self, arm: Arm, work: Path) -> StoredDigits:
        """Recordings are read in the order of one dataset, whatever the arm."""
        source, out = (
            open_source(self.data, suffixes=AudioReader.suffixes, names="{label}_{speaker}_{take}"),
            work / _CODEC,
        )
        shard_dataset(source, out, codec=_CODEC)
        dataset = LatentDataset(out, columns=("label", "take", "key", "length"))
        latents, labels, takes, keys, lengths = zip(*dataset, strict=True)
        if arm.codec:
            inputs = [dataset.codec.dequantize(z) for z in latents]
            size = sum(path.stat().st_size for path in out.iterdir()) / len(labels)
        else:
            factor, reader = arm.fold or _FACTOR, AudioReader(channels=1, rate=_RATE)
            sounds = [reader.read((self.data / key).read_bytes(), key).values[0] / np.float32(32768) for key in keys]
            lowered = [soxr.resample(x, _RATE, _RATE * factor // _FACTOR) if factor < _FACTOR else x for x in sounds]
            inputs = [_folded(x, factor) for x in lowered]
            size = 2 * float(np.mean(lengths)) * factor / _FACTOR
        tested = torch.tensor(takes) < _TEST_TAKES
        x, digits = torch.stack([_input(each) for each in inputs]), torch.tensor(labels)
        x = x / x[~tested].square().mean((0, 2), keepdim=True).sqrt()
        return StoredDigits((x[~tested], digits[~tested]), (x[tested], digits[tested]), x.shape[1], size)

    def network(self, data: StoredDigits) -> nn.Module:
        w = _WIDTH
        return nn.Sequential(
            *convolution(1, data.channels, w, 5, 1),
            *convolution(1, w, 2 * w, 5, 2),
            *convolution(1, 2 * w, 2 * w, 5, 2),
            *(nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Dropout(0.3), nn.Linear(8 * w, 10)),
        )

    def loss(self, model: nn.Module, data: StoredDigits, batch: Tensor) -> Tensor:
        """Recordings are shifted by up to four positions."""
        x, digits = (each[batch] for each in data.train)
        return nn.functional.cross_entropy(model(x.roll(int(torch.randint(-4, 5, ())), 2)), digits)

    def judge(self, model: nn.Module, data: StoredDigits) -> dict[str, Any]:
        return {"accuracy": float((model(data.test[0]).argmax(1) == data.test[1]).double().mean())}


def _folded(sound: Any, factor: int) -> Tensor:
    """Samples `[n]` as `[factor, n / factor]`, the last position filled up with zeros."""
    return fold(torch.from_numpy(np.pad(sound, (0, -len(sound) % factor)).astype(np.float32)), factor)


def _input(x: Tensor) -> Tensor:
    """Numbers `[c, n]` of unit mean square, as `[c, 96]`."""
    x = x / x.square().mean().sqrt().clamp_min(1e-8)
    return nn.functional.pad(x, (0, max(0, _POSITIONS - x.shape[1])))[:, :_POSITIONS]
