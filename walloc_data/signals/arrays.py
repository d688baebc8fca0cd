"""Arrays of any number of bands: whole, or in tiles of large scenes, with what is missing filled and kept as a mask."""

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SampleError, SourceError
from walloc_data.numbers import whole_number
from walloc_data.signals.array_files import ARRAY_SUFFIXES, open_array
from walloc_data.signals.array_values import plain_values
from walloc_data.signals.gaps import filled, gaps_in, pack_mask
from walloc_data.signals.signal import Signal, Window
from walloc_data.signals.stored import Stored
from walloc_data.signals.tiles import Tiles

__all__ = ["ArrayReader"]
_OPTIONS = ("bands", "max_values", "nodata", "tile", "variable")


class _Kept(dict[str, Any]):
    """An array that can only be read whole, for all of its tiles. Other processes read their own."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _Kept, ()


@dataclass(frozen=True, kw_only=True)
class ArrayReader:
    """How arrays become signals `[channels, *space]` with `dims` dimensions of space.

    `bands` is the axis that holds the bands (0 unless it is given, -1: the last), or `"none"` where there is one band
    without an axis; of a TIFF, its own axes say it. `variable` names the array of an `.npz` or `.mat` (or the image of
    a TIFF, by number) where it holds several. `tile` cuts arrays into windows of so many values a side (`"16x256x256"`:
    by dimension); the last of a row ends where the array does, so that neighbours overlap and none is filled up.

    NaN, and values that a file says are none, are refused; with `nodata` they are filled from around them, and kept as
    a column: a number is a value that is none besides, `"mask"` names no other, and with `"keep"` what the file says
    is not minded. `dtype` is that of the codec, whose range others are held to. More values than `max_values` are
    refused unread.
    """

    kind: ClassVar[str] = "array"
    suffixes: ClassVar[frozenset[str]] = ARRAY_SUFFIXES

    channels: int = 1
    dims: int = 2
    bands: int | str | None = None
    variable: str | int | None = None
    tile: int | str | None = None
    nodata: float | str | None = None
    dtype: str | None = None
    max_values: int = 1 << 28
    _tiles: Tiles | None = field(default=None, init=False, repr=False, compare=False)
    _kept: _Kept = field(default_factory=_Kept, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("channels", "dims", "max_values"):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), least=1, error=SourceError))
        if self.dims > 3:
            raise SourceError(f"dims={self.dims}: signals have one to three dimensions of space")
        if self.bands not in (None, "none"):
            object.__setattr__(self, "bands", whole_number("bands", self.bands, error=SourceError))
        if self.bands == "none" and self.channels > 1:
            raise SourceError(f"bands='none' is of arrays of one band, and the codec takes {self.channels}")
        if self.nodata not in (None, "mask", "keep"):
            try:
                value = float(self.nodata)
            except (TypeError, ValueError) as error:
                raise SourceError(f"nodata={self.nodata!r} is no number, nor 'mask' or 'keep'") from error
            if math.isinf(value):
                raise SourceError("nodata is a finite number: infinity is refused wherever it stands")
            object.__setattr__(self, "nodata", "mask" if math.isnan(value) else value)
        object.__setattr__(self, "_tiles", None if self.tile is None else Tiles.of(self.tile, self.dims))

    @classmethod
    def like(cls, data: Any, name: str, **options: Any) -> "ArrayReader":
        """The reader of arrays of as many bands and dimensions as one has, with options that a codec leaves open.

        Raises as `read` does, and `SourceError` for other options.
        """
        if unknown := options.keys() - _OPTIONS:
            raise SourceError(
                f"arrays are read without {', '.join(sorted(unknown))}: options are {', '.join(_OPTIONS)}"
            )
        try:
            with open_array(data, options.get("variable")) as stored:
                dims = len(stored.shape) - (options.get("bands") != "none")
                if stored.axes is not None and options.get("bands") is None:
                    dims = 3 if "Z" in stored.axes else 2
                if not 1 <= dims <= 3:
                    raise SampleError(
                        f"of shape {list(stored.shape)}, which leaves {dims} dimensions of space, and there are 1 to 3"
                        + (" (bands=none says that it has no axis of bands)" if dims < 1 else "")
                    )
                draft = cls(dims=dims, **options)
                bands, _ = draft._axes(stored)
                return cls(channels=math.prod(stored.shape[axis] for axis in bands), dims=dims, **options)
        except SampleError as error:
            raise SampleError(f"{name}: {error}") from error

    @property
    def windows(self) -> str | None:
        """What its windows are, for people; None without a `tile`."""
        return None if self.tile is None else f"tiles of {self.tile} values"

    def config(self) -> dict[str, Any]:
        """Its options, for the manifest: channels and dims, and what differs from the defaults."""
        options = {each.name: (getattr(self, each.name), each.default) for each in fields(self) if each.compare}
        always = ("channels", "dims")
        return {name: value for name, (value, default) in options.items() if name in always or value != default}

    def read(self, data: Any, name: str) -> Signal:
        """The array in what `open_array` takes: the bytes of a file, its `Path`, an array; or in a `Window` of it.

        Values are uint8, int16, uint16 or float32: whole numbers of other sizes are floats where those hold them, and
        floats are rounded to 32 bits. Fields: `size` and `original_size`, those of the signal and of the array in
        space; of a window its `origin`, where it begins in the array; with `nodata`, `masked`, how many places of space
        lack a value of any band, and `mask`, which (`unpack_mask`). Raises `SampleError` with the reason for what is no
        array, or not as it is wanted.
        """
        try:
            whole = data.data if isinstance(data, Window) else data
            with open_array(whole, self.variable) as stored:
                return self._signal(stored, whole, data if isinstance(data, Window) else None)
        except SampleError as error:
            raise SampleError(f"{name}: {error}") from error

    def starts(self, data: Any, name: str) -> list[float]:
        """The numbers of its tiles, row by row, by what its header says. Raises as `read` does."""
        try:
            with open_array(data, self.variable) as stored:
                _, space = self._axes(stored)
                count = self._cut().count([stored.shape[axis] for axis in space])
        except SampleError as error:
            raise SampleError(f"{name}: {error}") from error
        return list(map(float, range(count)))

    def _signal(self, stored: Stored, data: Any, window: Window | None) -> Signal:
        bands, space = self._axes(stored)
        self._check_bands(stored, bands)
        full = tuple(stored.shape[axis] for axis in space)
        origin, size = ((0,) * self.dims, full) if window is None else self._cut().place(int(window.start), full)
        found = {"size": size, "original_size": full, **({} if window is None else {"origin": origin})}
        part = [slice(None)] * len(stored.shape)
        for axis, first, side in zip(space, origin, size, strict=True):
            part[axis] = slice(first, first + side)
        count = stored.size if stored.whole else self.channels * math.prod(size)
        if count > self.max_values:
            way = "raise max_values" if stored.whole else "read it in tiles (tile=256), or raise max_values"
            raise SampleError(f"{count} values are more than the limit of {self.max_values}: {way}")
        values = self._taken(stored, data, tuple(part), keep=window is not None)
        values = values.transpose(*bands, *space).reshape(self.channels, *size)
        values, more = self._without_gaps(values, stored.nodata)
        return Signal(np.require(plain_values(values, self.dtype), requirements=("C", "W")), {**found, **more})

    def _taken(self, stored: Stored, data: Any, part: tuple[slice, ...], *, keep: bool) -> NDArray[Any]:
        if not (keep and stored.whole):
            return stored.take(part)
        former = self._kept.get("data")
        if not (former is data or (isinstance(data, Path) and former == data)):
            self._kept.update(data=data, values=stored.take((slice(None),) * len(stored.shape)))
        values: NDArray[Any] = self._kept["values"]
        return values[part]

    def _cut(self) -> Tiles:
        if self._tiles is None:
            raise SampleError("a window of it is wanted, and no tile says of how many values")
        return self._tiles

    def _axes(self, stored: Stored) -> tuple[list[int], list[int]]:
        """The axes of bands, and those of space."""
        axes = range(len(stored.shape))
        if self.bands is None and stored.axes is not None:
            letters = ("ZYX" if "Z" in stored.axes else "TYX" if "T" in stored.axes else "IYX")[3 - self.dims :]
            space = [stored.axes.index(letter) for letter in letters if letter in stored.axes]
            bands = [axis for axis in axes if axis not in space]
        else:
            bands = [] if self.bands == "none" else [int(self.bands or 0)]
            if any(not -len(axes) <= axis < len(axes) for axis in bands):
                raise SampleError(f"of shape {list(stored.shape)}, which has no axis {self.bands}")
            bands = [axis % len(axes) for axis in bands]
            space = [axis for axis in axes if axis not in bands]
        if len(space) != self.dims:
            told = f" (axes {stored.axes})" if stored.axes else ""
            raise SampleError(
                f"of shape {list(stored.shape)}{told}, and the codec takes {self.dims} dimensions of space"
                + ("" if self.bands == "none" else " and one of bands")
            )
        return bands, space

    def _check_bands(self, stored: Stored, bands: list[int]) -> None:
        count = math.prod(stored.shape[axis] for axis in bands)
        if count != self.channels:
            others = [axis for axis, side in enumerate(stored.shape) if side == self.channels and axis not in bands]
            raise SampleError(
                f"{count} bands of shape {list(stored.shape)}, and the codec takes {self.channels}"
                + (f": bands={others[-1]} if axis {others[-1]} holds them" if others else "")
            )

    def _without_gaps(self, values: NDArray[Any], said: float | None) -> tuple[NDArray[Any], dict[str, Any]]:
        """Values that all are numbers, and the fields that say where some were missing."""
        named = [] if said is None or self.nodata == "keep" else [said]
        named += [self.nodata] if isinstance(self.nodata, float) else []
        gaps = gaps_in(values, named)
        values = np.asarray(values)
        if self.nodata in (None, "keep"):
            if gaps.any():
                what, ways = "NaN", "nodata=mask fills them, and keeps where they were as a column"
                if named and not (values.dtype.kind == "f" and np.isnan(values).any()):
                    what, ways = f"{named[0]:g}, which its file says is no value", f"{ways}; nodata=keep takes them"
                raise SampleError(f"{int(gaps.sum())} of its values are {what}: {ways}")
            return values, {}
        mask: NDArray[np.bool_] = np.any(gaps, 0)
        values = filled(values, gaps) if mask.any() else values
        return values, {"masked": np.int32(mask.sum()), "mask": pack_mask(mask)}
