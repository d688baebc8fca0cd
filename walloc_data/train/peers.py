"""Image formats that codecs are compared with: each a way to bytes and back, at qualities of its own."""

import io
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

__all__ = ["Peer", "image_peers"]


class Peer(NamedTuple):
    """A format: its `qualities` from small files to large ones, and how pixels `uint8 [H, W, C]` become bytes and are
    read again."""

    name: str
    qualities: tuple[float, ...]
    encode: Callable[[NDArray[np.uint8], float], bytes]
    decode: Callable[[bytes], NDArray[np.uint8]]


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


def _image(pixels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def _saving(form: str, **options: Any) -> Callable[[NDArray[np.uint8], float], bytes]:
    def encode(pixels: NDArray[np.uint8], quality: float) -> bytes:
        file = io.BytesIO()
        _image(pixels).save(file, form, quality=int(quality), **options)
        return file.getvalue()

    return encode


def _jpeg_2000(pixels: NDArray[np.uint8], ratio: float) -> bytes:
    file = io.BytesIO()
    mct = int(pixels.shape[-1] == 3)
    _image(pixels).save(file, "JPEG2000", quality_mode="rates", quality_layers=[ratio], irreversible=True, mct=mct)
    return file.getvalue()


def _read(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as image:
        pixels = np.array(image.convert("L" if image.mode == "L" else "RGB"))
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _jpeg_xl(pixels: NDArray[np.uint8], distance: float) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.jpegxl_encode(pixels, distance=distance, effort=7))


def _read_jpeg_xl(data: bytes) -> NDArray[np.uint8]:
    import imagecodecs

    pixels = np.asarray(imagecodecs.jpegxl_decode(data))
    return pixels[..., None] if pixels.ndim == 2 else pixels
