"""A codec's basis functions: what a latent of one channel adds to a signal."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from walloc_data.codec import Codec, one_thread
from walloc_data.report.kinds import drawn_as
from walloc_data.report.page.charts import polyline
from walloc_data.report.page.markup import Markup, element
from walloc_data.report.page.media import picture_url

__all__ = ["MOST_CHANNELS", "draw_basis"]

MOST_CHANNELS = 64  # that are drawn
_POSITIONS = (9, 7, 5, 3)  # of latents a side, whose middle is not 0: as many as _MOST_VALUES allow
_MOST_VALUES = 1 << 23
_AROUND = 4  # positions of which the picture is
_AMPLITUDE = 0.02  # dequantised, so that no range is left
_BYTES = 20_000  # of a picture
_SLICES = 4  # of three dimensions


@one_thread()
def draw_basis(codec: Codec) -> Iterator[Markup]:
    """Pictures of the first 64 channels' functions, one after the other; none where one alone would be too large.

    Images in their colours around gray; sound as curves, one a channel; video as four frames; of arrays of several
    bands the pattern, and as a curve what of it each band has.
    """
    config = codec.config
    sides = [side for side in _POSITIONS if config.packet_channels * side**config.dims <= _MOST_VALUES]
    if not sides:
        return
    z = torch.zeros(1, codec.channels, *[sides[0]] * config.dims)
    nothing = codec.decode(z)[0]
    middle = tuple(side // 2 for side in z.shape[2:])
    cut: list[slice] = [slice(None)]
    for side, factor in zip(z.shape[2:], config.factors, strict=True):
        width = min(side, _AROUND) * factor
        start = side * factor // 2 - width // 2
        cut.append(slice(start, start + width))
    for channel in range(min(MOST_CHANNELS, codec.channels)):
        z.zero_()
        at: tuple[int, ...] = (0, channel, *middle)
        z[at] = _AMPLITUDE
        function = (codec.decode(z)[0] - nothing)[tuple(cut)].numpy().astype(np.float64)
        if config.scales:
            function /= np.reshape(config.scales, (-1, *[1] * config.dims))
        function /= np.abs(function).max() or 1
        yield _drawn(function, drawn_as(config))


def _drawn(function: NDArray[np.float64], what: str) -> Markup:
    """A function `[C, *space]` whose largest value is 1 or -1."""
    if what == "sound" or function.ndim == 2:
        loudest = np.argsort(-(function**2).sum(1), kind="stable")[:2]
        lines = [
            polyline(function[channel], -1, 1, (160, 2, 58), f"curve{place}")
            for place, channel in enumerate(sorted(loudest.tolist()))
        ]
        return element("svg", *lines, viewBox="0 0 160 60", class_="wave", aria_hidden="true", focusable="false")
    spectrum = Markup("")
    if what == "array" and len(function) > 1:
        bands, values, patterns = np.linalg.svd(function.reshape(len(function), -1), full_matrices=False)
        sign = 1 if bands[:, 0].sum() >= 0 else -1  # or it would be chance
        pattern = sign * patterns[0] * values[0]
        function = (pattern / (np.abs(pattern).max() or 1)).reshape(1, *function.shape[1:])
        line = sign * bands[:, 0] / (np.abs(bands[:, 0]).max() or 1)
        spectrum = element(
            "svg",
            polyline(line, -1, 1, (160, 2, 38), "curve0"),
            viewBox="0 0 160 40",
            class_="wave",
            aria_hidden="true",
            focusable="false",
        )
    if function.ndim == 4:
        depth = function.shape[1]
        count = min(_SLICES, depth)
        slices = [function[:, (2 * number + 1) * depth // (2 * count)] for number in range(count)]
        function = np.concatenate(slices, axis=-1)
    shades = np.broadcast_to(np.moveaxis(function, 0, -1), (*function.shape[1:], 3))
    picture = Image.fromarray((127.5 + 127.5 * shades).round().astype(np.uint8))
    scale = math.ceil(64 / max(picture.size))
    image = element(
        "img",
        src=picture_url(picture, _BYTES),
        alt="",
        width=picture.width * scale,
        height=picture.height * scale,
        class_="tiny",
    )
    return Markup(image + spectrum)
