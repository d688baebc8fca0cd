"""Bands and pages of TIFF files, as tifffile reads them: of large ones no more than a window is decoded."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SampleError, SourceError, WallocError
from walloc_data.signals.extras import need
from walloc_data.signals.raw_file import RawFile
from walloc_data.signals.stored import Stored, chosen, plain_part

__all__ = ["open_tiff"]

_NODATA = 42113  # the tag in which GDAL names the value that stands for none, as text
_REDUCED_OR_MASK = 1 | 4  # bits of the tag NewSubfileType
_MOST_SEGMENT = 1 << 28  # values of a strip or tile; what says that it has more lies

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # of what it reads past, it would print a line


@contextmanager
def open_tiff(file: RawFile, variable: str | int | None) -> Iterator[Stored]:
    """The image of a TIFF at its full resolution, whatever its pages and bands are stored like.

    Where there are several that are neither reduced ones nor masks, `variable` is the number of one. Raises
    `SampleError` for what is damaged, and `SourceError` without tifffile.
    """
    tifffile = need("tifffile", "arrays")
    try:
        with tifffile.TiffFile(_Alone(file), _multifile=False) as tiff:
            series = [one for one in tiff.series if not _is_aside(one)] or list(tiff.series)[:1]
            names = [str(number) for number in range(len(series))]
            told = [f"{number}: {one.axes} {list(one.shape)}" for number, one in enumerate(series)]
            yield _of_level(file, tiff, series[chosen(variable, names, told)].levels[0])
    except (WallocError, MemoryError):
        raise
    except Exception as error:  # tifffile and its decoders may raise anything on a damaged file
        text = str(error).removeprefix("<COMPRESSION.").split("\n")[0]
        if "imagecodecs" in text:
            raise SourceError(f"a TIFF compressed by {text}: pip install 'walloc-data[arrays]'") from error
        raise SampleError(f"a damaged TIFF, or one that is not known here ({text})") from error


class _Alone:
    """A file without name or place, so that tifffile opens no others: descriptions of microscopes may name any."""

    def __init__(self, file: RawFile) -> None:
        self.read, self.readinto = file.read, file.readinto
        self.seek, self.tell = file.seek, file.tell


def _is_aside(series: Any) -> bool:
    return bool(int(series.keyframe.subfiletype) & _REDUCED_OR_MASK)


def _of_level(file: RawFile, tiff: Any, level: Any) -> Stored:
    shape, dtype = tuple(level.shape), np.dtype(level.dtype)
    facts: dict[str, Any] = {"axes": level.axes, "nodata": _nodata(level.keyframe)}
    if level.dataoffset is not None:
        plain = {"dtype": dtype.newbyteorder(tiff.byteorder), "shape": shape, "offset": level.dataoffset}
        return Stored(shape, dtype, lambda part: plain_part(file, part, **plain), **facts)
    pages = list(level.pages)
    split = next((n for n in range(len(shape)) if math.prod(shape[:n]) == len(pages)), None)
    if None in pages:  # which tifffile takes for zeros
        raise SampleError("planes of it are missing, or lie in other files: write it as one file")
    regular = split is not None and {"Y", "X"} <= set(level.axes[split:])
    if not regular or math.prod(shape[split:]) != math.prod(level.keyframe.shaped):
        return Stored(shape, dtype, lambda part: level.asarray(maxworkers=1)[part], whole=True, **facts)

    def decoded(part: tuple[slice, ...]) -> NDArray[Any]:
        places = np.arange(len(pages)).reshape(shape[:split])[part[:split]]
        wanted = {axis: one for axis, one in zip(level.axes, part, strict=True) if axis in "YX"}
        ys, xs = (range(*wanted[axis].indices(n)) for axis, n in zip("YX", level.keyframe.shaped[2:4], strict=True))
        sides = {"Y": len(ys), "X": len(xs)}
        inner = [sides.get(axis, n) for axis, n in zip(level.axes[split:], shape[split:], strict=True)]
        rest = tuple(slice(None) if axis in "YX" else one for axis, one in zip(level.axes, part, strict=True))[split:]
        found = [_window(tiff, pages[place], ys, xs, facts["nodata"]).reshape(inner)[rest] for place in places.flat]
        return np.stack(found).reshape(*places.shape, *found[0].shape)

    return Stored(shape, dtype, decoded, **facts)


def _window(tiff: Any, page: Any, ys: range, xs: range, nodata: float | None) -> NDArray[Any]:
    """Rows `ys` and columns `xs` of a page, `[separate samples, depth, y, x, samples]`."""
    frame = page.keyframe
    samples, depth, _, _, together = frame.shaped
    found = np.full((samples, depth, len(ys), len(xs), together), nodata or 0, frame.dtype)
    for index, (offset, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
        _, (sample, z, y, x, _), (_, height, width, _) = frame.decode(None, index)
        top, left = max(y, ys.start), max(x, xs.start)
        bottom, right = min(y + height, ys.stop), min(x + width, xs.stop)
        if not count or top >= bottom or left >= right:  # without bytes it holds no data
            continue
        if height * width * together > _MOST_SEGMENT:
            raise SampleError(f"a damaged TIFF: it says that a part of it is {height} x {width} values")
        tiff.filehandle.seek(offset)
        data = tiff.filehandle.read(count)
        if len(data) < count:
            raise SampleError("a TIFF that is cut short")
        values, _, _ = frame.decode(data, index, jpegtables=page.jpegtables, jpegheader=frame.jpegheader)
        values = values[: depth - z, top - y : bottom - y, left - x : right - x]
        place = (
            slice(z, z + len(values)),
            slice(top - ys.start, bottom - ys.start),
            slice(left - xs.start, right - xs.start),
        )
        found[sample][place] = values
    return found


def _nodata(page: Any) -> float | None:
    tag = page.tags.get(_NODATA)
    try:
        return None if tag is None else float(str(tag.value).strip("\0 "))
    except ValueError:
        return None
