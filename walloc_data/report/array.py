"""A sample of an array as pictures: false colours, and curves of some places."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from walloc_data.report.captions import draw_caption
from walloc_data.report.curves import COLOURS, Curve, draw_curves
from walloc_data.report.false_colour import FalseColour, bands_of

__all__ = ["curve_panels", "draw_array", "draw_slices", "places_of"]

_SIDES = (128, 256)  # pixels of a picture: fewest, to which small ones are enlarged, and most
_SLICES = 4  # of three dimensions
_SPECTRUM = 8  # channels from which on curves are those of all channels at a place
_LINE = 12  # pixels of a line of text
_TRACES = 4  # channels of one dimension that are drawn


def draw_array(
    decoded: Tensor, original: Tensor | None, bands: str | None = None, side: int | None = None
) -> list[Image.Image]:
    """Pictures of `[C, *space]` in any units: of the original, if it is known, of what is decoded, and curves of both.

    `bands` are the channels that become colours, as `bands_of` takes them. Of one dimension of space there are only the
    curves of some channels; of three there are slices. Curves run through all channels at three places, which the
    picture marks, or, where those are few, along the last axis of space through the middle.
    """
    x = decoded.numpy()
    before = None if original is None else original.numpy()
    chosen = bands_of(len(x), bands)
    if x.ndim == 2:
        return [_drawn(curve_panels(x, before), height=64)]
    known = {"original": before, "decoded": x} if before is not None else {"decoded": x}
    reference = next(iter(known.values()))
    colours, places = FalseColour(reference, chosen), places_of(reference)
    shown = [_named(name, draw_slices(values, colours, places, side or _SIDES[1])) for name, values in known.items()]
    return [
        _stacked(shown) if x.ndim == 4 else _in_a_row(shown),
        _drawn(curve_panels(x, before, places)),
    ]


def places_of(x: NDArray[np.floating]) -> list[tuple[int, ...]]:
    """Positions of space that are dark, of the median, and bright, of `[C, *space]`; none where channels are few."""
    if len(x) < _SPECTRUM:
        return []
    bright = x.mean(0)
    order = np.argsort(bright, axis=None)
    chosen = order[[len(order) // 10, len(order) // 2, (9 * len(order)) // 10]]
    return [tuple(map(int, place)) for place in np.stack(np.unravel_index(chosen, bright.shape), 1)]


def draw_slices(x: NDArray[np.floating], colours: FalseColour, places: list[tuple[int, ...]], side: int) -> Image.Image:
    """One picture, or slices along the first of three dimensions side by side, with their places marked."""
    depth = x.shape[1] if x.ndim == 4 else 1
    numbers = sorted({place[0] for place in places}) if x.ndim == 4 else [0]
    if x.ndim == 4 and not places:
        numbers = [(2 * number + 1) * depth // (2 * _SLICES) for number in range(min(_SLICES, depth))]
    pictures = []
    for number in numbers:
        picture = colours.paint(x[:, number] if x.ndim == 4 else x)
        scale = min(side / max(picture.size), max(1, _SIDES[0] // max(picture.size)))
        shape = tuple(max(1, round(length * scale)) for length in picture.size)
        how = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BOX
        picture, draw = picture.resize((shape[0], shape[1]), how), None
        for colour, place in zip(COLOURS, places, strict=False):
            if x.ndim == 3 or place[0] == number:
                draw = draw or ImageDraw.Draw(picture)
                row, column = ((at + 0.5) * scale for at in place[-2:])
                draw.ellipse((column - 3, row - 3, column + 3, row + 3), outline=colour, width=2)
        pictures.append(picture)
    return _in_a_row(pictures)


def curve_panels(
    x: NDArray[np.floating], before: NDArray[np.floating] | None, places: Sequence[tuple[int, ...]] = ()
) -> list[tuple[str, list[Curve]]]:
    """Curves of `[C, *space]`, and of what it was `before`, by what they run along.

    They are of all channels at some places; without, of each along the last axis of space through the middle. Of one
    dimension of space, each of at most four channels is a panel of its own.
    """
    if x.ndim == 2:
        count = min(_TRACES, len(x))
        chosen = [number * len(x) // count for number in range(count)]
        return [(f"channel {channel}, positions", [_curve(x, before, (channel,))]) for channel in chosen]
    if places:
        return [("channels", [_curve(x, before, (slice(None), *place)) for place in places])]
    middle = tuple(length // 2 for length in x.shape[1:-1])
    channels = range(min(len(COLOURS), len(x)))
    return [("positions", [_curve(x, before, (channel, *middle)) for channel in channels])]


def _curve(x: NDArray[np.floating], before: NDArray[np.floating] | None, at: Any) -> Curve:
    return Curve(x[at], None if before is None else before[at])


def _drawn(panels: Sequence[tuple[str, list[Curve]]], height: int = 128) -> Image.Image:
    drawn = [draw_curves(of, along, height=height) for along, of in panels]
    return drawn[0] if len(drawn) == 1 else _stacked(drawn)


def _named(name: str, picture: Image.Image) -> Image.Image:
    """A picture with its name below."""
    named = Image.new("RGB", (picture.width, picture.height + _LINE), "white")
    named.paste(picture, (0, 0))
    draw_caption(ImageDraw.Draw(named), (2, picture.height), name)
    return named


def _in_a_row(pictures: Sequence[Image.Image]) -> Image.Image:
    joined = Image.new("RGB", (sum(one.width + 2 for one in pictures), max(one.height for one in pictures)), "white")
    for number, picture in enumerate(pictures):
        joined.paste(picture, (sum(one.width + 2 for one in pictures[:number]), 0))
    return joined


def _stacked(pictures: Sequence[Image.Image]) -> Image.Image:
    joined = Image.new("RGB", (max(one.width for one in pictures), sum(one.height + 2 for one in pictures)), "white")
    for number, picture in enumerate(pictures):
        joined.paste(picture, (0, sum(one.height + 2 for one in pictures[:number])))
    return joined
