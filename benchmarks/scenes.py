"""Which film a clip is of: a small network trained from shards of latents, as anybody would."""

import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from walloc_data import LatentDataset, Options, StreamingLatentDataset, VideoReader, shard_dataset

__all__ = ["accuracy"]

FRAMES, SIZE, STRIDE = 16, 96, 0.2  # seconds between clips
TRAINED_ON, EPOCHS, BATCH = 0.6, 12, 16  # the share of a film, at its start


def accuracy(paths: list[Path], codec: str, seed: int) -> float:
    """The share of clips at the ends of films that are known, from clips at their starts; what lies on both is left
    out."""
    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        samples = [{"video": path, "label": path.stem} for path in paths]
        reader = VideoReader(frames=FRAMES, size=SIZE, stride=STRIDE)
        out = Path(folder) / "out"
        shard_dataset(samples, out, codec=codec, reader=reader, options=Options(block=16))
        dataset = LatentDataset(out)
        ends: dict[int, float] = {}
        for index in range(len(dataset)):
            fields = dataset.fields(index)
            ends[fields["label"]] = max(ends.get(fields["label"], 0.0), fields["start"])
        stream = StreamingLatentDataset(out, batch_size=BATCH, seed=seed, columns=("label", "start"))
        network = nn.Sequential(
            nn.Conv3d(dataset.codec.channels, 32, 1),
            nn.GELU(),
            nn.Conv3d(32, 32, 3, padding=1),
            nn.GELU(),
            nn.AdaptiveAvgPool3d(1),
            nn.Flatten(),
            nn.Linear(32, len(paths)),
        )
        optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
        right = total = 0
        for epoch in range(EPOCHS + 1):
            for latents, labels, starts in stream:
                last = torch.tensor([ends[int(label)] for label in labels])
                x = dataset.codec.dequantize(latents)
                if epoch < EPOCHS:
                    train(network, optimizer, x, labels, starts < TRAINED_ON * last)
                    continue
                unseen = starts > TRAINED_ON * last + 1  # no frame of which was trained on
                with torch.inference_mode():
                    right += int((network(x).argmax(1) == labels)[unseen].sum())
                total += int(unseen.sum())
    return right / max(1, total)


def train(network: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, labels: Tensor, chosen: Tensor) -> None:
    """A step on some of a batch."""
    if chosen.any():
        loss = nn.functional.cross_entropy(network(x[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
