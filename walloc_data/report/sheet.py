"""Pictures of samples, each under its name, as one picture."""

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from walloc_data.report.captions import draw_caption

__all__ = ["Cell", "draw_sheet"]

_GAP, _CAPTION = 4, 14  # pixels


class Cell(NamedTuple):
    """Pictures side by side, and what stands above them."""

    caption: str
    pictures: list[Image.Image]


def draw_sheet(cells: Sequence[Cell], columns: int) -> Image.Image:
    """Cells of one size, that of the largest, in so many columns."""
    width = max(sum(picture.width for picture in cell.pictures) for cell in cells) + _GAP
    height = max(picture.height for cell in cells for picture in cell.pictures) + _CAPTION + _GAP
    sheet = Image.new("RGB", (width * min(columns, len(cells)), height * -(-len(cells) // columns)), "white")
    draw = ImageDraw.Draw(sheet)
    for number, cell in enumerate(cells):
        x, y = number % columns * width, number // columns * height
        draw_caption(draw, (x + 2, y + 1), cell.caption)
        for picture in cell.pictures:
            sheet.paste(picture, (x, y + _CAPTION))
            x += picture.width
    return sheet
