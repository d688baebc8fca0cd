"""A sample of sound as a picture, and as files to listen to."""

import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from walloc_data.report.fields import number_of
from walloc_data.report.spectrogram import draw_spectrogram

__all__ = ["draw_sound", "write_sounds"]

_MOST_RATE = 10_000_000  # samples a second, as readers take them


def draw_sound(decoded: Tensor, original: Tensor | None, fields: Mapping[str, Any]) -> list[Image.Image]:
    """The spectrogram of sound `[C, samples]` below its original's."""
    sounds = {"decoded": decoded.numpy()}
    if original is not None:
        sounds = {"original": original.numpy(), **sounds}
    return [draw_spectrogram(sounds, int(number_of(fields, "rate")), number_of(fields, "start"))]


def write_sounds(stem: Path, decoded: Tensor, original: Tensor | None, fields: Mapping[str, Any]) -> list[Path]:
    """Write `STEM.wav` and `STEM.original.wav`, 16-bit PCM; nothing where no rate is known that a WAV can say."""
    rate, written = int(number_of(fields, "rate")), []
    for end, x in ((".wav", decoded), (".original.wav", original)):
        if 0 < rate <= _MOST_RATE and x is not None:
            path = stem.with_name(stem.name + end)
            with wave.open(str(path), "wb") as file:
                file.setnchannels(len(x))
                file.setsampwidth(2)
                file.setframerate(rate)
                file.writeframes((x.numpy().T * 32768).round().clip(-32768, 32767).astype("<i2").tobytes())
            written.append(path)
    return written
