"""A sample of sound as a picture, and as files to listen to."""

import io
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from walloc_data.report.fields import number_of
from walloc_data.report.spectrogram import draw_spectrogram

__all__ = ["draw_sound", "pcm_of", "rate_of", "wav_of", "write_sounds"]

_MOST_RATE = 10_000_000  # samples a second, as readers take them


def draw_sound(decoded: Tensor, original: Tensor | None, fields: Mapping[str, Any]) -> list[Image.Image]:
    """The spectrogram of sound `[C, samples]` below its original's."""
    sounds = {"decoded": decoded.numpy()}
    if original is not None:
        sounds = {"original": original.numpy(), **sounds}
    return [draw_spectrogram(sounds, int(number_of(fields, "rate")), number_of(fields, "start"))]


def rate_of(fields: Mapping[str, Any]) -> int:
    """Samples a second, 0 where a dataset says none that a WAV can say."""
    rate = int(number_of(fields, "rate"))
    return rate if rate <= _MOST_RATE else 0


def pcm_of(sound: Tensor) -> NDArray[np.int16]:
    """Sound `[C, samples]` in [-1, 1] as files hold it: int16 `[samples, C]`."""
    return np.asarray((sound.numpy().T * 32768).round().clip(-32768, 32767).astype("<i2"))


def write_sounds(stem: Path, decoded: Tensor, original: Tensor | None, fields: Mapping[str, Any]) -> list[Path]:
    """Write `STEM.wav` and `STEM.original.wav`, 16-bit PCM; nothing where no rate is known that a WAV can say."""
    rate, written = rate_of(fields), []
    for end, x in ((".wav", decoded), (".original.wav", original)):
        if rate and x is not None:
            path = stem.with_name(stem.name + end)
            path.write_bytes(wav_of(pcm_of(x), rate))
            written.append(path)
    return written


def wav_of(pcm: NDArray[np.int16], rate: int) -> bytes:
    """A WAV of int16 `[samples, C]`."""
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(pcm.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.tobytes())
    return data.getvalue()
