"""A recording that is open, whoever decodes it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

__all__ = ["Recording"]


@dataclass(frozen=True)
class Recording:
    """An open recording of `frames` samples a channel, `rate` of them a second (0: nothing says).

    `exact` says that int16 holds its values as they are, `decode` gives those of frames `first` up to `last` as int16
    or float32 `[frames, channels]`.
    """

    frames: int
    rate: int
    channels: int
    exact: bool
    decode: Callable[[int, int, str], NDArray[Any]]
