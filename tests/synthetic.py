"""Real photographs as the codec reads them, whole, in full size; and datasets of noise with columns."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from walloc_data import Codec, ImageReader, Options, shard_dataset
from walloc_data.codec.packets import subband_parity
from walloc_data.zoo import load_codec, zoo_names

_FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}
IMAGE_CODECS = [name for name in zoo_names() if load_codec(name).config.kind == "image"]
NAMES = ("china.jpg", "flower.jpg", "astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")


@cache
def photograph(name: str, mode: str = "RGB") -> Tensor:
    """A photograph of `NAMES`, uint8 `[C, H, W]`, not to be written to."""
    paths = [Path(str(find_spec(package).origin)).parent / folder / name for package, folder in _FOLDERS.items()]
    [path] = [path for path in paths if path.is_file()]
    with Image.open(path) as image:
        pixels = np.array(image.convert(mode))
    return torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).permute(2, 0, 1).contiguous()


def dense_rows(codec: Codec) -> Tensor:
    """The encoder as float64 `[c, C * f**dims]`, over all subbands."""
    config = codec.config
    subbands = subband_parity(config.signal_channels, config.levels, config.dims)
    rows = torch.zeros(codec.channels, config.packet_channels, dtype=torch.float64)
    rows[(codec.odd[:, None] == subbands).all(-1)] = codec.encoder.double().flatten()
    return rows


def sharded(
    out: Path,
    codec: Codec,
    columns: Mapping[str, Sequence[Any]],
    size: tuple[int, int],
    *,
    block: int = 8,
    shard_samples: int = 20,
    coder: str = "zstd",
) -> Path:
    """A dataset of images of noise, in this order, with columns of so many values."""
    rng = np.random.default_rng(0)
    fields = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    samples = [{"image": rng.integers(0, 256, (*size, 3), np.uint8), **each} for each in fields]
    options = Options(shuffle=False, block=block, shard_samples=shard_samples, coder=coder)
    shard_dataset(samples, out, codec=codec, reader=ImageReader(size=None, resize="none", crop="none"), options=options)
    return out
