"""A picture of decoded samples, beside their originals where those are at hand."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from walloc_data.codec import psnr
from walloc_data.dataset import LatentDataset
from walloc_data.errors import DatasetError
from walloc_data.format import Manifest
from walloc_data.report.captions import draw_caption
from walloc_data.signals import ImageReader

__all__ = ["contact_sheet", "small_picture"]

_GAP, _CAPTION = 4, 14  # pixels
_SMALL_SIDE, _SMALL_BYTES = 256, 300_000  # of `small_picture`: of a sample, and of the file


def contact_sheet(
    dataset: LatentDataset,
    *,
    count: int = 12,
    columns: int = 4,
    originals: Path | None = None,
    side: int | None = None,
) -> tuple[Image.Image, list[tuple[str, float | None]]]:
    """A picture of `count` samples, evenly from the dataset, and the key and PSNR (dB) of each.

    `dataset` decodes to pixels. With `originals`, the folder the dataset was made of, each sample stands to
    the right of its original; without, or where a file is gone, alone, and its PSNR is None. Pictures with a side
    longer than `side` pixels are drawn smaller.
    """
    if dataset.decode != "pixels" or count < 1 or columns < 1:
        raise DatasetError("a contact sheet takes a dataset with decode='pixels', and a count and columns from 1 on")
    count = min(count, len(dataset))
    reader = None if originals is None else _reader(dataset)
    cells, rows = [], []
    indices = [i * len(dataset) // count for i in range(count)]
    for index, (decoded, _) in zip(indices, dataset.__getitems__(indices), strict=True):
        key = dataset.fields(index)["key"]
        original = None if originals is None or reader is None else _original(originals / key, reader)
        quality = None if original is None or original.shape != decoded.shape else psnr(decoded, original)
        cells.append([_picture(image, side) for image in (original, decoded) if image is not None])
        rows.append((key, quality))
    width = max(sum(image.width for image in cell) for cell in cells) + _GAP
    height = max(image.height for cell in cells for image in cell) + _CAPTION + _GAP
    sheet = Image.new("RGB", (width * min(columns, count), height * -(-count // columns)), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (cell, (key, quality)) in enumerate(zip(cells, rows, strict=True)):
        x, y = number % columns * width, number // columns * height
        caption = "/".join(key.split("/")[-2:]) + ("" if quality is None else f"  {quality:.2f} dB")
        draw_caption(draw, (x + 2, y + 1), caption)
        for image in cell:
            sheet.paste(image, (x, y + _CAPTION))
            x += image.width
    return sheet, rows


def small_picture(folder: Path) -> bytes | None:
    """A JPEG of decoded samples of a dataset's first split, at most 300 kB; None for signals that are no pictures."""
    split = next(iter(Manifest.read(folder).splits))
    config = LatentDataset(folder, split).codec.config
    if (config.kind, config.dims) != ("image", 2) or config.signal_channels not in (1, 3):
        return None
    sheet, _ = contact_sheet(LatentDataset(folder, split, decode="pixels"), side=_SMALL_SIDE)
    for quality in (85, 70, 50, 30, 10):
        file = io.BytesIO()
        sheet.save(file, "JPEG", quality=quality)
        if file.tell() <= _SMALL_BYTES:
            break
    return file.getvalue()


def _reader(dataset: LatentDataset) -> ImageReader:
    """How the originals were read, so that they can be compared with."""
    try:
        return ImageReader(**dataset.manifest.options["read"])
    except (KeyError, TypeError) as error:
        raise DatasetError(f"{dataset.root}: its manifest does not say how images were read ({error})") from error


def _original(path: Path, reader: ImageReader) -> Tensor | None:
    return torch.from_numpy(reader.read(path.read_bytes(), str(path)).values) / 255 if path.is_file() else None


def _picture(image: Tensor, side: int | None) -> Image.Image:
    values: Any = (image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    picture = Image.fromarray(np.ascontiguousarray(values.squeeze(-1) if values.shape[-1] == 1 else values))
    if side is not None:
        picture.thumbnail((side, side))
    return picture.convert("RGB")
