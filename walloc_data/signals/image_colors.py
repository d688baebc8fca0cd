"""Colours of image files: what brings them to sRGB."""

import io
from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
from PIL import Image, ImageCms, features

from walloc_data.errors import SampleError

__all__ = ["to_srgb"]

_FLAT = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}  # by the colours that a profile says it is of
_SPACE = slice(16, 20)  # of a profile's bytes
_SAME = 3  # levels of 255 by which sRGB as various makers write it differs
_SCREEN, _SAME_GAMMA = 2.2, 0.05
_GAMMAS = 0.1, 10.0  # others are mistakes

_Convert = Callable[[Image.Image], Image.Image]


def to_srgb(image: Image.Image) -> _Convert | None:
    """What turns the flat L, RGB or CMYK form of an opened image to sRGB; None where its colours count as that already.

    Its profile decides, if it is of the image's own kind and can be read; for a PNG that has none, and no sRGB chunk,
    its gAMA. Matrix profiles cost about 1 ms an image of 256 x 256; what is found is kept for the next file with it.
    """
    profile = image.info.get("icc_profile")
    if isinstance(profile, bytes) and profile:
        mode = _FLAT.get(profile[_SPACE])
        return _by_profile(profile, mode) if mode is not None and mode == _flat_mode(image.mode) else None
    gamma = image.info.get("gamma")
    if image.format == "PNG" and isinstance(gamma, float) and "srgb" not in image.info:
        return _by_gamma(gamma)
    return None


def _flat_mode(mode: str) -> str | None:
    if mode in ("1", "L", "LA", "La", "F") or mode.startswith("I"):
        return "L"
    return {"CMYK": "CMYK", "LAB": None}.get(mode, "RGB")


@lru_cache(maxsize=16)
def _by_profile(profile: bytes, mode: str) -> _Convert | None:
    if not features.check("littlecms2"):
        raise SampleError("has a colour profile, and this Pillow is without LittleCMS: read with color='stored'")
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError):  # metadata never costs a picture
        return None
    convert = partial(_apply, transform)
    if mode == "CMYK":
        return convert
    steps = np.linspace(0, 255, 18).astype(np.uint8)
    grid = steps[None] if mode == "L" else np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
    change = np.abs(np.asarray(convert(Image.fromarray(grid))).astype(int) - grid).max()
    return None if change <= _SAME else convert


def _apply(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # it is only where an image is changed in place
    return converted.getchannel("G") if image.mode == "L" else converted


def _by_gamma(gamma: float) -> _Convert | None:
    if not _GAMMAS[0] <= gamma <= _GAMMAS[1] or abs(gamma * _SCREEN - 1) < _SAME_GAMMA:
        return None
    curve = np.rint(255 * (np.arange(256) / 255) ** (1 / (gamma * _SCREEN))).astype(int).tolist()
    return lambda image: image.point(curve * len(image.getbands()))
