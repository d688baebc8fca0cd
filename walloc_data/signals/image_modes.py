"""Images of any mode as flat ones of 8 bits, also where Pillow's mode does not say what the numbers of a file mean."""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from walloc_data.errors import SampleError

__all__ = ["flatten", "settle"]

_TRANSPARENT = ("RGBA", "LA", "PA", "RGBa", "La")
_LOOSE_ALPHA = ("BMP", "CUR", "DDS", "DIB", "ICO", "SGI", "TGA", "TIFF")  # many of whose writers leave alpha at zero
_BITS, _PHOTOMETRIC, _PLANAR, _FORMAT = 258, 262, 284, 339  # tags of TIFF
_NATIVE = {"F;32BF": "F;32NF", "I;32BS": "I;32NS"}
_TGA_FOOTER, _TGA_ATTRIBUTES = b"TRUEVISION-XFILE.\0", 494
_JPEG2000_START = b"\xff\x4f\xff\x51"


def settle(image: Image.Image, data: bytes) -> Image.Image:
    """An opened image whose mode says all: 0 is black, integers are of 8 or 16 bits and floats in 0 to 1, alpha counts.

    `data` is its file. A TIFF comes as it is stored, not yet upright. Raises `SampleError` where nothing says what the
    numbers mean, or Pillow gets them wrong.
    """
    settled = _SETTLE.get(image.format or "")
    return image if settled is None else settled(image, data)


def flatten(image: Image.Image) -> Image.Image:
    """A settled image as L, RGB or CMYK: deeper samples rounded to 8 bits, transparency laid on white."""
    deep, clear = image.mode.startswith("I") or image.mode == "F", image.info.get("transparency")
    if deep and clear is not None:
        return Image.fromarray(np.where(np.asarray(image) == clear, np.uint8(255), _to_8_bits(image)))
    if deep:
        return Image.fromarray(_to_8_bits(image))
    if image.mode in _TRANSPARENT or clear is not None:
        gray, loose = image.mode in ("1", "L", "LA", "La"), image.format in _LOOSE_ALPHA
        image = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        if not (loose and image.getchannel("A").getextrema() == (0, 0)):
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = image.convert("RGB")
        return image.convert("L") if gray else image
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _to_8_bits(image: Image.Image) -> NDArray[np.uint8]:
    values: NDArray[Any] = np.asarray(image)
    if image.mode == "F":
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
            raise SampleError("floating-point pixels are not in 0 to 1")
        rounded: NDArray[Any] = np.rint(values * 255)
    else:
        if values.min() < 0 or values.max() > 65535:
            raise SampleError("integer pixels are not in 0 to 65535")
        rounded = (values.astype(np.uint32) + 128) // 257
    return rounded.astype(np.uint8)


def _tiff(image: Any, data: bytes) -> Image.Image:
    tags = image.tag_v2
    bits, sample_format = tags.get(_BITS, (1,))[0], tags.get(_FORMAT, (1,))[0]
    if sample_format == 2 and bits <= 16:
        raise SampleError(f"a TIFF of signed samples of {bits} bits, which do not say what is black and what is white")
    raw_mode = image.tile[0][3][0]
    if image.tile[0][0] == "libtiff" and raw_mode in _NATIVE:  # it gives this machine's order of bytes, not the file's
        image.tile = [_with_mode(tile, _NATIVE[raw_mode]) for tile in image.tile]
    elif (
        image.tile[0][0] == "raw" and tags.get(_PLANAR, 1) == 2 and bits == 16
    ):  # Pillow takes the planes for ones of 8 bits
        order = ";16B" if tags.prefix == b"MM" else ";16L"
        image.tile = [_with_mode(tile, tile[3][0] + order) for tile in image.tile]
    # Turning upright is the reader's, whom orientations that cannot be read do not stop.
    image.load_end = lambda: None
    image.load()
    stored: Image.Image = image.copy()
    if raw_mode == "I;12":
        values = np.asarray(stored).astype(np.uint32)
        stored = Image.fromarray(((values * 65535 + 2047) // 4095).astype(np.uint16))
    if tags.get(_PHOTOMETRIC, 0) == 0 and stored.mode in ("F", "I;16"):  # of which zero is white
        values = np.asarray(stored)
        stored = Image.fromarray(1 - values if stored.mode == "F" else 65535 - values)
    stored.format = "TIFF"
    return stored


def _with_mode(tile: Any, raw_mode: str) -> Any:
    arguments = (raw_mode, *tile[3][1:])
    return tile._replace(args=arguments) if hasattr(tile, "_replace") else (*tile[:3], arguments)


def _png(image: Image.Image, data: bytes) -> Image.Image:
    bits, clear = data[24], image.info.get("transparency")
    if bits < 8 and image.mode == "L" and clear is not None and clear < 1 << bits:
        image.info["transparency"] = clear * 255 // ((1 << bits) - 1)  # as Pillow stretches the pixels
    if bits == 16 and image.mode == "RGB" and clear is not None:
        raise SampleError(
            "a PNG of 16 bits a colour with one colour transparent, whose lower bits Pillow does not keep"
        )
    return image


def _tga(image: Image.Image, data: bytes) -> Image.Image:
    """Alpha counts if the extension says so, and where there is none, if the header counts bits of it."""
    image.load()
    if image.mode not in ("RGBA", "LA"):
        return image
    meaning = 3 if data[17] & 15 else 0
    if data.endswith(_TGA_FOOTER):
        place = struct.unpack("<I", data[-26:-22])[0] + _TGA_ATTRIBUTES
        if _TGA_ATTRIBUTES < place < len(data):
            meaning = data[place]
    if meaning == 4 and image.mode == "RGBA":  # multiplied already
        whole = Image.frombytes("RGBa", image.size, image.tobytes()).convert("RGBA")
        whole.format = image.format
        return whole
    return image if meaning == 3 else _opaque(image, data)


def _jpeg2000(image: Image.Image, data: bytes) -> Image.Image:
    start = max(0, data.find(_JPEG2000_START))
    components = int.from_bytes(data[start + 40 : start + 42], "big")
    bits = max(((value & 127) + 1 for value in data[start + 42 : start + 42 + 3 * components : 3]), default=8)
    if bits > 8 and image.mode != "I;16":
        raise SampleError(f"a JPEG 2000 of {bits} bits in colour or with alpha, of which Pillow turns white to black")
    return image if b"cdef" in data[:start] else _opaque(image, data)  # no channel is defined to be alpha


def _fits(image: Image.Image, data: bytes) -> Image.Image:
    if image.mode.startswith("I"):
        raise SampleError("a FITS file of integers of more than 8 bits, whose zero and scale Pillow does not read")
    return image


def _psd(image: Image.Image, data: bytes) -> Image.Image:
    """A PSD's picture lies on white already, and a fourth channel may be any selection; of bits, 1 is black."""
    return ImageChops.invert(image) if image.mode == "1" else _opaque(image, data)


def _opaque(image: Image.Image, data: bytes) -> Image.Image:
    return image.convert({"RGBA": "RGB", "LA": "L"}[image.mode]) if image.mode in ("RGBA", "LA") else image


def _xbm(image: Image.Image, data: bytes) -> Image.Image:
    return ImageChops.invert(image)  # 1 is the colour of the pen


_SETTLE: dict[str, Callable[[Any, bytes], Image.Image]] = {
    "FITS": _fits,
    "JPEG2000": _jpeg2000,
    "PNG": _png,
    "PSD": _psd,
    "TGA": _tga,
    "TIFF": _tiff,
    "XBM": _xbm,
}
