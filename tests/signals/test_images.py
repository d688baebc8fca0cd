import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.photographs import window
from walloc_data.errors import SampleError, SourceError
from walloc_data.signals import ImageReader

PHOTO = window("chelsea", 3, (96, 64))
WHOLE = ImageReader(size=None)
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def read(reader, path):
    return reader.read(path.read_bytes(), str(path))


def array(image):
    values = np.asarray(image)
    return values[None] if values.ndim == 2 else values.transpose(2, 0, 1)


def saved(path, image, **options):
    image.save(path, **options)
    return path


def loaded(path, mode):
    with Image.open(path) as image:
        return image.convert(mode)


def distance(one, other):
    assert one.shape == other.shape
    return float(np.abs(one.astype(float) - other).mean())


def gray16(image):
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "webp", "ppm", "gif", "tga", "jp2"])
def test_every_format_reads_as_pillow_converts_it(tmp_path, suffix, channels):
    path = saved(tmp_path / f"a.{suffix}", PHOTO, **({"lossless": True} if suffix == "webp" else {}))
    expected = array(loaded(path, "RGB").convert("RGB" if channels == 3 else "L"))
    picture = read(ImageReader(channels=channels, size=None), path)
    assert np.array_equal(picture.values, expected)
    assert picture.values.dtype == np.uint8
    assert picture.fields["original_size"] == (64, 96)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        ("1", "png"), ("L", "png"), ("P", "png"), ("P", "gif"), ("RGB", "png"), ("CMYK", "tif"),
        ("YCbCr", "tif"), ("L", "jpg"), ("CMYK", "jpg"), ("YCbCr", "jpg"), ("1", "tif"), ("L", "tif"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 3])
def test_opaque_modes(tmp_path, mode, suffix, channels):
    path = saved(tmp_path / f"a.{suffix}", PHOTO.convert(mode))
    picture = read(ImageReader(channels=channels, size=None), path)
    expected = array(loaded(path, "RGB").convert("RGB" if channels == 3 else "L"))
    assert distance(picture.values, expected) < 1
    assert len(picture.values) == channels


def half_clear(mode):
    image = PHOTO.convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(PHOTO.size))
    return image.convert(mode)


@pytest.mark.parametrize(("mode", "suffix"), [("RGBA", "png"), ("LA", "png"), ("RGBA", "webp"), ("RGBA", "tif")])
def test_transparency_is_laid_on_white(tmp_path, mode, suffix):
    path = saved(tmp_path / f"a.{suffix}", half_clear(mode), **({"lossless": True} if suffix == "webp" else {}))
    rgba = np.asarray(loaded(path, "RGBA")).astype(float)
    alpha = rgba[..., 3:] / 255
    expected = (rgba[..., :3] * alpha + 255 * (1 - alpha)).transpose(2, 0, 1)
    assert np.abs(read(WHOLE, path).values - expected).max() <= 1.5


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_a_transparent_palette_entry_is_white(tmp_path, suffix):
    image = PHOTO.convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
    clear = np.asarray(image) == 0
    pixels = read(WHOLE, saved(tmp_path / f"a.{suffix}", image, transparency=0)).values.transpose(1, 2, 0)
    assert clear.any()
    assert (pixels[clear] == 255).all()
    assert (pixels[~clear] == np.asarray(image.convert("RGB"))[~clear]).all()


def test_a_transparent_colour_of_an_rgb_png_is_white(tmp_path):
    colour = PHOTO.getpixel((5, 5))
    pixels = read(WHOLE, saved(tmp_path / "a.png", PHOTO, transparency=colour)).values
    assert pixels[:, 5, 5].tolist() == [255] * 3


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_are_rounded_to_8(tmp_path, suffix, channels):
    picture = read(ImageReader(channels=channels, size=None), saved(tmp_path / f"a.{suffix}", gray16(PHOTO)))
    assert np.array_equal(picture.values, np.repeat(array(PHOTO.convert("L")), channels, 0))


def test_32_bits(tmp_path):
    gray = np.asarray(PHOTO.convert("L"))
    whole = saved(tmp_path / "i.tif", Image.fromarray(gray.astype(np.int32) * 257))
    real = saved(tmp_path / "f.tif", Image.fromarray(gray.astype(np.float32) / 255))
    for path in (whole, real):
        assert np.array_equal(read(WHOLE, path).values[0], gray)


