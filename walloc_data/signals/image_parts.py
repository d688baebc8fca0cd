"""Parts of a picture, each brought to a square of one size."""

from collections.abc import Iterator, Sequence

from PIL import Image

from walloc_data.signals.crops import Box

__all__ = ["squares"]


def squares(image: Image.Image, boxes: Sequence[Box], whole: tuple[int, int], size: int) -> Iterator[Image.Image]:
    """Boxes of a picture of width and height `whole`, of which `image` may be a smaller one, `size` pixels a side."""
    across, down = image.width / whole[0], image.height / whole[1]
    for x, y, wide, tall in boxes:
        right, lower = min(image.width, (x + wide) * across), min(image.height, (y + tall) * down)
        yield image.resize((size, size), Image.Resampling.BICUBIC, box=(x * across, y * down, right, lower))
