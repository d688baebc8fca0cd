"""Loading latents against decoding the JPEGs they came from: `python -m benchmarks.loading --data FOLDER`.

One core each, 224 pixels. The peer is what a training script does: Pillow decode, RandomResizedCrop(224), flip. Below
it, the first `--channels` of a codec of more, and all of them, by turns.
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
from walloc_data import Codec, ImageReader, LatentDataset, Options, load_codec, shard_dataset
from walloc_data.sources import Source

SIZE, BATCH, JPEGS, TURNS = 224, 256, 256, 9


def main() -> None:
    """Measure, print, and save if asked."""
    parser = argparse.ArgumentParser(description="Loading latents against decoding JPEGs.")
    parser.add_argument("--data", type=Path, required=True, help="image folder of full-size photographs, 1,000 or so")
    parser.add_argument("--codec", default="rgb-f8c12")
    parser.add_argument("--richer", default="rgb-f8c48", help="a codec of which the first channels are read")
    parser.add_argument("--channels", type=int, default=12)
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
            dataset = stored(source, Path(folder) / coder, codec, coder)
            numbers = list(range(len(dataset)))
            shuffled = random.Random(1).sample(numbers, len(numbers))
            for order, indices in (("in order", numbers), ("random", shuffled)):
                batches = [indices[start : start + BATCH] for start in range(0, len(indices), BATCH)]
                speed = len(indices) / best_time(partial(read_all, dataset, batches))
                rows.append((f"latents, {coder}", order, f"{speed:,.0f}", f"{speed / jpeg:.1f}"))
        latents = np.stack([x.numpy() for x, _ in dataset.__getitems__(numbers)])
        copy = len(latents) / best_time(latents.copy, 20)
        rows.append(("a copy of the same latents", "in order", f"{copy:,.0f}", ""))
        richer = load_codec(arguments.richer)
        for coder in ("zstd", "rans"):
            whole = stored(source, Path(folder) / f"{coder}-{richer.name}", richer, coder)
            few = LatentDataset(whole.root, whole.split, channels=arguments.channels)
            names = (f"all {richer.channels} of {richer.name}, {coder}", f"the first {arguments.channels}, {coder}")
            for name, seconds in zip(names, by_turns(whole, few, shuffled), strict=True):
                speed = len(shuffled) / seconds
                rows.append((name, "random", f"{speed:,.0f}", f"{speed / jpeg:.1f}"))
    show(
        "loading",
        rows,
        save=arguments.save,
        photographs=len(files),
        codec=codec.name,
        latents_a_sample=int(latents[0].size),
    )


def stored(source: Source, out: Path, codec: Codec, coder: str) -> LatentDataset:
    """The first split, sharded."""
    reader = ImageReader(size=SIZE, channels=codec.config.signal_channels)
    shard_dataset(source, out, codec=codec, reader=reader, options=Options(coder=coder), workers=2)
    return LatentDataset(out, next(iter(source.splits)))


def by_turns(one: LatentDataset, other: LatentDataset, indices: list[int]) -> list[float]:
    """Seconds of the fastest pass over each of two datasets, which take turns: a busy machine slows both."""
    batches = [indices[start : start + BATCH] for start in range(0, len(indices), BATCH)]
    turns = [[best_time(partial(read_all, dataset, batches), 1) for dataset in (one, other)] for _ in range(TURNS)]
    return [min(times) for times in zip(*turns, strict=True)]


def read_all(dataset: LatentDataset, batches: list[list[int]]) -> None:
    """Every batch, and nothing done with it."""
    for batch in batches:
        dataset.__getitems__(batch)


if __name__ == "__main__":
    main()
