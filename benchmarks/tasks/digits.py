"""Which digit is spoken: `python -m benchmarks.tasks.digits --data FOLDER [--seeds 3]`.

Recordings at 8 kHz are called `{digit}_{speaker}_{take}.wav`, as in the Free Spoken Digit Dataset, whose takes 0 to 4
are there to test on. One small network gets latents of `mono-f64c16`, which was fitted to other recordings; or samples
at a lower rate, folded so that each position of its grid holds as many numbers (16, of 2 kHz); or all samples (64).
Inputs are divided by their root mean square, that of a recording (some speak softly) and that of a channel in all.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import soxr
import torch
from torch import Tensor, nn

from benchmarks.results import add_save, show
from benchmarks.tasks.pairs import folder_bytes
from benchmarks.tasks.sound import fold
from walloc_data import AudioReader, LatentDataset, open_source, shard_dataset

__all__ = ["accuracy", "read_digits"]

CODEC, RATE, FACTOR = "mono-f64c16", 8000, 64
POSITIONS = 96  # of 8 ms; longer recordings are cut, shorter ones end in zeros
_TEST_TAKES = 5
_WIDTH, _BATCH, _EPOCHS, _RATE = 48, 64, 20, 3e-3


def main() -> None:
    """Train, print, and save if asked."""
    parser = argparse.ArgumentParser(description="Spoken digits by a small network, on latents and on samples.")
    parser.add_argument("--data", type=Path, required=True, help="folder of {digit}_{speaker}_{take}.wav")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each input")
    parser.add_argument("--epochs", type=int, default=_EPOCHS)
    add_save(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        inputs, sizes, labels, tested = read_digits(arguments.data, Path(folder) / "digits")
    rows: list[tuple[object, ...]] = [("input", "numbers a position", "accuracy, %", "bytes", "training, s")]
    runs: dict[str, list[float]] = {}
    for name, x in inputs.items():
        started = time.process_time()
        runs[name] = [accuracy(x, labels, tested, seed, arguments.epochs) for seed in range(arguments.seeds)]
        seconds = (time.process_time() - started) / arguments.seeds
        found = f"{100 * np.mean(runs[name]):.1f} ± {100 * np.std(runs[name], ddof=min(1, arguments.seeds - 1)):.1f}"
        rows.append((name, x.shape[1], found, f"{sizes[name]:.0f}", f"{seconds:.0f}"))
    show("tasks_digits", rows, save=arguments.save, epochs=arguments.epochs, recordings=len(labels), runs=runs)


def read_digits(data: Path, out: Path) -> tuple[dict[str, Tensor], dict[str, float], Tensor, Tensor]:
    """Inputs float32 `[recordings, c, POSITIONS]` by name, bytes a recording, digits, and bool: whether to test on it.

    Latents are read from a dataset, made in `out`; labels and takes are in the names of files.
    """
    source = open_source(data, suffixes=AudioReader.suffixes, names="{label}_{speaker}_{take}")
    shard_dataset(source, out, codec=CODEC)
    dataset = LatentDataset(out, columns=("label", "take", "key", "length"))
    latents, labels, takes, keys, lengths = zip(*dataset, strict=True)
    reader = AudioReader(channels=1, rate=RATE)
    sounds = [reader.read(data / key, key).values[0] / np.float32(32768) for key in keys]
    few = [soxr.resample(sound, RATE, RATE // 4) for sound in sounds]
    inputs = {
        f"latents {CODEC}": [dataset.codec.dequantize(z) for z in latents],
        "samples / 4": [_folded(sound, FACTOR // 4) for sound in few],
        "all samples": [_folded(sound, FACTOR) for sound in sounds],
    }
    mean = float(np.mean(lengths))
    sizes = dict(zip(inputs, (folder_bytes(out) / len(labels), mean / 2, 2 * mean), strict=True))
    return (
        {name: torch.stack([_input(x) for x in xs]) for name, xs in inputs.items()},
        sizes,
        torch.tensor(labels),
        torch.tensor(takes) < _TEST_TAKES,
    )


def accuracy(x: Tensor, labels: Tensor, tested: Tensor, seed: int, epochs: int) -> float:
    """The share of digits named rightly after the last epoch. The seed draws weights, order and shifts."""
    torch.manual_seed(seed)
    x = x / x[~tested].square().mean((0, 2), keepdim=True).sqrt()
    known, digits = x[~tested], labels[~tested]
    model = nn.Sequential(
        *_convolution(x.shape[1], _WIDTH, 1),
        *_convolution(_WIDTH, 2 * _WIDTH, 2),
        *_convolution(2 * _WIDTH, 2 * _WIDTH, 2),
        nn.AdaptiveAvgPool1d(4),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(8 * _WIDTH, 10),
    )
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    steps = len(known) // _BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=epochs * steps)
    for _ in range(epochs):
        for numbers in torch.split(torch.randperm(len(known))[: steps * _BATCH], _BATCH):
            batch = known[numbers].roll(int(torch.randint(-4, 5, ())), 2)
            loss = nn.functional.cross_entropy(model(batch), digits[numbers])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        right = model.eval()(x[tested]).argmax(1) == labels[tested]
    return float(right.double().mean())


def _convolution(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [nn.Conv1d(inputs, outputs, 5, stride, 2, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]


def _folded(sound: np.ndarray, factor: int) -> Tensor:
    """Samples `[n]` as `[factor, n / factor]`, the last position filled up with zeros."""
    return fold(torch.from_numpy(np.pad(sound, (0, -len(sound) % factor)).astype(np.float32)), factor)


def _input(x: Tensor) -> Tensor:
    """Numbers `[c, n]` of unit mean square, as `[c, POSITIONS]`."""
    x = x / x.square().mean().sqrt().clamp_min(1e-8)
    return nn.functional.pad(x, (0, max(0, POSITIONS - x.shape[1])))[:, :POSITIONS]


if __name__ == "__main__":
    main()
