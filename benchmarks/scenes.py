"""Which film a clip is of: a small network trained from shards of latents, as anybody would."""

import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from walloc_data import LatentDataset, Options, StreamingLatentDataset, VideoReader, shard_dataset

__all__ = ["accuracies"]

FRAMES, SIZE, STRIDE = 16, 96, 0.2  # seconds between clips
TRAINED_ON, EPOCHS, BATCH = 0.6, 12, 16  # the share of a film, at its start


def accuracies(paths: list[Path], codec: str, seeds: int) -> list[float]:
    """For each seed the share of clips at the ends of films that are known, from clips at their starts.

    Clips that share frames with both are left out.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        samples = [{"video": path, "label": path.stem} for path in paths]
        reader = VideoReader(frames=FRAMES, size=SIZE, stride=STRIDE)
        shard_dataset(samples, out, codec=codec, reader=reader, options=Options(block=16))
        return [_accuracy(out, seed) for seed in range(seeds)]


def _accuracy(out: Path, seed: int) -> float:
    torch.manual_seed(seed)
    dataset = LatentDataset(out)
    codec, last = dataset.codec, torch.zeros(len(dataset.classes))
    for index in range(len(dataset)):
        fields = dataset.fields(index)
        last[fields["label"]] = max(float(last[fields["label"]]), fields["start"])
    stream = StreamingLatentDataset(out, batch_size=BATCH, seed=seed, columns=("label", "start"))
    network = nn.Sequential(
        nn.Conv3d(codec.channels, 32, 1),
        nn.GELU(),
        nn.Conv3d(32, 32, 3, padding=1),
        nn.GELU(),
        nn.AdaptiveAvgPool3d(1),
        nn.Flatten(),
        nn.Linear(32, len(last)),
    )
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    for _ in range(EPOCHS):
        for latents, labels, starts in stream:
            train(network, optimizer, codec.dequantize(latents), labels, starts < TRAINED_ON * last[labels])
    right = total = 0
    for latents, labels, starts in stream:
        unseen = starts > TRAINED_ON * last[labels] + 1  # no frame of which was trained on
        with torch.inference_mode():
            right += int((network(codec.dequantize(latents)).argmax(1) == labels)[unseen].sum())
        total += int(unseen.sum())
    return right / max(1, total)


def train(network: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, labels: Tensor, chosen: Tensor) -> None:
    """A step on some of a batch."""
    if chosen.any():
        loss = nn.functional.cross_entropy(network(x[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
