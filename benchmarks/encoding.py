"""Encoding against the usual way to write it: `python -m benchmarks.encoding --data FOLDER_OF_PHOTOGRAPHS`.

One core each. Codecs are held against J levels of separable convolutions and a 1 x 1 convolution in
torch (same filters, same weights); the whole of sharding against Pillow decoding and resizing the same files.
"""

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path

import torch
from PIL import Image

from benchmarks.images import open_images, paths, read_image
from benchmarks.peers import SeparableEncoder
from benchmarks.results import add_save, best_time, show
from benchmarks.zoo import image_codecs
from walloc_data import ImageReader, load_codec, shard_dataset

SIZE, BATCH = 256, 16


def main() -> None:
    """Measure, print, and save if asked."""
    parser = argparse.ArgumentParser(description="Encoding against separable convolutions, sharding against Pillow.")
    parser.add_argument("--data", type=Path, required=True, help="image folder of full-size photographs, 1,000 or so")
    add_save(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    source = open_images(arguments.data)
    files = [path for split in source.splits.values() for path in paths(split)]
    rows = [("codec", "fused, Mpixel/s", "separable, Mpixel/s", "ratio", "latents that differ")]
    for name in image_codecs():
        codec = load_codec(name)
        reader = ImageReader(channels=codec.config.signal_channels, size=SIZE)
        x = torch.stack([read_image(path, reader) for path in files[:BATCH]])
        peer = SeparableEncoder(codec)
        differ = (codec.encode(x) != peer(x)).float().mean().item()
        pixels = BATCH * SIZE * SIZE / 1e6
        ours, theirs = pixels / best_time(partial(codec.encode, x), 9), pixels / best_time(partial(peer, x))
        rows.append((name, f"{ours:.1f}", f"{theirs:.1f}", f"{ours / theirs:.1f}", f"{differ:.1e}"))
    started = time.perf_counter()
    for path in files:
        decode_and_resize(path)
    pillow = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        codec = load_codec("rgb-f8c12")
        started = time.perf_counter()
        shard_dataset(source, Path(folder) / "out", codec=codec, reader=ImageReader(size=SIZE))
        sharding = time.perf_counter() - started
    show(
        "encoding",
        rows,
        save=arguments.save,
        photographs=len(files),
        sharding_seconds=round(sharding, 2),
        pillow_decode_and_resize_seconds=round(pillow, 2),
        sharding_over_pillow=round(sharding / pillow, 2),
    )


def decode_and_resize(path: Path) -> Image.Image:
    """An image as sharding needs it, by Pillow alone: the shorter side to SIZE, the middle cut out."""
    with Image.open(path) as opened:
        image: Image.Image = opened.convert("RGB")
    scale = SIZE / min(image.size)
    width, height = round(image.width * scale), round(image.height * scale)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - SIZE) // 2, (height - SIZE) // 2
    return image.crop((left, top, left + SIZE, top + SIZE))


if __name__ == "__main__":
    main()
