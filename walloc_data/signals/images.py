"""Images: whatever Pillow reads, as uint8 arrays."""

import io
import warnings
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from walloc_data.errors import SampleError, SourceError
from walloc_data.signals.signal import Signal

__all__ = ["ImageReader"]

_SUFFIXES = frozenset(
    (
        ".avif",
        ".bmp",
        ".gif",
        ".j2k",
        ".jp2",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".pbm",
        ".pgm",
        ".png",
        ".pnm",
        ".ppm",
        ".tga",
        ".tif",
        ".tiff",
        ".webp",
    )
)
_RESIZES, _CROPS = ("shorter", "squash", "none"), ("center", "none")
_TRANSPARENT = ("RGBA", "LA", "PA", "RGBa", "La")
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ALWAYS = ("channels", "size", "resize", "crop", "max_pixels")  # what manifests hold whatever it is
_DRAFT_GAP = 2  # the JPEG decoder may shrink to no less than this many times the wanted size


@dataclass(frozen=True, kw_only=True)
class ImageReader:
    """How image files become signals.

    `channels` is 3 (RGB) or 1 (gray, ITU-R 601). With a `size`, `resize="shorter"` brings the shorter side
    to it, `"squash"` both, `"none"` neither; `crop="center"` then cuts the square of `size` in the
    middle. Images are turned upright by their EXIF orientation, transparency is laid on white, and
    deeper samples than 8 bits are rounded to 8. Larger images than `max_pixels` are refused unread.
    """

    kind: ClassVar[str] = "image"
    dims: ClassVar[int] = 2
    suffixes: ClassVar[frozenset[str]] = _SUFFIXES

    channels: int = 3
    size: int | None = 256
    resize: str = "shorter"
    crop: str = "center"
    max_pixels: int = 1 << 28

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise SourceError(f"images are read with 1 or 3 channels, and the codec wants {self.channels}")
        if self.resize not in _RESIZES or self.crop not in _CROPS:
            raise SourceError(f"resize is one of {_RESIZES} and crop one of {_CROPS}")
        if self.size is not None and not 1 <= self.size <= 1 << 15:
            raise SourceError(f"size={self.size} is not in 1 to {1 << 15} pixels")
        if self.max_pixels < 1:
            raise SourceError(f"max_pixels={self.max_pixels} would refuse every image")

    def config(self) -> dict[str, Any]:
        """Its options, for the manifest; those that come later only where they differ from their defaults."""
        options = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: value for name, (value, default) in options.items() if name in _ALWAYS or value != default}

    def read(self, data: Any, name: str) -> Signal:
        """The image in the bytes of a file: uint8 `[C, H, W]`, its `size` and that of the upright file (H, W).

        Pillow's images are taken too, and arrays of uint8, `[H, W]` or `[H, W, C]`. Raises `SampleError` with the
        reason where `data` holds no image.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow warns of large images, odd EXIF and palettes; all are handled
                with _opened(data) as image:
                    return self._convert(image)
        except SampleError as error:
            raise SampleError(f"{name}: {error}") from error
        except UnidentifiedImageError as error:
            raise SampleError(f"{name}: not an image that Pillow knows") from error
        except Image.DecompressionBombError as error:
            raise SampleError(f"{name}: more pixels than Pillow opens (twice PIL.Image.MAX_IMAGE_PIXELS)") from error
        except (OSError, ValueError, SyntaxError, EOFError, OverflowError) as error:
            raise SampleError(f"{name}: {_reason(error)}") from error
        except MemoryError:
            raise  # of the machine, not of the picture
        except (
            Exception
        ) as error:  # a decoder plug-in may raise anything on a damaged file; one sample must not end a run
            raise SampleError(f"{name}: {type(error).__name__}: {error}") from error

    def _convert(self, image: Image.Image) -> Signal:
        if image.width * image.height > self.max_pixels:
            raise SampleError(f"{image.width} x {image.height} pixels are more than the limit of {self.max_pixels}")
        if image.format == "TIFF":
            image.load()  # turns itself upright and forgets its orientation in doing so
        orientation = image.getexif().get(_ORIENTATION, 1)
        width, height = image.size
        size = self._resized(width, height)
        if self.crop == "none" and size[0] * size[1] > self.max_pixels:
            raise SampleError(f"{size[0]} x {size[1]} pixels once resized: more than the limit of {self.max_pixels}")
        if size != (width, height):
            # Shrinking in the JPEG decoder is nearly free; the rest is left to a filter that does not alias.
            # Gray comes for less from a file of luma and chroma (JFIF); of others it takes one channel for gray.
            gray = self.channels == 1 and "jfif" in image.info
            image.draft("L" if gray else image.mode, (size[0] * _DRAFT_GAP, size[1] * _DRAFT_GAP))
        flat = _flatten(image, self.channels)
        flat = self._resize_and_crop(flat, size)
        if orientation in _UPRIGHT:
            flat = flat.transpose(_UPRIGHT[orientation])
        pixels = np.asarray(flat).reshape(flat.height, flat.width, self.channels).transpose(2, 0, 1)
        upright = (width, height) if orientation in (5, 6, 7, 8) else (height, width)
        return Signal(np.array(pixels, order="C"), {"size": pixels.shape[1:], "original_size": upright})

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        """Width and height after resizing, before cropping."""
        if self.size is None or self.resize == "none":
            return width, height
        if self.resize == "squash":
            return self.size, self.size
        scale = self.size / min(width, height)
        return max(self.size, round(width * scale)), max(self.size, round(height * scale))

    def _resize_and_crop(self, image: Image.Image, size: tuple[int, int]) -> Image.Image:
        """The middle of `image` as it would be were it resized to `size` first; only the middle is."""
        width, height = size
        if self.size is not None and self.crop == "center":
            width, height = min(width, self.size), min(height, self.size)
        if (width, height) == image.size:
            return image
        span = image.width * width / size[0], image.height * height / size[1]
        left, top = (image.width - span[0]) / 2, (image.height - span[1]) / 2
        if size == image.size:
            left, top = int(left), int(top)
            return image.crop((left, top, left + width, top + height))
        return image.resize((width, height), Image.Resampling.BICUBIC, box=(left, top, left + span[0], top + span[1]))


def _opened(data: Any) -> Image.Image:
    if isinstance(data, bytes):
        return Image.open(io.BytesIO(data))
    if isinstance(data, Image.Image):
        return data.copy()  # the caller's is not to be closed
    if isinstance(data, np.ndarray):
        return Image.fromarray(data)
    raise SampleError(f"an image is the bytes of a file, an array or an image of Pillow, not {type(data).__name__}")


def _flatten(image: Image.Image, channels: int) -> Image.Image:
    """An image of any mode as RGB or gray of 8 bits."""
    if image.mode.startswith("I") or image.mode == "F":
        image = _to_8_bits(image)
    elif image.mode in _TRANSPARENT or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    elif image.mode not in ("RGB", "L"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    return image.convert("L" if channels == 1 else "RGB")


def _to_8_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if image.mode == "F":
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
            raise SampleError("floating-point pixels are not in 0 to 1")
        return Image.fromarray(np.rint(values * 255).astype(np.uint8))
    if values.min() < 0 or values.max() > 65535:
        raise SampleError("integer pixels are not in 0 to 65535")
    return Image.fromarray(np.rint(values / 257).astype(np.uint8))


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
