"""Signals of any number of channels as pictures of three."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from walloc_data.errors import DatasetError

__all__ = ["FalseColour", "bands_of"]

_PERCENT = (2, 98)  # of the values, which become black and white
_POSITIONS = 4096  # that components are fitted to, at most


def bands_of(channels: int, bands: str | None) -> list[int] | None:
    """The channels that become red, green and blue, or one for gray; None for principal components.

    `bands` is `components`, or numbers from 0 as in `29,19,9` or `4` (None: three evenly from all, the last ones as
    red, as bands by wavelength want it). Raises `DatasetError` for channels that are not there.
    """
    if bands is None:
        return [5 * channels // 6, channels // 2, channels // 6] if channels >= 3 else [0]
    if bands == "components":
        return None if channels >= 3 else [0]
    chosen = [int(part) if part.strip().isdecimal() else channels for part in bands.split(",")]
    if len(chosen) not in (1, 3) or max(chosen) >= channels:
        raise DatasetError(
            f"bands {bands!r} are not one or three of the channels 0 to {channels - 1}, as in 2,1,0, nor components"
        )
    return chosen


class FalseColour:
    """Channels, or principal components, as colours: what is black and white is that of the signal it is made for."""

    def __init__(self, signal: NDArray[np.floating], bands: Sequence[int] | None) -> None:
        """`signal` is `[C, *space]`, `bands` as `bands_of` gives them."""
        flat = signal.reshape(len(signal), -1)
        self._mean, self._axes = flat.mean(1, dtype=np.float64), np.eye(len(signal))[list(bands or [])]
        if bands is None:
            some = flat[:, :: -(-flat.shape[1] // _POSITIONS)].T - self._mean
            axes = np.linalg.svd(some, full_matrices=False)[2][:3]
            self._axes = axes * np.where(axes.sum(1) < 0, -1, 1)[:, None]  # or its sign would be chance
        self._low, self._high = np.nanpercentile(self._projected(signal).reshape(len(self._axes), -1), _PERCENT, axis=1)

    def paint(self, signal: NDArray[np.floating]) -> Image.Image:
        """A picture of `[C, H, W]`."""
        low, high = (ends.reshape(-1, 1, 1) for ends in (self._low, self._high))
        shades = (self._projected(signal) - low) / np.where(high > low, high - low, 1)
        pixels = np.moveaxis((np.nan_to_num(shades).clip(0, 1) * 255).astype(np.uint8), 0, -1)
        return Image.fromarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)).copy())

    def _projected(self, signal: NDArray[np.floating]) -> NDArray[np.float64]:
        centred = signal - self._mean.reshape(-1, *[1] * (signal.ndim - 1))
        return np.tensordot(self._axes, centred, 1)
