"""A sample that is an image as a picture."""

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

__all__ = ["draw_image"]


def draw_image(image: Tensor, side: int | None = None) -> Image.Image:
    """An image `[1 or 3, H, W]` in [0, 1]; with a side longer than `side` pixels, smaller."""
    values: Any = (image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    picture = Image.fromarray(np.ascontiguousarray(values.squeeze(-1) if values.shape[-1] == 1 else values))
    if side is not None:
        picture.thumbnail((side, side))
    return picture.convert("RGB")
