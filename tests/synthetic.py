"""Real photographs as the codec reads them: whole, in full size."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from walloc_data import Codec
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
