"""Sound: whatever libsndfile and PyAV read, whole or in segments, as int16 or float32 arrays."""

import math
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SampleError, SourceError
from walloc_data.numbers import whole_number
from walloc_data.signals.containers import CONTAINERS
from walloc_data.signals.extras import need
from walloc_data.signals.recording import Recording
from walloc_data.signals.recordings import open_recording
from walloc_data.signals.signal import Signal, Window

__all__ = ["AudioReader"]

_MIXES = ("refuse", "mean", "repeat")
_LEAST_SEGMENT, _MOST_SEGMENT = 0.01, 1e9  # seconds
_MOST_SEGMENTS = 1 << 22  # of one recording; what says that it has more lies
_LOUDEST = 2.0  # of full scale: what lossy formats and floats overshoot by; beyond, the scale is another
_REACH = 256  # samples at the lower of two rates: more than a filter of soxr sees on each side


@dataclass(frozen=True, kw_only=True)
class AudioReader:
    """How recordings become signals of sound, `[channels, samples]`.

    `channels` is what the codec takes, and a file of another number is refused, unless `mix` says what is done:
    `"mean"` makes one channel of several, `"repeat"` several alike of one. `rate` is samples a second, to which files
    of another rate are resampled (None: each keeps its own). `segment` cuts recordings into windows of so many
    seconds, the last one filled up with silence; without it a sample is a whole recording. A sample of more than
    `max_samples` a channel is refused unread.
    """

    kind: ClassVar[str] = "audio"
    dims: ClassVar[int] = 1
    suffixes: ClassVar[frozenset[str]] = frozenset(
        (".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".rf64", ".snd", ".w64")
    ) | {".wav", ".wave", *CONTAINERS}

    channels: int = 2
    rate: int | None = None
    segment: float | None = None
    mix: str = "refuse"
    max_samples: int = 1 << 26

    def __post_init__(self) -> None:
        for name in ("channels", "rate", "max_samples"):
            value = getattr(self, name)
            if value is not None or name != "rate":
                object.__setattr__(self, name, whole_number(name, value, least=1, error=SourceError))
        if self.mix not in _MIXES:
            raise SourceError(f"mix={self.mix!r} is not one of {_MIXES}")
        if (self.mix == "mean" and self.channels > 1) or (self.mix == "repeat" and self.channels == 1):
            raise SourceError(f"mix={self.mix!r} is not for a codec of {self.channels} channels")
        if self.segment is not None:
            try:
                object.__setattr__(self, "segment", float(self.segment))
            except (TypeError, ValueError) as error:
                raise SourceError(f"segment={self.segment!r} is no number of seconds") from error
            if not _LEAST_SEGMENT <= self.segment < _MOST_SEGMENT:
                raise SourceError(f"segment={self.segment:g} is below {_LEAST_SEGMENT} seconds, or endless")
        need("soundfile", "audio")
        if self.rate is not None:
            need("soxr", "audio")

    @property
    def windows(self) -> str | None:
        """What its windows are; None without a `segment`."""
        return None if self.segment is None else f"windows of {self.segment:g} seconds"

    def config(self) -> dict[str, Any]:
        """Its options, for the manifest: channels, and what differs from the defaults."""
        options = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: value for name, (value, default) in options.items() if name == "channels" or value != default}

    def read(self, data: Any, name: str) -> Signal:
        """The sound in what `open_recording` takes: the bytes of a file, its `Path`, an array; or in a `Window` of it.

        Values are int16 where the file's are and are left as they are, else float32 in [-1, 1]. Fields: `rate`; `size`
        and `original_size`, samples of the signal and of the recording, `(n,)`; `length`, samples before the silence
        that fills up a last window; `clipped`, values that were beyond [-1, 1]; and of a window its `start`, in
        seconds. Raises `SampleError` with the reason for what is no sound, or not as it is wanted.
        """
        window = data if isinstance(data, Window) else None
        try:
            with open_recording(data if window is None else window.data, name, self.rate) as recording:
                return self._signal(recording, window)
        except SampleError as error:
            raise SampleError(f"{name}: {error}") from error

    def starts(self, data: Any, name: str) -> list[float]:
        """Where its segments begin, in seconds, by what the recording's header says. Raises as `read` does."""
        try:
            with open_recording(data, name, self.rate) as recording:
                rate, samples = self._extent(recording)
                step = self._step(rate, samples)
        except SampleError as error:
            raise SampleError(f"{name}: {error}") from error
        return [start / rate for start in range(0, samples, step)]

    def _signal(self, recording: Recording, window: Window | None) -> Signal:
        rate, samples = self._extent(recording)
        exact = recording.exact and rate == recording.rate and recording.channels <= self.channels
        start, stop, step = 0, samples, samples
        if window is not None:
            step = self._step(rate, samples)
            start = round(window.start * rate)
            stop = min(start + step, samples)
            if start >= stop:
                raise SampleError(f"it has {samples} samples at a rate of {rate}, and no segment at {window.start:g} s")
        if step > self.max_samples:
            raise SampleError(
                f"{step} samples are more than the limit of {self.max_samples}: read it in segments (segment=10, in "
                "seconds), or raise max_samples"
            )
        values, clipped = _in_range(self._mixed(_decoded(recording, rate, start, stop, exact)))
        length = values.shape[1]
        if length < step:
            values = np.pad(values, ((0, 0), (0, step - length)))
        found: dict[str, Any] = {
            "rate": np.int32(rate),
            "size": (step,),
            "original_size": (recording.frames,),
            "length": np.int32(length),
            "clipped": np.int32(clipped),
        }
        return Signal(np.ascontiguousarray(values), found if window is None else {**found, "start": window.start})

    def _extent(self, recording: Recording) -> tuple[int, int]:
        """The rate at which a recording is read, and its samples a channel at that."""
        if recording.channels != self.channels and not (
            (self.mix == "mean" and recording.channels > 1) or (self.mix == "repeat" and recording.channels == 1)
        ):
            way = {1: "mix=mean makes one of them"}.get(self.channels) if recording.channels > 1 else "mix=repeat"
            raise SampleError(
                f"{recording.channels} channels, and the codec takes {self.channels}" + (f": {way}" if way else "")
            )
        if recording.frames < 1:
            raise SampleError("it holds no samples")
        rate = self.rate or recording.rate
        if rate == recording.rate:
            return rate, recording.frames
        samples = (2 * recording.frames * rate + recording.rate) // (2 * recording.rate)
        if not samples:
            raise SampleError(f"so short that nothing of it is left at {rate} samples a second")
        return rate, samples

    def _step(self, rate: int, samples: int) -> int:
        """Samples of a segment, of so many in all."""
        if not rate:
            raise SampleError("nothing says its samples a second, to cut it into seconds: give rate")
        step = round(self.segment * rate) if self.segment else 0
        if step < 1:
            raise SampleError(f"a segment of {self.segment} s has no samples at {rate} samples a second")
        if samples > step * _MOST_SEGMENTS:
            raise SampleError(f"its header says {samples} samples: more segments than any recording has")
        return step

    def _mixed(self, values: NDArray[Any]) -> NDArray[Any]:
        """`[samples, its channels]` to `[channels, samples]`."""
        if values.shape[1] > self.channels:
            values = values.mean(1, dtype=np.float32, keepdims=True)
        return np.repeat(values.T, self.channels // values.shape[1], 0)


def _decoded(recording: Recording, rate: int, start: int, stop: int, exact: bool) -> NDArray[Any]:
    """Samples `start` up to `stop` of a recording at a rate, `[samples, channels]`, as reading all of it gives them."""
    dtype, have = "int16" if exact else "float32", recording.rate
    if rate == have:
        return recording.decode(start, stop, dtype)
    # What is resampled begins where a sample of both rates lies, and reaches further than the filter does.
    together = have // math.gcd(have, rate)
    reach = -(-_REACH * have // min(have, rate))
    first = max(0, (start * have // rate - reach) // together * together)
    last = min(recording.frames, -(-stop * have // rate) + reach)
    skipped = start - first * rate // have
    values: NDArray[Any] = need("soxr", "audio").resample(recording.decode(first, last, dtype), have, rate)
    values = values[skipped : skipped + stop - start]
    return np.pad(values, ((0, stop - start - len(values)), (0, 0)))  # by a sample, where rounding took one


def _in_range(values: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Values in [-1, 1], and how many were beyond."""
    if values.dtype == np.int16:
        return values, 0
    loudest = np.abs(values).max()
    if not loudest <= _LOUDEST:  # so is NaN
        raise SampleError(
            f"its loudest value is {loudest:g}, and full scale is 1: scale it, or see whether it is damaged"
            if np.isfinite(loudest)
            else "it holds values that are no numbers"
        )
    clipped = int(np.count_nonzero(np.abs(values) > 1)) if loudest > 1 else 0
    return (values.clip(-1, 1) if clipped else values).astype(np.float32, copy=False), clipped
