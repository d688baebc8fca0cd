"""How near what is decoded comes to what was read."""

import numpy as np
import torch
from numpy.typing import NDArray

from walloc_data.codec import Codec, decode_middle, psnr

__all__ = ["Moments", "measured_psnr"]

_POSITIONS = 1 << 16  # of latents that are decoded; of larger signals the middle, or they would need gigabytes


class Moments:
    """Sums of latents by channel, and of their squares: exact, so that it does not matter how the work was cut."""

    def __init__(self) -> None:
        self.sums: list[int] = []
        self.squares: list[int] = []

    def add(self, latents: NDArray[np.int8]) -> None:
        """Count those of a sample, int8 `[c, *space]`."""
        flat = latents.reshape(len(latents), -1)
        sums, squares = flat.sum(1, dtype=np.int64), np.einsum("ij,ij->i", flat, flat, dtype=np.int64, casting="unsafe")
        self.sums = [one + more for one, more in zip(self.sums or [0] * len(flat), sums.tolist(), strict=True)]
        self.squares = [one + more for one, more in zip(self.squares or [0] * len(flat), squares.tolist(), strict=True)]


def measured_psnr(
    codec: Codec, values: NDArray[np.generic], latents: NDArray[np.int8], *, length: int | None = None
) -> float:
    """PSNR in dB of a signal `[C, *space]` decoded from its latents `[c, *space / f]`; of a large one, its middle.

    Behind `length` samples, sound is only filled up, and video behind so many frames: that does not count.
    """
    side = int(_POSITIONS ** (1 / codec.config.dims))
    positions = [min(side, there) for there in latents.shape[1:]]
    decoded, place = decode_middle(codec, torch.from_numpy(latents), values.shape[1:], positions)
    if length is not None:
        place = (slice(place[0].start, min(place[0].stop, int(length))), *place[1:])
        decoded = decoded[:, : place[0].stop - place[0].start]
    at: tuple[slice, ...] = (slice(None), *place)
    part = torch.from_numpy(np.ascontiguousarray(values[at]))[None]
    config = codec.config
    whole = config.in_units(config.to_float(part))[0]  # as decoding gives it
    return psnr(decoded, whole, config.kind, peaks=config.peaks)
