"""Image files: finding them, and turning whatever Pillow reads into uint8 arrays."""

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from walloc_data.errors import SampleError, SourceError

__all__ = ["IMAGE_SUFFIXES", "ImageReader", "Picture", "list_images"]

IMAGE_SUFFIXES = frozenset(
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
_DRAFT_GAP = 2  # the JPEG decoder may shrink to no less than this many times the wanted size


@dataclass(frozen=True)
class Picture:
    """An image as read: `pixels` uint8 `[C, H, W]`, and `original_size` (H, W) of the upright file."""

    pixels: NDArray[np.uint8]
    original_size: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class ImageReader:
    """How image files become signals.

    `channels` is 3 (RGB) or 1 (gray, ITU-R 601). With a `size`, `resize="shorter"` brings the shorter side
    to it, `"squash"` both, `"none"` neither; `crop="center"` then cuts the square of `size` in the
    middle. Images are turned upright by their EXIF orientation, transparency is laid on white, and
    deeper samples than 8 bits are rounded to 8. Larger images than `max_pixels` are refused unread.
    """

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

    def read(self, path: str | os.PathLike[str]) -> Picture:
        """The image in a file. Raises `SampleError` with the reason where there is none."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow warns of large images, odd EXIF and palettes; all are handled
                with Image.open(path) as image:
                    return self._convert(image)
        except SampleError as error:
            raise SampleError(f"{os.fspath(path)}: {error}") from error
        except UnidentifiedImageError as error:
            raise SampleError(f"{os.fspath(path)}: not an image that Pillow knows") from error
        except Image.DecompressionBombError as error:
            raise SampleError(
                f"{os.fspath(path)}: more pixels than Pillow opens (twice PIL.Image.MAX_IMAGE_PIXELS)"
            ) from error
        except (OSError, ValueError, SyntaxError, EOFError, MemoryError, OverflowError) as error:
            raise SampleError(f"{os.fspath(path)}: {_reason(error)}") from error
        except (
            Exception
        ) as error:  # a decoder plug-in may raise anything on a damaged file; one sample must not end a run
            raise SampleError(f"{os.fspath(path)}: {type(error).__name__}: {error}") from error

    def _convert(self, image: Image.Image) -> Picture:
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
        return Picture(np.array(pixels, order="C"), upright)

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


def list_images(folder: str | os.PathLike[str]) -> list[Path]:
    """Image files below a folder, by suffix, in the order of their paths; nothing hidden (`.name`) is listed.

    Raises `SourceError` for no folder, or one that cannot be listed.
    """
    if not Path(folder).is_dir():
        raise SourceError(f"{os.fspath(folder)} is not a folder")
    return sorted(_walk(Path(folder)), key=lambda path: path.as_posix())


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".") and not _leads_back(Path(root, name))]
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES:
                yield Path(root, name)


def _leads_back(folder: Path) -> bool:
    """Whether a folder is a link to one that it lies in, which a walk would never come out of."""
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())


def _refuse(error: OSError) -> None:
    raise SourceError(f"{os.fsdecode(error.filename)}: cannot be listed ({error.strerror})") from error
