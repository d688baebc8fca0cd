"""Loading latents against decoding the JPEGs they came from: `python -m benchmarks.loading --data FOLDER`.

One core each, 224 pixels. The peer is what a training script does: Pillow decode, RandomResizedCrop(224), flip.
"""

import argparse
import random
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.images import open_images, paths
from benchmarks.peers import random_resized_crop
from benchmarks.results import add_save, best_time, show
from walloc_data import ImageReader, LatentDataset, Options, load_codec, shard_dataset

SIZE, BATCH, JPEGS = 224, 256, 256


def main() -> None:
    """Measure, print, and save if asked."""
    parser = argparse.ArgumentParser(description="Loading latents against decoding JPEGs.")
    parser.add_argument("--data", type=Path, required=True, help="image folder of full-size photographs, 1,000 or so")
    parser.add_argument("--codec", default="rgb-f8c12")
    add_save(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    source, codec = open_images(arguments.data), load_codec(arguments.codec)
    files = [path for split in source.splits.values() for path in paths(split)]
    random.Random(0).shuffle(files)
    jpeg = len(files[:JPEGS]) / best_time(lambda: [random_resized_crop(path, SIZE) for path in files[:JPEGS]], 2)
    rows = [("input", "order", "samples/s", "times the JPEG pipeline"), ("JPEG files", "any", f"{jpeg:,.0f}", "1.0")]
    with tempfile.TemporaryDirectory() as folder:
        for coder in ("zstd", "rans"):
            out = Path(folder) / coder
            reader = ImageReader(size=SIZE, channels=codec.config.signal_channels)
            shard_dataset(source, out, codec=codec, reader=reader, options=Options(coder=coder), workers=2)
            dataset = LatentDataset(out, next(iter(source.splits)))
            numbers = list(range(len(dataset)))
            shuffled = random.Random(1).sample(numbers, len(numbers))
            for order, indices in (("in order", numbers), ("random", shuffled)):
                batches = [indices[start : start + BATCH] for start in range(0, len(indices), BATCH)]
                speed = len(indices) / best_time(partial(read_all, dataset, batches))
                rows.append((f"latents, {coder}", order, f"{speed:,.0f}", f"{speed / jpeg:.1f}"))
        latents = np.stack([x.numpy() for x, _ in dataset.__getitems__(numbers)])
        copy = len(latents) / best_time(latents.copy, 20)
    rows.append(("a copy of the same latents", "in order", f"{copy:,.0f}", ""))
    show(
        "loading",
        rows,
        save=arguments.save,
        photographs=len(files),
        codec=codec.name,
        latents_a_sample=int(latents[0].size),
    )


def read_all(dataset: LatentDataset, batches: list[list[int]]) -> None:
    """Every batch, and nothing done with it."""
    for batch in batches:
        dataset.__getitems__(batch)


if __name__ == "__main__":
    main()
