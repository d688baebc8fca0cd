import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.image_files import ADOBE, RAMP, RAMP_RGB, SRGB, chunk, cmyk_profile, icc_profile, png, read, rgb_png, shown
from tests.photographs import window
from walloc_data import ImageReader
from walloc_data.errors import SourceError

PHOTO = window("chelsea", 3, (96, 64))
LOSSLESS = [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})]


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def linear(pixels):
    values = pixels / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def adobe_to_srgb(pixels):
    """By the two colour spaces' own formulas, `[..., 3]`."""
    to_xyz = [np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T for primaries in (ADOBE, SRGB)]
    white = np.array([0.95047, 1.0, 1.08883])
    ours, srgb = (matrix * np.linalg.solve(matrix, white) for matrix in to_xyz)
    values = np.clip((pixels / 255) ** 2.2 @ (np.linalg.inv(srgb) @ ours).T, 0, 1)
    return 255 * np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize(("kind", "options"), LOSSLESS)
def test_colours_of_another_space_are_brought_to_srgb(kind, options):
    data = saved(PHOTO, kind, icc_profile=icc_profile(ADOBE), **options)
    expected = adobe_to_srgb(np.asarray(PHOTO).astype(float)).transpose(2, 0, 1)
    stored = np.asarray(PHOTO).transpose(2, 0, 1)
    assert np.abs(read(data) - expected).max() <= 2
    assert np.abs(stored - expected).max() > 20
    assert np.array_equal(read(data, color="stored"), stored)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [None, 32])
def test_a_jpeg_is_shrunk_cropped_and_converted(channels, size):
    large = window("flower", 5, (250, 170)).resize((500, 340))
    options = {"size": size, "channels": channels}
    if size is not None:
        options |= {"resize": "shorter", "crop": "center"}
    jpeg = saved(large, "JPEG", quality=95, icc_profile=icc_profile(ADOBE))
    decoded = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")).astype(float)
    converted = Image.fromarray(np.rint(adobe_to_srgb(decoded)).astype(np.uint8))
    expected = read(saved(converted, "PNG"), **options)
    assert np.abs(read(jpeg, **options).astype(float) - expected).mean() < 1.5


@pytest.mark.parametrize(
    "profile",
    [
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        icc_profile(gamma=None),
        b"",
        b"no profile",
        icc_profile(ADOBE)[:200],
        icc_profile(ADOBE).replace(b"rXYZ", b"none"),
        icc_profile(gray=True, gamma=1.0),
        cmyk_profile(),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
    ],
    ids=["srgb", "srgb by a table", "empty", "text", "truncated", "a tag short", "gray", "cmyk", "lab"],
)
@pytest.mark.parametrize(("kind", "options"), [*LOSSLESS, ("JPEG", {"quality": 95})])
def test_what_is_srgb_or_no_profile_of_the_image_changes_nothing(profile, kind, options):
    assert np.array_equal(read(saved(PHOTO, kind, icc_profile=profile, **options)), read(saved(PHOTO, kind, **options)))


def test_gray_by_a_profile_of_gray():
    profile = icc_profile(gamma=1.8, gray=True)
    expected = 255 * np.interp((RAMP / 255) ** 1.8, linear(np.arange(256)), np.arange(256) / 255)
    for image in (Image.fromarray(RAMP.astype(np.uint8)), Image.fromarray((RAMP * 257).astype(np.uint16))):
        data = saved(image, "PNG", icc_profile=profile)
        assert np.abs(shown(data) - expected).max() <= 1.5
        assert np.array_equal(shown(data, channels=1), shown(data))
    assert np.array_equal(shown(saved(image, "PNG", icc_profile=icc_profile(ADOBE))), RAMP)


def test_inks_by_a_profile_of_inks():
    inks = PHOTO.convert("CMYK")
    plain = read(saved(inks, "TIFF"))
    assert np.array_equal(plain, np.asarray(inks.convert("RGB")).transpose(2, 0, 1))
    pixels = read(saved(inks, "TIFF", icc_profile=cmyk_profile())).astype(int)
    assert (np.abs(pixels - np.median(pixels, axis=(1, 2), keepdims=True)).max(axis=0) <= 1).mean() > 0.9
    assert np.median(pixels[0]) > 2 * np.median(pixels[1])


def test_transparency_stays_white_whatever_the_profile():
    image = PHOTO.convert("RGBA")
    image.putalpha(0)
    assert (read(saved(image, "PNG", icc_profile=icc_profile(ADOBE))) == 255).all()


def gamma_chunk(value):
    return chunk(b"gAMA", struct.pack(">I", round(value * 100_000)))


def test_gamma_of_a_png():
    stored = RAMP_RGB.transpose(2, 0, 1)
    for before in (
        b"",
        gamma_chunk(1 / 2.2),
        gamma_chunk(0),
        gamma_chunk(20_000),
        gamma_chunk(1) + chunk(b"sRGB", b"\0"),
    ):
        assert np.array_equal(read(rgb_png(before)), stored)
    assert np.abs(read(rgb_png(gamma_chunk(1))) - 255 * (stored / 255) ** (1 / 2.2)).max() <= 0.5
    assert np.array_equal(read(rgb_png(gamma_chunk(1)), color="stored"), stored)
    gray = png([row.astype(np.uint8).tobytes() for row in RAMP], (8, 8), 8, 0, gamma_chunk(1))
    assert np.abs(shown(gray) - 255 * (RAMP / 255) ** (1 / 2.2)).max() <= 0.5


def test_a_profile_goes_before_gamma():
    data = saved(PHOTO, "PNG", icc_profile=icc_profile(gamma=None))
    head = data.index(b"IDAT") - 4
    assert np.array_equal(read(data[:head] + gamma_chunk(1) + data[head:]), np.asarray(PHOTO).transpose(2, 0, 1))


def test_colours_are_srgb_or_stored():
    with pytest.raises(SourceError, match="color is one of"):
        ImageReader(color="p3")
    assert "color" not in ImageReader().config()  # so that datasets of before it go on
    assert ImageReader(color="stored").config()["color"] == "stored"
