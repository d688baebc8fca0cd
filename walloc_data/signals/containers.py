"""Recordings that libsndfile does not know, by PyAV: AAC, AC-3, G.722, and the sound of MP4."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SampleError
from walloc_data.signals.extras import need
from walloc_data.signals.recording import Recording

__all__ = ["CONTAINERS", "container_of", "open_container"]

# The demuxer by suffix. It is named, so that nothing follows from what a file says it is: of a playlist FFmpeg would
# open the files and addresses that stand in it.
CONTAINERS = {".aac": "aac", ".ac3": "ac3", ".g722": "g722", ".m4a": "mov", ".m4b": "mov", ".mp4": "mov"}
_EXACT = frozenset(("s16", "s16p"))  # samples that 16 bits hold as they are
_PREROLL = 1 << 13  # samples decoded before those that are wanted: blocks overlap
_TOLERANCE = 1 << 12  # samples by which a last block may end early


def container_of(file: BinaryIO, suffix: str) -> str | None:
    """The demuxer for a file, by its first bytes or its suffix; None for what is libsndfile's. Leaves it as it is."""
    place = file.tell()
    mp4 = file.read(8)[4:] == b"ftyp"
    file.seek(place)
    return "mov" if mp4 else CONTAINERS.get(suffix.lower())


@contextmanager
def open_container(file: BinaryIO, demuxer: str) -> Iterator[Recording]:
    """The first stream of sound in a file. Raises `SampleError` for a file without one, or that is damaged."""
    av = need("av", "video")
    try:
        with av.open(file, format=demuxer, metadata_errors="replace") as container:
            if not container.streams.audio:
                raise SampleError("there is no sound in it")
            yield _recording(container, container.streams.audio[0])
    # The second of times that no 64 bits hold, the third of streams that begin on the way.
    except (av.FFmpegError, OverflowError, IndexError) as error:
        raise SampleError(f"damaged or cut short ({getattr(error, 'strerror', error)})") from error


def _recording(container: Any, stream: Any) -> Recording:
    # What is decoded says its rate and channels; headers of AAC may say half of both.
    first = next(container.decode(stream), None)
    if first is None or not first.sample_rate:
        raise SampleError("it holds no samples")
    form = (first.sample_rate, first.layout.nb_channels, first.format.name)
    rate, channels, _ = form
    tick, begin = stream.time_base, stream.start_time or 0
    frames = max(0, round(_ticks(container, stream, begin) * tick * rate))

    def decode(start: int, stop: int, dtype: str) -> NDArray[Any]:
        values = np.zeros((stop - start, channels), dtype)
        container.seek(begin + max(0, int((start - _PREROLL) / rate / tick)), stream=stream)
        end = start
        for frame in container.decode(stream):
            if (frame.sample_rate, frame.layout.nb_channels, frame.format.name) != form:
                raise SampleError("its rate or its channels change on the way")
            place = end if frame.pts is None else round((frame.pts - begin) * tick * rate)
            first, last = max(start, place), min(stop, place + frame.samples)
            if first < last:
                values[first - start : last - start] = _values(frame, channels, dtype)[first - place : last - place]
                end = last
            if place + frame.samples >= stop:
                break
        if end < stop and not (stop == frames and stop - end <= _TOLERANCE):
            raise SampleError(f"cut short or damaged: its header says {frames} samples, and it ends after {end}")
        return values

    return Recording(frames, rate, channels, form[2] in _EXACT, decode)


def _ticks(container: Any, stream: Any, begin: int) -> int:
    """How long a stream is, in its own ticks: as MP4 says; where a bit rate was but guessed from, as packets do."""
    if container.format.name.startswith("mov") and stream.duration:
        return int(stream.duration)
    container.seek(begin, stream=stream)
    packets = [packet for packet in container.demux(stream) if packet.size and packet.pts is not None]
    return max((packet.pts + (packet.duration or 0) - begin for packet in packets), default=0)


def _values(frame: Any, channels: int, dtype: str) -> NDArray[Any]:
    """The samples of a frame, `[samples, channels]` of int16 or float32."""
    found: NDArray[Any] = frame.to_ndarray()
    found = found.T if frame.format.is_planar else found.reshape(-1, channels)
    if found.dtype == np.uint8:
        found = (found - np.float32(128)) / 128
    elif found.dtype.kind == "i" and found.dtype != dtype:
        found = found / -float(np.iinfo(found.dtype).min)
    return found.astype(dtype, copy=False)
