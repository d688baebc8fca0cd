"""JPEG 2000 of principal components: how images of many bands are compressed without a codec of their own."""

from collections.abc import Sequence
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

__all__ = ["PrincipalPlanes"]

_WHITE = (1 << 16) - 1
_TURNS = 14  # of the bisection


class PrincipalPlanes:
    """The first principal components of bands that are divided by their standard deviations, as the planes of one
    JPEG 2000 image (9/7 wavelet, one quality for all planes, so that it shares out bits as it finds best).

    Fitted to images `[C, height, width]`. Planes are whole numbers of 16 bits in one unit.
    """

    def __init__(self, images: Sequence[NDArray[np.float64]], components: int) -> None:
        values = np.concatenate([image.reshape(len(image), -1) for image in images], 1)
        self.mean, self.spread = values.mean(1), np.maximum(values.std(1), 1e-9)
        values = (values - self.mean[:, None]) / self.spread[:, None]
        _, vectors = np.linalg.eigh(values @ values.T / values.shape[1])
        self.basis = vectors[:, ::-1][:, :components]

    def at_bytes(self, image: NDArray[np.float64], wanted: int) -> tuple[NDArray[np.float64], int]:
        """An image as it comes back from at most `wanted` bytes, or from as few as there can be; and its bytes."""
        shape = image.shape
        scores = self.basis.T @ ((image.reshape(shape[0], -1) - self.mean[:, None]) / self.spread[:, None])
        low = scores.min()
        unit = max(float(scores.max() - low), 1e-9) / _WHITE
        planes = ((scores - low) / unit).round().astype(np.uint16).reshape(-1, *shape[1:]).transpose(1, 2, 0)
        least, most = 1.0, 120.0  # dB
        best = _encoded(planes, least)
        for _ in range(_TURNS):
            level = (least + most) / 2
            data = _encoded(planes, level)
            if len(data) <= wanted:
                least, best = level, data
            else:
                most = level
        decoded = imagecodecs.jpeg2k_decode(best).astype(np.float64).reshape(shape[1], shape[2], -1)
        scores = decoded.transpose(2, 0, 1).reshape(self.basis.shape[1], -1) * unit + low
        return ((self.basis @ scores) * self.spread[:, None] + self.mean[:, None]).reshape(shape), len(best)


def _encoded(planes: NDArray[np.uint16], decibels: Any) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(planes, level=decibels, codecformat="j2k", mct=False, reversible=False))
