"""Which formats of images are read, and how large an image may be."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib import import_module

from PIL import Image

from walloc_data.errors import SampleError

__all__ = ["image_formats", "image_suffixes", "most_pixels"]

_LIMIT = threading.RLock()
_LEFT_OUT = frozenset(  # which Pillow leaves to other programs; and a plug-in's, which gives gray with alpha scrambled
    ("BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF", "JXL")
)
_HABITS = frozenset(("", ".jfi", ".jif", ".jpg_large", ".jpeg_large", ".mpo", ".pjp", ".pjpeg", ".png_large"))


@lru_cache(maxsize=1)
def image_formats() -> tuple[str, ...]:
    """Names of the formats that are read: all that Pillow reads by itself, and HEIF where pillow-heif is installed."""
    Image.preinit()  # so that the usual formats are tried first
    with suppress(ImportError):
        import_module("pillow_heif").register_heif_opener()
    Image.init()
    return tuple(name for name in Image.ID if name not in _LEFT_OUT)


@lru_cache(maxsize=1)
def image_suffixes() -> frozenset[str]:
    """Suffixes of image files, in lower case with their dot; also none at all, as many a data set has it."""
    formats = image_formats()
    return _HABITS | {suffix for suffix, name in Image.registered_extensions().items() if name in formats}


@contextmanager
def most_pixels(number: int) -> Iterator[None]:
    """Pillow with a limit of its own of about `number` pixels, and its former one at the end. One thread at a time."""
    with _LIMIT:
        former, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, (number + 1) // 2  # it refuses twice as many
        try:
            yield
        except Image.DecompressionBombError as error:
            raise SampleError(f"more pixels than the limit of {number}") from error
        finally:
            Image.MAX_IMAGE_PIXELS = former
