"""Sound that numpy makes, and files of it."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import soundfile


def sound(seconds: float, rate: int = 8000, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Chirps in a little noise: float32 `[channels, samples]` in [-1, 1]."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    low, rise = rng.uniform(100, 300, (2, channels, 1))
    chirps = np.sin(2 * np.pi * (low * time + rise * time**2))
    return (0.5 * chirps + 0.01 * rng.normal(size=chirps.shape)).astype(np.float32)


def file_of(values: np.ndarray, rate: int = 8000, format: str = "WAV", subtype: str | None = None) -> bytes:
    """The bytes of a file of `[channels, samples]`."""
    file = io.BytesIO()
    soundfile.write(file, values.T, rate, format=format, subtype=subtype)
    return file.getvalue()


def write(path: Path, values: np.ndarray, rate: int = 8000, **options: Any) -> Path:
    """A file of `[channels, samples]`, of the format that its suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        file_of(values, rate, format={"aif": "AIFF"}.get(path.suffix[1:], path.suffix[1:].upper()), **options)
    )
    return path
