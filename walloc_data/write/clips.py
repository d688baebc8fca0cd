"""Long recordings, of sound or video, as samples of a few seconds each."""

import hashlib
import os
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SampleError
from walloc_data.signals import Cutting, Reader, Window
from walloc_data.sources import Raw, Source, Split, unread

__all__ = ["Clips", "cut"]


def cut(source: Source, reader: Reader) -> Source:
    """The windows of a source's recordings, by what their headers say, where a reader cuts them; else the source."""
    if not isinstance(reader, Cutting) or reader.windows is None:
        return source
    if any(isinstance(split, Clips) for split in source.splits.values()):
        return source  # it is cut already
    splits = {name: Clips.of(split, reader) for name, split in source.splits.items()}
    recordings, windows = (sum(map(len, each.values())) for each in (source.splits, splits))
    note = f"{recordings:,} recordings are {windows:,} {reader.windows}"
    return replace(source, splits=splits, notes=[*source.notes, note])


class _Last(dict[int, Raw]):
    """The recording that was read last, by number. Other processes read their own."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _Last, ()


@dataclass(frozen=True)
class Clips:
    """A `Split` of windows of the samples of another: window i begins `starts[i]` seconds into sample `places[i]`.

    Of files no more is read than a window. Other sources give a recording whole, and the last one is kept, so that it
    serves all of its windows where they follow one another. One whose header cannot be read is one window, which says
    why when it is read.
    """

    split: Split
    places: NDArray[np.int64]
    starts: NDArray[np.float64]
    _last: _Last = field(default_factory=_Last, repr=False, compare=False)

    @classmethod
    def of(cls, split: Split, reader: Cutting) -> "Clips":
        """The windows of all samples of a split. Raises `SourceError` where reading itself fails."""
        counts: list[int] = []
        starts: list[NDArray[np.float64]] = []
        for index in range(len(split)):
            try:
                raw = unread(split, index)
                begins = reader.starts(raw.data, raw.name)
            except SampleError:  # is met again, and counted, when it is read
                begins = [0.0]
            counts.append(len(begins))
            starts.append(np.array(begins))
        return cls(split, np.repeat(np.arange(len(split)), counts), np.concatenate([np.zeros(0), *starts]))

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Raw:
        place = int(self.places[index])
        raw = self._last.get(place)
        if raw is None:
            raw = unread(self.split, place)
            self._last.clear()
            self._last[place] = raw
        windows = np.searchsorted(self.places, place, "right") - np.searchsorted(self.places, place, "left")
        window = Window(raw.data, float(self.starts[index]), _size(raw.data) // int(windows))
        return Raw(window, raw.name, raw.fields)

    def key(self, index: int) -> str:
        """That of the recording, `#`, and the seconds at which the window begins."""
        return (
            f"{self.split.key(int(self.places[index]))}#{np.format_float_positional(self.starts[index], 4, trim='-')}"
        )

    def stamp(self, index: int) -> str:
        """That of the recording."""
        return self.split.stamp(int(self.places[index]))

    def digest(self) -> str:
        """Of the recordings, and of where windows begin."""
        digest = hashlib.sha256(self.split.digest().encode())
        digest.update(self.places.astype("<i8").tobytes() + self.starts.astype("<f8").tobytes())
        return digest.hexdigest()


def _size(data: Any) -> int:
    """Bytes of a file, or of numbers."""
    if isinstance(data, bytes):
        return len(data)
    return os.path.getsize(data) if isinstance(data, os.PathLike) else getattr(data, "nbytes", 0)
