"""A picture of decoded samples, beside their originals where those are at hand."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from walloc_data.codec import psnr
from walloc_data.dataset import LatentDataset
from walloc_data.errors import DatasetError
from walloc_data.sources import ImageReader

__all__ = ["contact_sheet"]

_GAP, _CAPTION = 4, 14  # pixels


def contact_sheet(
    dataset: LatentDataset, *, count: int = 12, columns: int = 4, originals: Path | None = None
) -> tuple[Image.Image, list[tuple[str, float | None]]]:
    """A picture of `count` samples, evenly from the dataset, and the key and PSNR (dB) of each.

    `dataset` decodes to pixels. With `originals`, the folder the dataset was made of, each sample stands to
    the right of its original; without, or where a file is gone, alone, and its PSNR is None.
    """
    if dataset.decode != "pixels" or count < 1 or columns < 1:
        raise DatasetError("a contact sheet takes a dataset with decode='pixels', and a count and columns from 1 on")
    count = min(count, len(dataset))
    reader = None if originals is None else _reader(dataset)
    cells, rows = [], []
    for index in (i * len(dataset) // count for i in range(count)):
        decoded, key = dataset[index][0], dataset.fields(index)["key"]
        original = None if originals is None or reader is None else _original(originals / key, reader)
        quality = None if original is None or original.shape != decoded.shape else psnr(decoded, original)
        cells.append([_picture(image) for image in (original, decoded) if image is not None])
        rows.append((key, quality))
    width = max(sum(image.width for image in cell) for cell in cells) + _GAP
    height = max(image.height for cell in cells for image in cell) + _CAPTION + _GAP
    sheet = Image.new("RGB", (width * min(columns, count), height * -(-count // columns)), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (cell, (key, quality)) in enumerate(zip(cells, rows, strict=True)):
        x, y = number % columns * width, number // columns * height
        caption = "/".join(key.split("/")[-2:]).encode("ascii", "replace").decode()
        draw.text((x + 2, y + 1), caption + ("" if quality is None else f"  {quality:.2f} dB"), fill="black")
        for image in cell:
            sheet.paste(image, (x, y + _CAPTION))
            x += image.width
    return sheet, rows


def _reader(dataset: LatentDataset) -> ImageReader:
    """How the originals were read, so that they can be compared with."""
    try:
        return ImageReader(**dataset.manifest.options["read"])
    except (KeyError, TypeError) as error:
        raise DatasetError(f"{dataset.root}: its manifest does not say how images were read ({error})") from error


def _original(path: Path, reader: ImageReader) -> Tensor | None:
    return torch.from_numpy(reader.read(path).pixels) / 255 if path.is_file() else None


def _picture(image: Tensor) -> Image.Image:
    values: Any = (image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return Image.fromarray(np.ascontiguousarray(values.squeeze(-1) if values.shape[-1] == 1 else values)).convert("RGB")
