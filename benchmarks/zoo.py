"""How the codecs of the zoo are fitted, so that a benchmark can fit them to other photographs."""

from pathlib import Path

from torch import Tensor

from benchmarks.images import list_images, read_image
from walloc_data import ImageReader, zoo_names

__all__ = ["ZOO", "image_codecs", "photographs"]

ZOO = {  # signal channels, levels, channels, knee, emphasis
    "rgb-f8c12": (3, 3, 12, 0.05, 0.0),
    "rgb-f8c12-detail": (3, 3, 12, 0.05, 0.5),
    "rgb-f8c48": (3, 3, 48, 0.12, 0.0),
    "rgb-f16c48": (3, 4, 48, 0.05, 0.0),
    "rgb-f16c48-detail": (3, 4, 48, 0.05, 0.5),
    "rgb-f16c192": (3, 4, 192, 0.12, 0.0),
    "gray-f8c4": (1, 3, 4, 0.05, 0.0),
}


def image_codecs() -> list[str]:
    """All codecs of the zoo for images, those that were trained with them."""
    return [name for name in zoo_names() if name.startswith(("rgb-", "gray-"))]


def photographs(folders: list[Path], signal_channels: int) -> list[Tensor]:
    """Every image below the folders, uint8 `[1, C, H, W]`."""
    reader = ImageReader(channels=signal_channels, size=None)
    return [read_image(path, reader)[None] for path in list_images(*folders)]
