"""Video: whatever FFmpeg reads, in clips of so many frames, as uint8 arrays."""

import math
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SampleError, SourceError
from walloc_data.numbers import whole_number
from walloc_data.signals.extras import need
from walloc_data.signals.footage import Footage, open_footage
from walloc_data.signals.framing import Framing
from walloc_data.signals.signal import Signal, Window

__all__ = ["VideoReader"]

_MOST_FRAMES, _MOST_CLIPS = 1 << 26, 1 << 22  # of one file; what says that it has more lies
_LEAST_STEP = 1e-3  # seconds; keys say tenths of that
_SPARE = 0.1  # of a frame: what is shorter at the end is rounding
_GRAY = np.array([19595, 38470, 7471], np.uint32)  # ITU-R 601, over 65536, as Pillow has it


@dataclass(frozen=True, kw_only=True)
class VideoReader:
    """How files of video become signals, clips `[3, frames, height, width]`.

    `frames` are those of a clip, `rate` of them a second (None: as many as the file has on average). Clips begin
    `stride` seconds after one another (None: where the last one ends), and the last is filled up by its last frame.
    Frames are brought to `size` as `ImageReader` does it. `channels` is 3 (RGB) or 1 (gray, ITU-R 601). Clips of more
    than `max_pixels` in all their frames, and files with larger frames than that, are refused undecoded.
    """

    kind: ClassVar[str] = "video"
    dims: ClassVar[int] = 3
    suffixes: ClassVar[frozenset[str]] = frozenset(
        (".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf")
    ) | {".ogv", ".ts", ".webm", ".wmv", ".y4m"}

    channels: int = 3
    frames: int = 16
    rate: float | None = None
    stride: float | None = None
    size: int | None = 256
    resize: str = "shorter"
    crop: str = "center"
    max_pixels: int = 1 << 27

    def __post_init__(self) -> None:
        for name in ("channels", "frames", "size", "max_pixels"):
            value = getattr(self, name)
            if value is not None or name != "size":
                object.__setattr__(self, name, whole_number(name, value, least=1, error=SourceError))
        if self.channels not in (1, 3):
            raise SourceError(f"video is read with 1 or 3 channels, and the codec wants {self.channels}")
        Framing(self.size, self.resize, self.crop)
        for name, unit in (("rate", "frames a second"), ("stride", "seconds")):
            value = getattr(self, name)
            try:
                number = None if value is None else float(value)
            except (TypeError, ValueError) as error:
                raise SourceError(f"{name}={value!r} is no number of {unit}") from error
            if number is not None and not 1e-3 <= number <= 1e9:
                raise SourceError(f"{name}={number:g} is not a number of {unit} from 0.001 to a billion")
            object.__setattr__(self, name, number)
        need("av", "video")

    @property
    def windows(self) -> str:
        """What its windows are."""
        return f"clips of {self.frames} frames"

    def config(self) -> dict[str, Any]:
        """Its options, for the manifest: channels, and what differs from the defaults."""
        options = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: value for name, (value, default) in options.items() if name == "channels" or value != default}

    def read(self, data: Any, name: str) -> Signal:
        """The clip at the start of what `open_footage` takes (the bytes of a file, its `Path`, an array), or of a
        `Window` of it: uint8 `[C, frames, height, width]`.

        Fields: `start`, in seconds; `rate`, frames a second; `length`, frames before the last one is repeated; `size`
        (frames, height, width) and `original_size`, those of the whole file, upright. Raises `SampleError` with the
        reason for what is no video, or damaged where the clip is.
        """
        window = data if isinstance(data, Window) else Window(data, 0.0, 0)
        try:
            with open_footage(window.data, self.rate, max_pixels=self.max_pixels) as footage:
                return self._clip(footage, window.start)
        except SampleError as error:
            raise SampleError(f"{name}: {error}") from error

    def starts(self, data: Any, name: str) -> list[float]:
        """Where its clips begin, in seconds, by what the file's header says. Raises as `read` does."""
        try:
            with open_footage(data, self.rate, max_pixels=self.max_pixels) as footage:
                rate = self._rate(footage)
                step, clips = self._clips(footage, rate)
        except SampleError as error:
            raise SampleError(f"{name}: {error}") from error
        return [number * step / rate for number in range(clips)]

    def _clips(self, footage: Footage, rate: float) -> tuple[float, int]:
        """Frames from the beginning of a clip to that of the next, and how many clips there are."""
        # None begins at the end, nor behind one that reaches it; counted in frames, so that times may be rounded.
        step = self.frames if self.stride is None else self.stride * rate
        clips = 1 + max(0, math.ceil((_count(footage, rate) - max(self.frames, step)) / step - 1e-9))
        if clips > _MOST_CLIPS:
            raise SampleError(f"its header says {footage.seconds:g} s: more clips than any video has")
        if clips > 1 and step / rate < _LEAST_STEP:
            raise SampleError(f"clips begin {step / rate:g} s apart, which no key can say: take more frames")
        return step, clips

    def _rate(self, footage: Footage) -> float:
        rate = self.rate or footage.rate
        if not rate:
            raise SampleError("nothing says how many frames a second it has, as far as that can be believed: give rate")
        return rate

    def _clip(self, footage: Footage, start: float) -> Signal:
        rate = self._rate(footage)
        if footage.width * footage.height > self.max_pixels:
            raise SampleError(f"frames of {footage.width} x {footage.height} pixels: more than {self.max_pixels}")
        self._clips(footage, rate)  # what is refused there is met here, and counted
        behind = _count(footage, rate) - start * rate  # frames, of which strides may leave a part
        length = min(self.frames, max(1, math.ceil(behind - _SPARE)))
        if behind <= 0:
            raise SampleError(f"it has {footage.seconds:.2f} s, and no clip at {start:g} s")
        shown = footage.shown([start + number / rate for number in range(length)])
        frame = next(shown)  # one at least, or it is a SampleError
        view = _View(frame, footage.aspect, Framing(self.size, self.resize, self.crop), self.channels)
        if math.prod(view.size) > self.max_pixels:
            width, height = view.size
            raise SampleError(f"frames of {width} x {height} pixels once resized: more than {self.max_pixels}")
        size = (self.frames, *view.shape)
        if math.prod(size) > self.max_pixels:
            raise SampleError(
                f"a clip of {' x '.join(map(str, size))} pixels is more than the limit of {self.max_pixels}: take "
                "fewer frames or a smaller size, or raise max_pixels"
            )
        values = np.empty((self.channels, *size), np.uint8)
        values[:, 0] = view.of(frame)
        for number, following in enumerate(shown, 1):
            values[:, number] = values[:, number - 1] if following is frame else view.of(following)
            frame = following
        values[:, length:] = values[:, length - 1 : length]
        found = {
            "rate": np.float64(rate),
            "size": size,
            "original_size": (_count(footage, footage.rate or rate), *view.stored),
            "length": np.int32(length),
            "start": start,
        }
        return Signal(values, found)


