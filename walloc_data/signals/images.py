"""Images: whatever Pillow reads, as uint8 arrays."""

import io
import math
import operator
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from walloc_data.errors import SampleError, SourceError
from walloc_data.signals.crops import Box
from walloc_data.signals.framing import Framing
from walloc_data.signals.image_colors import to_srgb
from walloc_data.signals.image_formats import image_formats, image_suffixes, most_pixels
from walloc_data.signals.image_modes import flatten, settle
from walloc_data.signals.image_parts import squares
from walloc_data.signals.image_repair import repaired
from walloc_data.signals.signal import Signal

__all__ = ["ImageReader"]

_Make: TypeAlias = Callable[[Image.Image, bytes], Any]
_COLORS = ("srgb", "stored")
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
_TURNED_ASIDE = frozenset(_UPRIGHT[number] for number in (5, 6, 7, 8))
_DRAFT_GAP = 2  # the JPEG decoder may shrink to no less than this many times the wanted size


@dataclass(frozen=True, kw_only=True)
class ImageReader:
    """How image files become signals.

    `channels` is 3 (RGB) or 1 (gray, ITU-R 601). With a `size`, `resize="shorter"` brings the shorter side
    to it, `"squash"` both, `"none"` neither; `crop="center"` then cuts the square of `size` in the
    middle. Images are turned upright by their EXIF orientation, transparency is laid on white, and
    deeper samples than 8 bits are rounded to 8. Larger images than `max_pixels` are refused unread.
    `color="srgb"` brings colours to sRGB where the file says that they are others; `"stored"` takes its numbers.
    """

    kind: ClassVar[str] = "image"
    dims: ClassVar[int] = 2
    suffixes: ClassVar[frozenset[str]] = image_suffixes()

    channels: int = 3
    size: int | None = 256
    resize: str = "shorter"
    crop: str = "center"
    max_pixels: int = 1 << 28
    color: str = "srgb"

    def __post_init__(self) -> None:
        for name in ("channels", "size", "max_pixels"):
            value = getattr(self, name)
            if name == "size" and value is None:
                continue
            try:
                object.__setattr__(self, name, operator.index(value))
            except TypeError as error:
                raise SourceError(f"{name}={value!r} is not a whole number") from error
        if self.channels not in (1, 3):
            raise SourceError(f"images are read with 1 or 3 channels, and the codec wants {self.channels}")
        Framing(self.size, self.resize, self.crop)
        if self.color not in _COLORS:
            raise SourceError(f"color is one of {_COLORS}")
        if not isinstance(self.max_pixels, int) or self.max_pixels < 1:
            raise SourceError(f"max_pixels={self.max_pixels!r} is no number of pixels, or would refuse every image")

    def config(self) -> dict[str, Any]:
        """Its options, for the manifest; those that come later only where they differ from their defaults."""
        options = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: value for name, (value, default) in options.items() if name in _ALWAYS or value != default}

    def read(self, data: Any, name: str) -> Signal:
        """The image in the bytes of a file: uint8 `[C, H, W]`, its `size` and that of the upright file (H, W).

        Pillow's images are taken too, and arrays `[H, W]`, `[H, W, C]` or `[C, H, W]` of uint8, or of floats in 0 to 1.
        Raises `SampleError` with the reason where `data` holds no image.
        """
        signal: Signal = self._made(data, name, self._convert)
        return signal

    def views(self, data: Any, name: str, boxes: Callable[[int, int], Sequence[Box]]) -> list[Signal]:
        """Parts of the image, each brought to `size` x `size`: see `Viewing`. Boxes are of the upright image."""
        signals: list[Signal] = self._made(data, name, partial(self._convert_parts, boxes))
        return signals

    def _made(self, data: Any, name: str, make: _Make) -> Any:
        """What `make` makes of an image that is open. Raises `SampleError`."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow warns of large images, odd EXIF and palettes; all are handled
                return self._read_file(data, make) if isinstance(data, bytes) else make(_image(data), b"")
        except SampleError as error:
            raise SampleError(f"{name}: {error}") from error
        except UnidentifiedImageError as error:
            raise SampleError(f"{name}: not an image that Pillow knows") from error
        except (OSError, ValueError, SyntaxError, EOFError, OverflowError) as error:
            raise SampleError(f"{name}: {_reason(error)}") from error
        except MemoryError:
            raise  # of the machine, not of the picture
        except Exception as error:  # plug-ins may raise anything on a damaged file; one sample must not end a run
            raise SampleError(f"{name}: {type(error).__name__}: {error}") from error

    def _read_file(self, data: bytes, make: _Make) -> Any:
        try:
            return self._open(data, make)
        except (SampleError, MemoryError):
            raise
        except Exception:
            for whole in repaired(data):
                try:
                    return self._open(whole, make)
                except (SampleError, MemoryError):
                    raise
                except Exception:
                    continue
            raise

    def _open(self, data: bytes, make: _Make) -> Any:
        try:
            with Image.open(io.BytesIO(data), formats=image_formats()) as image:
                return make(image, data)
        except Image.DecompressionBombError:
            with most_pixels(self.max_pixels), Image.open(io.BytesIO(data), formats=image_formats()) as image:
                return make(image, data)

    def _measured(self, image: Image.Image) -> tuple[int, int, Image.Transpose | None]:
        """Width and height as it is stored, and what turns it upright. Raises `SampleError` where it is too large."""
        width, height = _stored_size(image)
        if width * height > self.max_pixels:
            raise SampleError(f"{width} x {height} pixels are more than the limit of {self.max_pixels}")
        if image.format == "PNG":
            image.load()  # its EXIF may follow the picture, whose faults must not pass for faults of the EXIF
        return width, height, _orientation(image)

    def _convert_parts(
        self, boxes: Callable[[int, int], Sequence[Box]], image: Image.Image, data: bytes
    ) -> list[Signal]:
        width, height, turn = self._measured(image)
        size, upright = self.size, (height, width) if turn in _TURNED_ASIDE else (width, height)
        if size is None:
            raise SampleError("parts of pictures are brought to one size, and none is given: size=256")
        chosen = boxes(*upright)
        shrink = _DRAFT_GAP * size / min(min(box.width, box.height) for box in chosen)
        convert = to_srgb(image) if self.color == "srgb" else None
        if shrink < 1:
            image.draft(image.mode, (math.ceil(width * shrink), math.ceil(height * shrink)))
        flat = flatten(settle(image, data))
        flat = self._in_channels(flat if convert is None else convert(flat))
        if turn is not None:
            flat = flat.transpose(turn)
        same = {"size": (size, size), "original_size": upright[::-1]}
        return [
            Signal(self._planes(part), {**same, "view": np.int32(number), "box": np.array(box, np.int32)})
            for number, (box, part) in enumerate(zip(chosen, squares(flat, chosen, upright, size), strict=True))
        ]

    def _convert(self, image: Image.Image, data: bytes) -> Signal:
        width, height, turn = self._measured(image)
        size = Framing(self.size, self.resize, self.crop).resized(width, height)
        if self.crop == "none" and size[0] * size[1] > self.max_pixels:
            raise SampleError(f"{size[0]} x {size[1]} pixels once resized: more than the limit of {self.max_pixels}")
        convert = to_srgb(image) if self.color == "srgb" else None
        if size != (width, height):
            # Shrinking in the JPEG decoder is nearly free; the rest is left to a filter that does not alias.
            # Gray comes for less from a file of luma and chroma (JFIF); of others it takes one channel for gray.
            gray = self.channels == 1 and "jfif" in image.info and convert is None
            image.draft("L" if gray else image.mode, (size[0] * _DRAFT_GAP, size[1] * _DRAFT_GAP))
        flat = flatten(settle(image, data))
        if convert is None:
            flat = self._in_channels(flat)
        flat = self._resize_and_crop(flat, size)
        if convert is not None:  # the fewer pixels, the less it costs
            flat = self._in_channels(convert(flat))
        if turn is not None:
            flat = flat.transpose(turn)
        pixels = self._planes(flat)
        upright = (width, height) if turn in _TURNED_ASIDE else (height, width)
        return Signal(pixels, {"size": pixels.shape[1:], "original_size": upright})

    def _planes(self, flat: Image.Image) -> NDArray[np.uint8]:
        rows = np.frombuffer(flat.tobytes("raw", "L" if self.channels == 1 else "RGB;L"), np.uint8)
        return np.array(rows.reshape(flat.height, self.channels, flat.width).transpose(1, 0, 2), order="C")

    def _in_channels(self, flat: Image.Image) -> Image.Image:
        mode = "L" if self.channels == 1 else "RGB"
        return flat if flat.mode == mode else flat.convert(mode)

    def _resize_and_crop(self, image: Image.Image, size: tuple[int, int]) -> Image.Image:
        """The middle of `image` as it would be were it resized to `size` first; only the middle is."""
        width, height = Framing(self.size, self.resize, self.crop).cropped(*size)
        if (width, height) == image.size:
            return image
        span = image.width * width / size[0], image.height * height / size[1]
        left, top = (image.width - span[0]) / 2, (image.height - span[1]) / 2
        if size == image.size:
            left, top = int(left), int(top)
            return image.crop((left, top, left + width, top + height))
        return image.resize((width, height), Image.Resampling.BICUBIC, box=(left, top, left + span[0], top + span[1]))


def _image(data: Any) -> Image.Image:
    if isinstance(data, Image.Image):
        return data.copy()  # the caller's is left as it is
    if isinstance(data, np.ndarray):
        return Image.fromarray(_pixels(data))
    raise SampleError(f"an image is the bytes of a file, an array or an image of Pillow, not {type(data).__name__}")


def _pixels(array: NDArray[Any]) -> NDArray[Any]:
    """An array as Pillow takes it: channels last, and none where there is one; floats in 0 to 1 as 8 bits."""
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise SampleError(f"an array of shape {list(array.shape)} is no image [H, W], [H, W, C] or [C, H, W]")
    if array.ndim == 3 and array.shape[2] > 4 >= array.shape[0]:
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.dtype.kind != "f" and array.dtype != np.uint8 and (array.ndim == 3 or array.dtype.kind not in "bu"):
        raise SampleError(f"an array of {array.dtype}: pixels are uint8, or floats in 0 to 1, or uint16 where gray")
    if array.dtype.kind == "f":
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise SampleError("floating-point pixels are not in 0 to 1")
        array = np.rint(array * 255).astype(np.uint8)
    return np.ascontiguousarray(array)


def _orientation(image: Image.Image) -> Image.Transpose | None:
    """What turns an image as it is stored upright; an orientation that cannot be read is upright."""
    try:
        tags = image.tag_v2 if isinstance(image, TiffImageFile) else image.getexif()
        return _UPRIGHT.get(tags.get(_ORIENTATION, 1))
    except MemoryError:
        raise  # of the machine
    except Exception:  # whatever Pillow raises on broken metadata
        return None


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """Width and height before turning upright, which Pillow gives turned for a TIFF."""
    return (image.tag_v2[256], image.tag_v2[257]) if isinstance(image, TiffImageFile) else image.size


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
