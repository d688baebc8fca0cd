"""What codecs of sound are held against: Opus and MP3 at a given number of bytes (PyAV), FLAC (soundfile)."""

import io
from fractions import Fraction
from functools import partial

import av
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

__all__ = ["LOSSY", "Sound", "decode", "encode", "flac", "near", "resampled"]

Sound = NDArray[np.float32]  # [channels, samples] in [-1, 1]
LOSSY = {"Opus": ("ogg", "libopus", {"vbr": "constrained"}), "MP3": ("mp3", "libmp3lame", {"abr": "1"})}
_TRIES, _NEAR = 4, 0.01
_LEAST_MP3 = 36_000  # bits a second at the rates of CDs; for fewer, sound is brought to half the rate, as LAME does
_LAG = 4096  # samples by which a decoder may be late


def encode(name: str, x: Sound, rate: int, bit_rate: float) -> bytes:
    """A file of sound, at a rate that the codec takes."""
    container, codec, options = LOSSY[name]
    layout, file = {1: "mono", 2: "stereo"}[len(x)], io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout=layout, options=options)
        stream.bit_rate = round(bit_rate)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(x), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        resampler = av.AudioResampler(format=stream.codec_context.format.name, layout=layout, rate=rate)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return file.getvalue()


def decode(data: bytes) -> tuple[Sound, int]:
    """The sound in a file, and its rate."""
    with av.open(io.BytesIO(data)) as container:
        frames = list(container.decode(audio=0))
    parts = [frame.to_ndarray() for frame in frames]
    channels = frames[0].layout.nb_channels
    if not frames[0].format.is_planar:
        parts = [part.reshape(-1, channels).T for part in parts]
    x = np.concatenate(parts, 1)
    return (x / 32768 if x.dtype == np.int16 else x).astype(np.float32), frames[0].sample_rate


def near(name: str, x: Sound, rate: int, size: int) -> tuple[int, Sound]:
    """The bytes of the file nearest to a size, and what it decodes to, brought to the rate and the place of `x`."""
    seconds = x.shape[1] / rate
    wanted = 8 * size / seconds
    used = {"Opus": 48000 if rate > 16000 else rate, "MP3": rate // 2 if wanted < _LEAST_MP3 and rate > 16000 else rate}
    given, bit_rate, best = resampled(x, rate, used[name]), max(500.0, wanted), b""
    for _ in range(_TRIES):
        data = encode(name, given, used[name], bit_rate)
        if not best or abs(len(data) - size) < abs(len(best) - size):
            best = data
        if abs(len(data) / size - 1) < _NEAR:
            break
        bit_rate = float(np.clip(bit_rate * size / len(data), 500, 256_000))
    decoded, its_rate = decode(best)
    return len(best), _aligned(resampled(decoded, its_rate, rate), x)


def flac(x: Sound, rate: int) -> bytes:
    """A file of FLAC, 16 bits a sample, at its usual level."""
    file = io.BytesIO()
    soundfile.write(file, np.clip(np.round(x.T * 32768), -32768, 32767).astype(np.int16), rate, format="FLAC")
    return file.getvalue()


def resampled(x: Sound, rate: int, other: int) -> Sound:
    """Sound at another rate."""
    return x if rate == other else np.ascontiguousarray(np.asarray(soxr.resample(x.T, rate, other), np.float32).T)


def _aligned(decoded: Sound, x: Sound) -> Sound:
    """What was decoded, moved to where it fits best, and as long as `x`."""
    size = 1 << (x.shape[1] + 2 * _LAG).bit_length()
    spectra = map(partial(np.fft.rfft, n=size), (decoded.sum(0), x.sum(0)))
    first, second = spectra
    match = np.fft.irfft(first * second.conj(), size)
    lag = int(np.argmax(np.concatenate([match[-_LAG:], match[:_LAG]]))) - _LAG
    moved = np.pad(decoded, ((0, 0), (max(0, -lag), x.shape[1])))[:, max(0, lag) :]
    return moved[:, : x.shape[1]]
