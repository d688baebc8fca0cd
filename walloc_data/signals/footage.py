"""Footage: files of video, opened by PyAV, of which frames are decoded from the keyframe before them on; and arrays."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SampleError
from walloc_data.signals.extras import need
from walloc_data.signals.interlacing import progressive
from walloc_data.signals.raw_file import raw_file

__all__ = ["Footage", "open_footage"]

# Nothing else is tried: a playlist, say, would make FFmpeg open what it names.
_FORMATS = "asf,avi,flv,matroska,mov,mpeg,mpegts,mpegvideo,mxf,ogg,webm,yuv4mpegpipe"
_SAYING = frozenset(("asf", "avi", "mxf", "yuv4mpegpipe"))  # their headers say how long a stream is; MP4's too
_DURATION = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")  # as Matroska has it
_FASTEST = 300.0  # frames a second; no header that says more is believed unasked
_LATE = 0.001  # seconds by which rounded times may be late
_HELD = 2  # frames that the last one may stand for besides, though nothing says so
_BACK = (0.0, 2.0, 10.0, 60.0)  # seconds before what is wanted from where keyframes are looked for
_PADDED = 1 << 16  # pixels that a decoder may add to those of a frame
_TAIL = 2.0  # seconds at the end that are looked through for the last frame


@dataclass(frozen=True)
class Footage:
    """Open footage of so many `seconds`, at `rate` frames a second on average, of `width` x `height` pixels as stored.

    `aspect` is the width of a pixel over its height. `shown` gives the frame, of PyAV, that is to be seen at each of
    some times (seconds from the start, rising), and ends where the footage does.
    """

    seconds: float
    rate: float
    width: int
    height: int
    aspect: float
    shown: Callable[[Sequence[float]], Iterator[Any]]


@contextmanager
def open_footage(data: Any, rate: float | None, *, max_pixels: int) -> Iterator[Footage]:
    """The footage in the bytes of a file, in the file at a path, or in an array at `rate` frames a second (None: 1).

    Memory for frames of far more than `max_pixels` is never asked for, whatever a file says of them. Arrays are uint8
    `[frames, H, W, 3]` or `[3, frames, H, W]`. Raises `SampleError` for what is none, or damaged, and `SourceError` for
    a path that cannot be opened.
    """
    if isinstance(data, np.ndarray):
        yield _of_array(data, rate or 1.0)
    else:
        with raw_file(data, "video") as file, _opened(file, max_pixels) as footage:
            yield footage


@contextmanager
def _opened(file: Any, max_pixels: int) -> Iterator[Footage]:
    av, limit = need("av", "video"), {"max_pixels": str(2 * max_pixels + _PADDED)}
    try:
        with av.open(
            file, metadata_errors="replace", options=limit, container_options={"format_whitelist": _FORMATS}
        ) as container:
            yield _of_container(av, container, limit)
    # The second of times that no 64 bits hold, the third of streams that begin on the way.
    except (av.FFmpegError, OverflowError, IndexError) as error:
        raise SampleError(f"no video that FFmpeg knows, damaged, or cut short ({_reason(error)})") from error


def _of_container(av: Any, container: Any, limit: dict[str, str]) -> Footage:
    covers = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & covers]
    if not streams:
        others = sorted({stream.type for stream in container.streams})
        raise SampleError(f"it holds no video, but {' and '.join(others) or 'nothing'}")
    best = container.streams.best("video")
    chosen = best if best in streams else streams[0]
    context = chosen.codec_context
    if context is not None:
        context.options = limit
    film = _Film(av, container, chosen)
    aspect = float(film.stream.sample_aspect_ratio or 1)
    if context is None:
        raise SampleError("its video is of a codec that the FFmpeg of PyAV does not have here")
    if not film.seconds and not film.rate:
        raise SampleError("it holds no frames")
    context.thread_count = 1  # cores are shared out by who runs this
    return Footage(
        film.seconds, film.rate, context.width, context.height, aspect if 0.1 < aspect < 10 else 1.0, film.shown
    )


class _Film:
    """A stream of video in an open container."""

    def __init__(self, av: Any, container: Any, stream: Any) -> None:
        self.av, self.container, self.stream, self.fresh = av, container, stream, True
        self.rate = float(stream.average_rate or stream.guessed_rate or 0)
        self.tick = float(stream.time_base or 0)
        self.start = (stream.start_time or 0) * self.tick
        self.late = min(_LATE, 0.25 / self.rate) if self.rate else _LATE
        if self.rate > _FASTEST:
            self.rate = 0.0
        if container.format.name == "avi":  # which does not count the frames by which a decoder is behind
            self.fresh = False
            self.start = next((each.pts for each in container.demux(stream) if each.pts is not None), 0) * self.tick
        said = self._said()
        self.seconds = self._measured() if said is None else said

    def shown(self, times: Sequence[float]) -> Iterator[Any]:
        decoded = self._since(times[0] + self.late)
        now, then = next(decoded, None), next(decoded, None)
        for time in times:
            while then is not None and then.time - self.start <= time + self.late:
                now, then = then, next(decoded, None)
            if now is None:
                raise SampleError("it holds no frame that can be decoded")
            if now.is_corrupt:
                raise SampleError(f"damaged at {now.time - self.start:.2f} s")
            shortest = 1 / (self.rate or 25)
            end = now.time - self.start + (float(now.duration * now.time_base) or shortest)
            if then is None and time >= end + _HELD * shortest:
                raise SampleError(
                    f"cut short or damaged: its header says {self.seconds:.2f} s, and frames end at {end:.2f} s"
                )
            yield now

    def _since(self, time: float) -> Iterator[Any]:
        """Frames from one on that is shown at a time, or before."""
        for back in _BACK:
            if time - back <= 0:
                break
            try:
                self._seek(time - back)
            except self.av.FFmpegError:  # as some formats cannot be sought in
                break
            decoded = self._decoded()
            first = next(decoded, None)
            if first is not None and first.time - self.start <= time:
                return chain((first,), decoded)
        self._rewind()
        return self._decoded()

    def _rewind(self) -> None:
        """To the first frame; which one it is, some formats tell by when it is decoded, which is before it is shown."""
        if self.fresh:
            return
        try:
            self._seek(-1)
        except self.av.FFmpegError:  # as others want no time before the first
            self._seek(0)

    def _seek(self, time: float) -> None:
        self.fresh = False
        self.container.seek(int((time + self.start) / self.tick), stream=self.stream)

    def _decoded(self) -> Iterator[Any]:
        return progressive(self._frames(), self.stream)

    def _frames(self) -> Iterator[Any]:
        self.fresh, last = False, None
        for packet in self.container.demux(self.stream):
            try:
                frames = packet.decode()
            except self.av.InvalidDataError as error:
                if last is not None:
                    raise SampleError(f"damaged behind {last.time - self.start:.2f} s ({_reason(error)})") from error
                continue  # what refers to frames before the keyframe
            for frame in frames:
                if frame.pts is not None:
                    last = frame
                    yield frame

    def _said(self) -> float | None:
        """Seconds by the header, or None where it does not say those of the video."""
        name, stream = self.container.format.name, self.stream
        if stream.duration and (name in _SAYING or ("mov" in name and stream.frames)):
            return float(stream.duration * self.tick)
        if written := _DURATION.match(stream.metadata.get("DURATION", "")):
            hours, minutes, seconds = map(float, written.groups())
            return 3600 * hours + 60 * minutes + seconds - self.start
        return None

    def _measured(self) -> float:
        """Seconds by the packets at the end of the file; by all, where it cannot be sought in."""
        if total := self.container.duration:
            with suppress(self.av.FFmpegError):
                self._seek(max(total / self.av.time_base - _TAIL, 0))
                if ends := self._ends():
                    return max(ends)
        self._rewind()
        return max(self._ends(), default=0.0)

    def _ends(self) -> list[float]:
        """Where the packets that are still to come end."""
        self.fresh = False
        known = [(packet.pts, packet.duration or 0) for packet in self.container.demux(self.stream)]
        shortest = 1 / (self.rate or 25)
        return [
            pts * self.tick + (length * self.tick or shortest) - self.start for pts, length in known if pts is not None
        ]


def _reason(error: Any) -> str:
    return str(getattr(error, "strerror", None) or error).rstrip(". ")


def _of_array(array: NDArray[Any], rate: float) -> Footage:
    if array.ndim == 4 and array.shape[3] != 3 and array.shape[0] == 3:
        array = array.transpose(1, 2, 3, 0)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] != 3 or 0 in array.shape:
        raise SampleError(
            f"an array of {array.dtype} and shape {list(array.shape)} is no video: uint8 [frames, H, W, 3] or "
            "[3, frames, H, W]"
        )
    make = need("av", "video").VideoFrame.from_ndarray

    def shown(times: Sequence[float]) -> Iterator[Any]:
        for time in times:
            yield make(np.ascontiguousarray(array[min(int((time + _LATE) * rate), len(array) - 1)]), format="rgb24")

    return Footage(len(array) / rate, rate, array.shape[2], array.shape[1], 1.0, shown)
