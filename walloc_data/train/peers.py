"""Formats that codecs are compared with: each a way to bytes and back, at qualities of its own."""

import io
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

__all__ = ["Peer", "image_peers", "sound_peers"]

_Values = NDArray[Any]
_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)


class Peer(NamedTuple):
    """A format: its `qualities` from small files to large ones, and how values become bytes and are read again.

    Values are pixels, uint8 `[H, W, C]`, or sound, float32 `[samples, C]`, of so many samples a second.
    """

    name: str
    qualities: tuple[float, ...]
    encode: Callable[[_Values, float, int], bytes]
    decode: Callable[[bytes, int], _Values]


def image_peers() -> tuple[list[Peer], list[str]]:
    """The formats that can be written here, and a sentence for each that cannot."""
    found = [Peer("JPEG", (10, 20, 35, 50, 70, 85, 93), _saving("JPEG", subsampling=2, optimize=True), _read)]
    missing = []
    for name, feature, peer in (
        ("WebP", "webp", Peer("WebP", (5, 20, 40, 60, 80, 92), _saving("WEBP", method=6), _read)),
        ("JPEG 2000", "jpg_2000", Peer("JPEG 2000", (120, 80, 50, 30, 18, 10), _jpeg_2000, _read)),
        ("AVIF", "avif", Peer("AVIF", (15, 30, 45, 60, 75, 87), _saving("AVIF", speed=6), _read)),
    ):
        if features.check(feature):
            found.append(peer)
        else:
            missing.append(f"{name} is left out: this Pillow was built without it")
    if find_spec("imagecodecs") is None:
        missing.append("JPEG XL is left out: pip install imagecodecs")
    else:
        found.append(Peer("JPEG XL", (12, 8, 5, 3, 2, 1), _jpeg_xl, _read_jpeg_xl))
    return found, missing


def sound_peers() -> tuple[list[Peer], list[str]]:
    """The same of sound."""
    if find_spec("soundfile") is None or find_spec("soxr") is None:
        return [], ["MP3, Opus and Vorbis are left out: pip install soundfile soxr"]
    return [
        Peer("MP3", (0.8, 0.7, 0.6, 0.4, 0.2), _recording("MP3", "MPEG_LAYER_III", bitrate_mode="CONSTANT"), _heard),
        Peer("Opus", (0.95, 0.9, 0.8, 0.65, 0.5), _recording("OGG", "OPUS"), _heard),
        Peer("Vorbis", (1.0, 0.9, 0.7, 0.5, 0.3), _recording("OGG", "VORBIS"), _heard),
    ], []


def _image(pixels: _Values) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def _saving(form: str, **options: Any) -> Callable[[_Values, float, int], bytes]:
    def encode(pixels: _Values, quality: float, rate: int) -> bytes:
        file = io.BytesIO()
        _image(pixels).save(file, form, quality=int(quality), **options)
        return file.getvalue()

    return encode


def _jpeg_2000(pixels: _Values, ratio: float, rate: int) -> bytes:
    file = io.BytesIO()
    mct = int(pixels.shape[-1] == 3)
    _image(pixels).save(file, "JPEG2000", quality_mode="rates", quality_layers=[ratio], irreversible=True, mct=mct)
    return file.getvalue()


def _read(data: bytes, rate: int) -> _Values:
    with Image.open(io.BytesIO(data)) as image:
        pixels = np.array(image.convert("L" if image.mode == "L" else "RGB"))
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _jpeg_xl(pixels: _Values, distance: float, rate: int) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.jpegxl_encode(pixels, distance=distance, effort=7))


def _read_jpeg_xl(data: bytes, rate: int) -> _Values:
    import imagecodecs

    pixels = np.asarray(imagecodecs.jpegxl_decode(data))
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _recording(form: str, subtype: str, **options: Any) -> Callable[[_Values, float, int], bytes]:
    def encode(values: _Values, level: float, rate: int) -> bytes:
        import soundfile
        import soxr

        if subtype == "OPUS" and rate not in _OPUS_RATES:
            values, rate = soxr.resample(values, rate, _OPUS_RATES[-1]), _OPUS_RATES[-1]
        file = io.BytesIO()
        made = {"format": form, "subtype": subtype, "compression_level": level, **options}
        with soundfile.SoundFile(file, "w", rate, values.shape[1], **made) as writer:
            writer.write(values)
        return file.getvalue()

    return encode


def _heard(data: bytes, rate: int) -> _Values:
    import soundfile
    import soxr

    values, own = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    return values if own == rate else np.asarray(soxr.resample(values, own, rate))