class _View:
    """Frames as signals have them: the size, turning and cutting of a first one, which serve all of its clip."""

    def __init__(self, frame: Any, aspect: float, framing: Framing, channels: int) -> None:
        from av.video.reformatter import Interpolation as To
        from av.video.reformatter import VideoReformatter

        # To planar RGB, for which chroma is brought to full resolution, and rounded alike on every machine.
        self.how = To.BICUBIC | To.ACCURATE_RND | To.BITEXACT if hasattr(To, "BITEXACT") else To.BICUBIC
        self.reformat, self.channels = VideoReformatter().reformat, channels
        self.turns = round(frame.rotation / 90) % 4
        self.size = framing.resized(max(1, round(frame.width * aspect)), frame.height)
        width, height = framing.cropped(*self.size)
        left, top = (self.size[0] - width) // 2, (self.size[1] - height) // 2
        self.cut = slice(top, top + height), slice(left, left + width)
        # Of what is turned by a quarter, height and width change places.
        turned = slice(None, None, -1 if self.turns % 2 else 1)
        self.shape, self.stored = [*(height, width)][turned], [*(frame.height, frame.width)][turned]

    def of(self, frame: Any) -> NDArray[np.uint8]:
        """Uint8 `[C, height, width]`."""
        width, height = self.size
        planar = self.reformat(frame, width=width, height=height, format="gbrp", interpolation=self.how)
        green, blue, red = (
            np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:height, :width][self.cut]
            for plane in planar.planes
        )
        values = np.stack((red, green, blue))
        if self.channels == 1:
            values = ((np.tensordot(_GRAY, values, 1)[None] + 0x8000) >> 16).astype(np.uint8)
        return np.rot90(values, self.turns, (1, 2))


def _count(footage: Footage, rate: float) -> int:
    """Frames of footage at a rate."""
    count = footage.seconds * rate
    if not count < _MOST_FRAMES:
        raise SampleError(f"its header says {footage.seconds:g} s: more frames than any video has")
    return max(1, math.ceil(count - _SPARE))
