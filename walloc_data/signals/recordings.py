"""Recordings: files of sound, whose headers are held to what the files hold; and arrays."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SampleError
from walloc_data.signals.containers import container_of, open_container
from walloc_data.signals.extras import need
from walloc_data.signals.mp3_headers import length_known
from walloc_data.signals.raw_file import raw_file
from walloc_data.signals.recording import Recording

__all__ = ["open_recording"]

_RATES = (1, 10_000_000)  # samples a second; beyond them a header lies
_EXACT = frozenset(("PCM_16", "PCM_S8", "PCM_U8", "ULAW", "ALAW"))  # what 16 bits hold as it is
_CUT = re.compile(r"(?:data|SSND)\s*:\s*(\d+) \(should be (\d+)\)")  # as libsndfile notes it
_UNSAID = 1 << 62  # frames
_MPEG_FRAMES = 2 * 1152  # samples by which a length is off that is estimated by a constant bit rate
_ENDLESS = 0x7FFF0000  # bytes; no less is what writers of streams say, who do not know


@contextmanager
def open_recording(data: Any, name: str, rate: int | None) -> Iterator[Recording]:
    """The recording in the bytes of a file, in the file at a path, or in an array of `rate` samples a second.

    What libsndfile does not read is known by the suffix of its `name`, or by its first bytes.

    Arrays are `[samples]` or `[C, samples]` of int16, or of floats in [-1, 1]. Raises `SampleError` for what is none,
    or cut short, and `SourceError` for a path that cannot be opened.
    """
    if isinstance(data, np.ndarray):
        yield _of_array(data, rate)
    else:
        with raw_file(data, "sound") as file, _opened(file, name) as recording:
            yield recording


@contextmanager
def _opened(stream: Any, name: str) -> Iterator[Recording]:
    demuxer = container_of(stream, os.path.splitext(name)[1])
    if demuxer is not None:
        with open_container(stream, demuxer) as recording:
            yield recording
        return
    soundfile = need("soundfile", "audio")
    try:
        with soundfile.SoundFile(_Within(stream)) as file:
            known = length_known(stream) if file.format == "MP3" else "said"
            if known == "unknown":
                raise SampleError(
                    "an MP3 of variable bit rate that does not say how long it is, of which only a part would be read: "
                    "write it anew, as with ffmpeg -i FILE -c copy NEW.mp3"
                )
            yield _of_file(file, _MPEG_FRAMES if known == "estimated" else 0)
    except soundfile.SoundFileError as error:
        text = str(error.error_string if isinstance(error, soundfile.LibsndfileError) else error).rstrip(". ")
        plainer = {
            "Format not recognised": "not a file of sound that libsndfile knows",
            "Internal error : SF_INFO struct incomplete": "its header says a rate or channels that no sound has",
        }
        raise SampleError(plainer.get(text, f"damaged or cut short ({text.removeprefix('Error : ')})")) from error


class _Within:
    """A file that stays where it is when it is sought before its beginning, as damaged headers ask: soundfile would
    print a traceback."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.read, self.tell = file.read, file.tell

    def seek(self, offset: int, whence: int = 0) -> int:
        with suppress(ValueError, OSError, OverflowError):
            self._file.seek(offset, whence)
        return self._file.tell()


def _of_file(file: Any, tolerance: int) -> Recording:
    """A file that may hold so many frames less than it is said to."""
    rate, frames = int(file.samplerate), int(file.frames)
    if not _RATES[0] <= rate <= _RATES[1]:
        raise SampleError(f"its header says {rate} samples a second: no sound has so many")
    if frames >= _UNSAID:
        raise SampleError("its header does not say how long it is, as where a program wrote to a pipe: write it anew")
    cut = _CUT.search(file.extra_info)
    if cut is not None and int(cut[1]) < _ENDLESS:
        raise SampleError(f"cut short: its header says {cut[1]} bytes of sound, and the file holds {cut[2]}")

    def decode(first: int, last: int, dtype: str) -> NDArray[Any]:
        if first:
            file.seek(first)
        values: NDArray[Any] = file.read(last - first, dtype=dtype, always_2d=True)
        missing = last - first - len(values)
        if 0 < missing <= tolerance and last == frames:
            return np.pad(values, ((0, missing), (0, 0)))
        if missing:
            raise SampleError(
                f"cut short or damaged: its header says {frames} samples, and it ends after {first + len(values)}"
            )
        return values

    return Recording(frames, rate, int(file.channels), file.subtype in _EXACT, decode)


def _of_array(array: NDArray[Any], rate: int | None) -> Recording:
    if array.ndim not in (1, 2) or (array.dtype != np.int16 and array.dtype.kind != "f"):
        raise SampleError(
            f"an array of {array.dtype} and shape {list(array.shape)} is no sound: [samples] or [C, samples], int16 or "
            "floats in -1 to 1"
        )
    values, exact = np.atleast_2d(array).T, array.dtype == np.int16

    def decode(first: int, last: int, dtype: str) -> NDArray[Any]:
        part: NDArray[Any] = values[first:last].astype(dtype)
        if exact and dtype != "int16":
            part /= np.float32(32768)
        return part

    return Recording(len(values), rate or 0, values.shape[1], exact, decode)
