"""A signal, and what reads one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SampleError
from walloc_data.signals.crops import Box

__all__ = ["CodecLike", "Cutting", "Reader", "Signal", "Viewing", "Window"]

_DTYPES = frozenset(map(np.dtype, (np.uint8, np.int16, np.uint16, np.float32)))


@dataclass(frozen=True)
class Signal:
    """One sample as a codec takes it: `values` `[C, *space]` of uint8, int16, uint16 or float32.

    `fields` is what its reader knows of it, such as `size` (that of the space) and `original_size`; they become
    columns. Raises `SampleError` for values of another dtype, without space, or with an empty side.
    """

    values: NDArray[Any]
    fields: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.values.dtype not in _DTYPES or not 2 <= self.values.ndim <= 4 or 0 in self.values.shape:
            raise SampleError(
                f"a signal is [C, *space] of uint8, int16, uint16 or float32 in one to three dimensions of space, not "
                f"{self.values.dtype} of shape {list(self.values.shape)}"
            )


class CodecLike(Protocol):
    """What readers want to know of a codec, as its configuration says it."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def dims(self) -> int: ...
    @property
    def signal_channels(self) -> int: ...
    @property
    def dtype(self) -> str | None: ...


class Reader(Protocol):
    """What raw data of one kind means. It can be pickled, and gives the same signal for the same data everywhere.

    `kind` and `dims` are those of the codecs it reads for, `channels` the C of its signals, and `suffixes` those of
    the files that it takes (lower case, with the dot).
    """

    kind: ClassVar[str]
    suffixes: ClassVar[frozenset[str]]

    @property
    def dims(self) -> int:
        """Dimensions of space of the signals it gives."""

    @property
    def channels(self) -> int:
        """Channels C of the signals it gives."""

    def read(self, data: Any, name: str) -> Signal:
        """The signal in the bytes of a file, or in an array. Raises `SampleError`, which names `name`."""

    def config(self) -> dict[str, Any]:
        """Its options, as the manifest holds them: what differs from the defaults, so that later ones change none."""


@runtime_checkable
class Viewing(Protocol):
    """A reader that also gives parts of a signal, each brought to one size."""

    def views(self, data: Any, name: str, boxes: Callable[[int, int], Sequence[Box]]) -> list[Signal]:
        """A signal for each of the `boxes` that a picture of a width and a height has: its number is the field `view`,
        the box the field `box`. Raises as `Reader.read`."""


class Window(NamedTuple):
    """A part of a long recording: its `data` as a reader takes it, where the part begins, in seconds (of arrays: which
    it is), and its share of the bytes."""

    data: Any
    start: float
    nbytes: int


@runtime_checkable
class Cutting(Protocol):
    """A reader that may cut recordings into windows.

    It takes the `Path` of a file for its bytes, so that of a long one no more is read than a window, and gives each
    signal's window for a `Window`.
    """

    @property
    def windows(self) -> str | None:
        """What its windows are, for people, such as `windows of 4 seconds`; None: it does not cut."""

    def starts(self, data: Any, name: str) -> list[float]:
        """Where windows begin, in seconds (of arrays: 0, 1, 2 ...), without decoding. Raises `SampleError` for what is
        damaged."""
