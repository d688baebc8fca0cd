"""Sound as a picture: power by time and frequency, with its axes."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from walloc_data.report.captions import draw_caption

__all__ = ["draw_spectrogram", "hertz", "shaded", "spectrogram"]

_WIDTH, _HEIGHT, _MARGIN = 400, 96, 52  # pixels; of the margin, in which names and frequencies stand
_SECONDS, _MOST_LENGTH = 0.032, 14  # of a window; and the power of two that its samples are at most
_RANGE = 80.0  # dB below the loudest that still differ from silence
_QUIETEST = 1e-12  # power
_SHADES = ((0, 0, 8), (50, 18, 110), (150, 40, 120), (225, 85, 60), (250, 170, 50), (252, 250, 200))


def spectrogram(x: NDArray[np.floating], rate: int, columns: int = _WIDTH) -> NDArray[np.float64]:
    """Power in dB of sound `[C, samples]`, the mean of its channels: float64 `[frequencies, columns]`, from 0 to half
    the rate.

    Each column is one Hann window about 32 ms long, evenly from the whole: a short-time Fourier transform (Allen, 1977)
    of which no more is computed than is shown. A sine of amplitude 1 has 0 dB. What is shorter is filled with silence.
    """
    length = 1 << min(max(5, round(np.log2(max(1, rate) * _SECONDS))), _MOST_LENGTH)
    x = np.pad(x, ((0, 0), (0, max(0, length - x.shape[1]))))
    starts = np.linspace(0, x.shape[1] - length, columns).astype(np.int64)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(length) + 0.5) / length)
    power = np.zeros((columns, length // 2 + 1))
    for channel in x:
        windows = channel[starts[:, None] + np.arange(length)] * hann
        power += np.abs(np.fft.rfft(windows)) ** 2 / len(x)
    return np.asarray(10 * np.log10(power.T / (hann.sum() / 2) ** 2 + _QUIETEST))


def draw_spectrogram(sounds: dict[str, NDArray[np.floating]], rate: int, start: float = 0) -> Image.Image:
    """Sounds `[C, samples]` by name, one above the other, in one scale of shades: the first one's loudest is white.

    `rate` is samples a second (0: not known), `start` the second at which they begin.
    """
    panels = {name: spectrogram(x, rate) for name, x in sounds.items()}
    top = float(next(iter(panels.values())).max())
    picture = Image.new("RGB", (_MARGIN + _WIDTH, len(panels) * (_HEIGHT + 4) + 12), "white")
    draw = ImageDraw.Draw(picture)
    for number, (name, power) in enumerate(panels.items()):
        y = number * (_HEIGHT + 4)
        draw_caption(draw, (2, y), hertz(rate / 2) if rate else "")
        draw_caption(draw, (2, y + _HEIGHT // 2 - 6), name)
        draw_caption(draw, (2, y + _HEIGHT - 12), "0")
        picture.paste(shaded(power, top, (_WIDTH, _HEIGHT)), (_MARGIN, y))
    x = next(iter(sounds.values()))
    end = f"{start + x.shape[1] / rate:.4g} s" if rate else f"{x.shape[1]:,} samples"
    y = len(panels) * (_HEIGHT + 4) - 3
    draw_caption(draw, (_MARGIN, y), f"{start:.4g} s" if rate else "0")
    draw_caption(draw, (_MARGIN + _WIDTH - 7 * len(end), y), end)
    return picture


def shaded(power: NDArray[np.float64], top: float, size: tuple[int, int]) -> Image.Image:
    """Power in dB `[frequencies, columns]` as colours, low frequencies below: `top` is white, and 80 dB less black."""
    levels, at = (power - top) / _RANGE + 1, np.linspace(0, 1, len(_SHADES))
    colours = np.stack([np.interp(levels[::-1], at, shade) for shade in zip(*_SHADES, strict=True)], -1)
    return Image.fromarray(colours.astype(np.uint8)).resize(size, Image.Resampling.BOX)


def hertz(frequency: float) -> str:
    """A frequency as people read it."""
    return f"{frequency / 1000:.4g} kHz" if frequency >= 1000 else f"{frequency:.4g} Hz"