@pytest.mark.parametrize("value", [-1.0, 1.5, 255.0, float("nan"), float("inf")])
def test_floats_of_unknown_range_are_refused(tmp_path, value):
    path = saved(tmp_path / "f.tif", Image.fromarray(np.full((8, 8), value, np.float32)))
    with pytest.raises(SampleError, match="not in 0 to 1"):
        read(WHOLE, path)


@pytest.mark.parametrize("value", [-5, 70_000])
def test_integers_of_unknown_range_are_refused(tmp_path, value):
    path = saved(tmp_path / "i.tif", Image.fromarray(np.full((8, 8), value, np.int32)))
    with pytest.raises(SampleError, match="not in 0 to 65535"):
        read(WHOLE, path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(tmp_path, suffix, orientation):
    stored = PHOTO if orientation == 1 else PHOTO.transpose(TURNS[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"jpg": {"quality": 98, "subsampling": 0}, "webp": {"lossless": True}}.get(suffix, {})
    path = saved(tmp_path / f"a.{suffix}", stored, exif=exif, **options)
    picture = read(WHOLE, path)
    assert picture.fields["original_size"] == (64, 96)
    assert distance(picture.values, array(PHOTO)) < 2
    for size in (32, 16):  # 16 is small enough for the JPEG decoder to shrink the image
        small = read(ImageReader(size=size, crop="none"), path)
        expected = array(PHOTO.resize((size * 96 // 64, size), Image.Resampling.BICUBIC))
        assert small.fields["original_size"] == (64, 96)
        assert distance(small.values, expected) < 6


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_is_none_is_ignored(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = read(WHOLE, saved(tmp_path / "a.png", PHOTO, exif=exif))
    assert picture.fields["original_size"] == (64, 96)
    assert np.array_equal(picture.values, array(PHOTO))


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"])
def test_a_damaged_exif_does_not_cost_the_image(tmp_path, exif):
    picture = read(WHOLE, saved(tmp_path / "a.jpg", PHOTO, exif=exif))
    assert picture.values.shape == (3, 64, 96)


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"size": 32}, (32, 32)),
        ({"size": 32, "crop": "none"}, (32, 48)),
        ({"size": 32, "resize": "squash"}, (32, 32)),
        ({"size": 32, "resize": "squash", "crop": "none"}, (32, 32)),
        ({"size": 32, "resize": "none"}, (32, 32)),
        ({"size": 80, "resize": "none"}, (64, 80)),
        ({"size": 256, "resize": "none"}, (64, 96)),
        ({"size": 32, "resize": "none", "crop": "none"}, (64, 96)),
        ({"size": 256}, (256, 256)),
        ({"size": 256, "crop": "none"}, (256, 384)),
        ({"size": 256, "resize": "squash"}, (256, 256)),
        ({"size": 1}, (1, 1)),
        ({"size": None}, (64, 96)),
        ({"size": None, "resize": "none", "crop": "none"}, (64, 96)),
    ],
    ids=str,
)
def test_sizes(tmp_path, options, shape):
    for path in (saved(tmp_path / "a.png", PHOTO), saved(tmp_path / "a.jpg", PHOTO)):
        picture = read(ImageReader(**options), path)
        assert picture.values.shape == (3, *shape)
        assert picture.fields["original_size"] == (64, 96)


def test_the_crop_is_the_middle(tmp_path):
    path = saved(tmp_path / "a.png", PHOTO)
    assert np.array_equal(read(ImageReader(size=32, resize="none"), path).values, array(PHOTO)[:, 16:48, 32:64])
    whole = read(ImageReader(size=32, crop="none"), path).values
    assert distance(read(ImageReader(size=32), path).values, whole[:, :, 8:40]) < 1


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("options", [{}, {"keep_rgb": True}, {"progressive": True}], ids=str)
def test_the_decoders_own_shrinking_gives_nearly_the_same(tmp_path, channels, options):
    large = window("flower", 5, (250, 170)).resize((500, 340))
    jpeg = saved(tmp_path / "a.jpg", large, quality=95, **options)
    png = saved(tmp_path / "a.png", loaded(jpeg, "RGB"))
    reader = ImageReader(channels=channels, size=64)
    with_it, without = read(reader, jpeg), read(reader, png)
    assert with_it.fields["original_size"] == without.fields["original_size"] == (340, 500)
    assert distance(with_it.values, without.values) < 1.5


def test_a_long_image_does_not_become_a_huge_one(tmp_path):
    path = saved(tmp_path / "a.png", Image.new("L", (1, 60_000)))
    with pytest.raises(SampleError, match="once resized"):
        read(ImageReader(size=256, crop="none"), path)
    assert read(ImageReader(size=256), path).values.shape == (3, 256, 256)
    assert read(ImageReader(size=256, crop="none", max_pixels=1 << 32, resize="squash"), path).values.shape[1:] == (
        256,
        256,
    )


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(side):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def huge_bmp(side):
    return (
        b"BM"
        + struct.pack("<IHHI", 54, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
    )


def huge_gif(side):
    return b"GIF89a" + struct.pack("<HH", min(side, 65535), min(side, 65535)) + b"\x80\0\0" + bytes(6) + b";"


@pytest.mark.parametrize("make", [huge_png, huge_bmp, huge_gif])
@pytest.mark.parametrize("side", [12_000, 17_000, 32_000, 2**31 - 1])
def test_an_image_of_a_billion_pixels_is_refused_unread(tmp_path, make, side):
    path = tmp_path / "a.img"
    path.write_bytes(make(side))
    with pytest.raises(SampleError) as error:
        read(ImageReader(max_pixels=10_000_000), path)
    assert str(path) in str(error.value)


def test_max_pixels(tmp_path):
    path = saved(tmp_path / "a.png", PHOTO)
    assert read(ImageReader(size=32, max_pixels=96 * 64), path).values.shape == (3, 32, 32)
    with pytest.raises(SampleError, match="96 x 64 pixels are more than the limit of 6143"):
        read(ImageReader(size=32, max_pixels=96 * 64 - 1), path)


def jpeg(**options):
    buffer = io.BytesIO()
    PHOTO.resize((640, 480)).save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=str)
@pytest.mark.parametrize("size", [32, 256, None])
def test_truncated_jpegs_are_refused(tmp_path, options, size):
    data, path = jpeg(**options), tmp_path / "a.jpg"
    for share in (0.01, 0.1, 0.5, 0.9):
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(SampleError, match=r"a\.jpg: "):
            read(ImageReader(size=size), path)


@pytest.mark.parametrize(
    "data", [b"", b"Dear Sir,\n", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0"]
)
def test_what_is_no_image_is_refused(tmp_path, data):
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(SampleError, match=r"a\.jpg: "):
        read(WHOLE, tmp_path / "a.jpg")


def test_damaged_images_give_pixels_or_a_sample_error(tmp_path):
    rng = np.random.default_rng(0)
    for suffix in ("jpg", "png", "tif", "gif", "webp", "bmp"):
        data = saved(tmp_path / f"whole.{suffix}", PHOTO.resize((24, 16))).read_bytes()
        for _ in range(60):
            damaged = bytearray(data)
            for place in rng.integers(0, min(len(data), 400), 3):
                damaged[place] = rng.integers(0, 256)
            (tmp_path / f"a.{suffix}").write_bytes(damaged)
            try:
                picture = read(ImageReader(size=16, max_pixels=10_000), tmp_path / f"a.{suffix}")
            except SampleError:
                continue
            assert picture.values.shape == (3, 16, 16)


@pytest.mark.parametrize(
    "options",
    [
        {"channels": 2},
        {"size": 0},
        {"size": -1},
        {"size": 1 << 16},
        {"resize": "longer"},
        {"crop": "left"},
        {"max_pixels": 0},
        {"max_pixels": "many"},
        {"max_pixels": None},
        {"size": 64.0},
        {"size": "none"},
    ],
    ids=str,
)
def test_unusable_options_are_refused(options):
    with pytest.raises(SourceError):
        ImageReader(**options)


def test_numbers_of_numpy_are_numbers():
    assert ImageReader(size=np.int64(64)) == ImageReader(size=64)
    assert type(ImageReader(size=np.int64(64)).config()["size"]) is int
