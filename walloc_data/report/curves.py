"""Rows of numbers as curves, what is decoded over what it was."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from walloc_data.report.captions import draw_caption

__all__ = ["COLOURS", "Curve", "draw_curves", "thinned"]

COLOURS = ((200, 40, 40), (30, 110, 200), (20, 140, 60))  # of the curves, one after the other
_WIDTH, _MARGIN, _LINE = 320, 64, 12  # pixels; of the margin, in which values stand, and of a line of text
_PALE = 0.65  # of white in the colour of an original


class Curve(NamedTuple):
    """Numbers `[n]`, and those of the original where it is known."""

    decoded: NDArray[np.floating]
    original: NDArray[np.floating] | None


def draw_curves(curves: Sequence[Curve], along: str, *, height: int = 128) -> Image.Image:
    """Curves in one frame: originals as broad pale lines, what is decoded as thin ones over them.

    `along` says what the numbers stand along, such as `band`. The frame ends at the least and the largest value.
    """
    known = [values for curve in curves for values in curve if values is not None]
    least = min(float(np.nanmin(values)) for values in known)
    most = max(float(np.nanmax(values)) for values in known)
    picture = Image.new("RGB", (_MARGIN + _WIDTH, height + _LINE), "white")
    draw = ImageDraw.Draw(picture)
    for broad in (True, False):
        for number, curve in enumerate(curves):
            values = curve.original if broad else curve.decoded
            if values is not None:
                colour = COLOURS[number % len(COLOURS)]
                pale = tuple(round(255 * _PALE + part * (1 - _PALE)) for part in colour)
                draw.line(_points(values, least, most, height), fill=pale if broad else colour, width=5 if broad else 1)
    draw.rectangle((_MARGIN, 0, _MARGIN + _WIDTH - 1, height), outline=(160, 160, 160))
    draw_caption(draw, (2, 0), f"{most:.4g}")
    draw_caption(draw, (2, height - _LINE), f"{least:.4g}")
    draw_caption(draw, (_MARGIN, height), f"{along} 0 to {len(known[0]) - 1:,}")
    return picture


def thinned(values: NDArray[Any], columns: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Where numbers `[n]` stand, from 0 to 1, and the numbers: of more than fit into so many columns, the least and the
    largest of each."""
    if len(values) <= 2 * columns:
        return np.linspace(0, 1, len(values)) if len(values) > 1 else np.array([0.5]), values
    ends = np.array([end for part in np.array_split(values, columns) for end in (np.nanmin(part), np.nanmax(part))])
    return np.repeat(np.linspace(0, 1, columns), 2), ends


def _points(values: NDArray[np.floating], least: float, most: float, height: int) -> list[tuple[float, float]]:
    """Where a curve goes."""
    at, values = thinned(values, _WIDTH)
    y = (height - 4) * (1 - (values - least) / (most - least or 1)) + 2
    points = zip((_MARGIN + 2 + at * (_WIDTH - 5)).tolist(), np.nan_to_num(y, nan=height).tolist(), strict=True)
    return list(points)
