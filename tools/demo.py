"""The quickstart: photographs to shards, shards to a trained classifier, and a table of what it came to.

Without `--data`, the photographs are those that the wheels of scikit-image and scikit-learn carry:
each is a class and a grid of tiles, a quarter of which give windows to validate, the others to train on.
"""

import argparse
import math
import os
import random
import shutil
import sys
import time
from itertools import islice, product
from pathlib import Path

import skimage
import sklearn.datasets
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.images import open_images
from benchmarks.peers import JpegFolder
from benchmarks.results import table
from walloc_data import ImageReader, LatentDataset, Options, WallocError, load_codec, shard_dataset
from walloc_data.errors import SourceError
from walloc_data.format.readable import readable_bytes
from walloc_data.transforms import RandomFlip

PHOTOGRAPHS = {
    "skimage": [
        "astronaut.png",
        "brick.png",
        "camera.png",
        "cell.png",
        "chelsea.png",
        "coffee.png",
        "coins.png",
        "grass.png",
        "gravel.png",
        "hubble_deep_field.jpg",
        "ihc.png",
        "moon.png",
        "motorcycle_left.png",
        "page.png",
        "retina.jpg",
        "rocket.jpg",
    ],
    "sklearn": ["china.jpg", "flower.jpg"],
}
GRID = 4, 3  # tiles of a photograph
WINDOW = 192  # pixels a side
EPOCHS = 12
BATCH = 32
TURNS = 3  # of whatever is measured


def main() -> int:
    """Run the quickstart; exit status 0, or 1 with a sentence."""
    parser = argparse.ArgumentParser(prog="tools/quickstart", description="Photographs to a model trained on latents.")
    parser.add_argument("--data", type=Path, help="folder of {train,val}/class/*.jpg instead of the demo's photographs")
    parser.add_argument("--work", type=Path, default=Path("quickstart-data"), help="folder for what the demo makes")
    parser.add_argument("--codec", default="rgb-f8c12", help="codec of the zoo, or a file")
    arguments = parser.parse_args()
    try:
        demo(arguments.data, arguments.work, arguments.codec)
    except WallocError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def demo(data: Path | None, work: Path, codec_name: str) -> None:
    """Make the data if there is none, shard it, train on it, and print the table."""
    torch.manual_seed(0)
    random.seed(0)
    if data is None:
        data = work / "photographs"
        print(f"cutting windows out of {sum(map(len, PHOTOGRAPHS.values()))} photographs into {data}")
        cut_windows(data)
    source, codec = open_images(data), load_codec(codec_name)
    if not {"train", "val"} <= source.splits.keys() or len(source.splits["train"]) < BATCH or not source.classes:
        raise SourceError(f"{data} must hold train/class/* with {BATCH} images or more, and val/class/*")
    out = work / f"latents-{codec_name.rsplit('/', 1)[-1]}"
    shutil.rmtree(out, ignore_errors=True)
    print(
        f"sharding {data} into {out}: the same as walloc-shard {data} {out} --read size={WINDOW} --codec {codec_name}"
    )
    reader = ImageReader(channels=codec.config.signal_channels, size=WINDOW)
    summary = shard_dataset(source, out, codec=codec, reader=reader, options=Options(), workers=2, progress=True)
    train, val = LatentDataset(out, "train"), LatentDataset(out, "val")

    print("measuring the loaders, one process each, in turns")
    torch.set_num_threads(1)  # both are fastest so: more threads wait for one another where the machine is busy
    files = JpegFolder(source.splits["train"], WINDOW)
    turns = [(loader_speed(train, 4000), loader_speed(files, 200)) for _ in range(TURNS)]
    ours, jpeg = (max(speeds) for speeds in zip(*turns, strict=True))
    torch.set_num_threads(quickest_threads())

    print(f"training a small classifier on {len(train)} samples of latents {list(train[0][0].shape)}")
    accuracy = fit_classifier(train, val)
    print()
    print(
        table(
            [
                ("what", "latents", "JPEG files"),
                ("bytes", readable_bytes(summary.dataset_bytes), readable_bytes(summary.source_bytes)),
                ("numbers a sample", f"{train[0][0].numel():,}", f"{3 * WINDOW * WINDOW:,}"),
                ("PSNR", f"{summary.psnr:.2f} dB", ""),
                ("loader, samples/s", f"{ours:,.0f}", f"{jpeg:,.0f}"),
                (f"validation accuracy, {len(train.classes)} classes", f"{accuracy:.1%}", ""),
            ]
        )
    )


