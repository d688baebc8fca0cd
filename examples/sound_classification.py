"""Sound: recordings in WAVs, whose class stands in their names, cut into windows, and told apart by their latents.

`python examples/sound_classification.py` takes a minute or two; `--short` a few steps. Needs the extra `examples`.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from walloc_data import AudioReader, LatentDataset, open_source, shard_dataset

try:
    import soundfile
except ImportError as error:
    sys.exit(f"{error.name} is not installed: pip install 'walloc-data[examples]'")

RATE, LENGTH = 8000, 32_000  # samples a second, and of a recording
WAVES = {  # of a phase that runs from 0 to 1
    "sine": lambda phase: np.sin(2 * np.pi * phase),
    "square": lambda phase: np.sign(phase - 0.5),
    "saw": lambda phase: 2 * phase - 1,
    "triangle": lambda phase: 4 * np.abs(phase - 0.5) - 1,
}


def write_recordings(root: Path, count: int, seed: int) -> None:
    """`root/wave_number.wav`: a melody of eight notes in noise, as loud as chance has it."""
    rng = np.random.default_rng(seed)
    root.mkdir(parents=True)
    for number in range(count):
        for name, wave in WAVES.items():
            notes = 110 * 2 ** (rng.integers(0, 25, 8) / 12)  # Hz
            phase = np.cumsum(np.repeat(notes, LENGTH // 8)) / RATE
            sound = rng.uniform(0.05, 0.5) * np.exp(-2 * (np.linspace(0, 8, LENGTH) % 1)) * wave(phase % 1)
            soundfile.write(root / f"{name}_{number}.wav", sound + 0.01 * rng.normal(size=LENGTH), RATE)


def network(channels: int, classes: int) -> nn.Module:
    """Convolutions along time; a position of the latents stands for 64 samples."""
    layers: list[nn.Module] = []
    for width, stride in ((64, 1), (64, 2), (128, 2)):
        layers += [nn.Conv1d(channels, width, 3, stride, 1), nn.BatchNorm1d(width), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(channels, classes))


def main(root: Path, *, short: bool) -> None:
    """Make recordings, shard windows of half a second, train on them."""
    torch.manual_seed(0)
    for split, count in (("train", 2 if short else 60), ("val", 1 if short else 15)):
        write_recordings(root / "recordings" / split, count, seed=count)
    reader = AudioReader(channels=1, rate=RATE, segment=0.5)
    source = open_source(root / "recordings", suffixes=reader.suffixes, names="{label}_{take}")
    shard_dataset(source, root / "latents", codec="mono-f64c16", reader=reader)

    train, val = (LatentDataset(root / "latents", split) for split in ("train", "val"))
    codec, model = train.codec, network(train.codec.channels, len(train.classes))
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    for epoch in range(1 if short else 8):
        model.train()
        for latents, labels in DataLoader(train, batch_size=64, shuffle=True):
            loss = nn.functional.cross_entropy(model(codec.dequantize(latents)), labels)  # of [64, 16, 63]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.inference_mode():
            right = [(model(codec.dequantize(z)).argmax(1) == y) for z, y in DataLoader(val, batch_size=64)]
        print(f"epoch {epoch}: {torch.cat(right).float().mean():.0%} of the windows of new recordings are told right")


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        main(Path(folder), short="--short" in sys.argv)
