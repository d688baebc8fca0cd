"""Electrodes and other sensors in files of the European Data Format (Kemp and others, 1992; EDF+, 2003)."""

import os
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SampleError
from walloc_data.signals.raw_file import RawFile
from walloc_data.signals.stored import Stored, chosen, plain_part

__all__ = ["EDF", "read_edf"]

EDF = b"0       "  # how such a file begins
_FIXED = 256  # bytes of the header, and of what it says of each channel
_FIELDS = {"label": 16, "sensor": 80, "unit": 8, "low": 8, "high": 8, "least": 8, "most": 8, "filter": 80, "count": 8}


class _Channel(NamedTuple):
    label: str
    first: int  # where its numbers begin in a record
    size: int  # how many of them there are in a record
    factor: float
    offset: float


def read_edf(file: RawFile, variable: str | int | None) -> Stored:
    """The channels of an EDF in their own units, float32 `[C, samples]`; annotations are left out.

    Where channels are sampled at several rates, `variable` is the rate (a second) of those that are meant. Of a file,
    no more is read than a window. Raises `SampleError` for what is damaged, or is not one recording without gaps.
    """
    try:
        records, seconds, channels = _header(file)
    except (ValueError, ZeroDivisionError, UnicodeDecodeError) as error:
        raise SampleError(f"a damaged EDF ({error})") from error
    rates: dict[str, list[_Channel]] = {}
    for channel in channels:
        if channel.label != "EDF Annotations":
            rates.setdefault(f"{channel.size / seconds:g}", []).append(channel)
    told = [f"{rate}: {', '.join(one.label for one in some)}" for rate, some in rates.items()]
    found = rates[list(rates)[chosen(variable, list(rates), told)]]
    width, count = sum(channel.size for channel in channels), found[0].size
    plain: dict[str, Any] = {
        "dtype": np.dtype("<i2"),
        "shape": (records, width),
        "offset": _FIXED * (1 + len(channels)),
    }

    def take(part: tuple[slice, ...]) -> NDArray[Any]:
        wanted, (first, last, _) = found[part[0]], part[1].indices(records * count)
        rows = slice(first // count, -(-last // count))
        values = plain_part(file, (rows, slice(None)), **plain)
        taken = [values[:, one.first : one.first + count].reshape(-1) * one.factor + one.offset for one in wanted]
        return np.stack(taken)[:, first - rows.start * count :][:, : last - first].astype(np.float32)

    return Stored((len(found), records * count), np.dtype(np.float32), take)


def _header(file: IO[bytes]) -> tuple[int, float, list[_Channel]]:
    """How many records there are, of how many seconds, and the channels."""
    text = file.read(_FIXED).decode("latin-1")
    if text[192:197] == "EDF+D":
        raise SampleError("an EDF+ with gaps in time (EDF+D): write its parts as files of their own")
    records, seconds, count = int(text[236:244]), float(text[244:252]), int(text[252:256])
    if not 0 < count <= 9999 or not seconds > 0:
        raise ValueError(f"its header says {count} channels and records of {seconds:g} seconds")
    text = file.read(_FIXED * count).decode("latin-1")
    if len(text) < _FIXED * count:
        raise ValueError("it is cut short")
    columns, start = {}, 0
    for name, length in _FIELDS.items():
        columns[name] = [text[start + n * length : start + (n + 1) * length].strip() for n in range(count)]
        start += length * count
    channels, first = [], 0
    for n in range(count):
        low, high, least, most = (float(columns[name][n]) for name in ("low", "high", "least", "most"))
        size, factor = int(columns["count"][n]), (high - low) / (most - least)
        if size < 1 or not np.isfinite(factor):
            raise ValueError(f"its header says {size} samples a record of channel {n}")
        channels.append(_Channel(columns["label"][n], first, size, factor, low - factor * least))
        first += size
    if records < 0:  # of a recording that was not closed, what is there
        records = (file.seek(0, os.SEEK_END) - _FIXED * (1 + count)) // (2 * first)
    return records, seconds, channels