def cut_windows(root: Path, *, windows: int = 7) -> None:
    """An image folder of windows of the photographs, as JPEG files; no pixel is both in train and in val."""
    shutil.rmtree(root, ignore_errors=True)
    folders = {
        "skimage": Path(skimage.__file__).parent / "data",
        "sklearn": Path(sklearn.datasets.__file__).parent / "images",
    }
    for package, names in PHOTOGRAPHS.items():
        for name in names:
            photograph = Image.open(folders[package] / name).convert("RGB")
            width, height = photograph.width // GRID[0], photograph.height // GRID[1]
            for column, row in product(range(GRID[0]), range(GRID[1])):
                split = "val" if (column + row) % GRID[0] == 0 else "train"
                folder = root / split / Path(name).stem
                folder.mkdir(parents=True, exist_ok=True)
                for number in range(windows):
                    side = int(min(width, height) * random.uniform(0.7, 1))
                    x = column * width + random.randint(0, width - side)
                    y = row * height + random.randint(0, height - side)
                    window = photograph.crop((x, y, x + side, y + side)).resize((WINDOW, WINDOW))
                    window.save(folder / f"{column}{row}{number}.jpg", quality=92)


def quickest_threads() -> int:
    """How many threads a step of a small network is fastest with, here and now: one, or as many as there are cores."""
    layer, x = nn.Conv2d(64, 64, 3, padding=1), torch.rand(BATCH, 64, 16, 16)
    best: dict[int, float] = {}
    for _ in range(TURNS):
        for threads in {1, os.cpu_count() or 1}:
            torch.set_num_threads(threads)
            started = time.perf_counter()
            torch.autograd.backward(layer(x).square().mean())
            best[threads] = min(best.get(threads, math.inf), time.perf_counter() - started)
    return min(best, key=lambda threads: best[threads])


def loader_speed(dataset: Dataset[tuple[Tensor, int]], samples: int) -> float:
    """Samples a second of a `DataLoader` without workers, shuffled, in batches of 64."""
    loader = DataLoader(dataset, batch_size=64, shuffle=True)
    next(iter(loader))
    seen, started = 0, time.perf_counter()
    while seen < samples:
        for x, _ in islice(loader, -(-(samples - seen) // 64)):
            seen += len(x)
    return seen / (time.perf_counter() - started)


def fit_classifier(train: LatentDataset, val: LatentDataset) -> float:
    """Accuracy on `val` of a convolutional network trained on `train`, with exact flips of the latents."""
    codec = train.codec
    model = nn.Sequential(
        nn.Conv2d(codec.channels, 64, 3, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.Conv2d(64, 96, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(96),
        nn.ReLU(),
        nn.Conv2d(96, 128, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(128, len(train.classes)),
    )
    flip = RandomFlip(codec, axis=-1)
    batches = DataLoader(train, batch_size=BATCH, shuffle=True, drop_last=True)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=EPOCHS * len(batches))
    for epoch in range(EPOCHS):
        model.train()
        for latents, labels in batches:
            loss = nn.functional.cross_entropy(model(codec.dequantize(flip(latents))), labels)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
        accuracy = evaluate(model, val)
        print(f"  epoch {epoch + 1:2d} of {EPOCHS}: loss {loss.item():.3f}, validation accuracy {accuracy:.1%}")
    return accuracy


@torch.no_grad()
def evaluate(model: nn.Module, val: LatentDataset) -> float:
    """The share of samples whose class the model names."""
    model.eval()
    right = sum(
        int((model(val.codec.dequantize(latents)).argmax(1) == labels).sum())
        for latents, labels in DataLoader(val, batch_size=64)
    )
    return right / len(val)


if __name__ == "__main__":
    sys.exit(main())
