import io
import struct

import numpy as np
import pytest
from PIL import Image

from tests.image_files import RAMP, RAMP_RGB, chunk, png, read, rgb_png, shown, tga, tiff
from walloc_data.errors import SampleError

ORDERS = ["<", ">"]


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def packed(values):
    """As PackBits, of runs that repeat nothing."""
    data = values.tobytes()
    return b"".join(bytes([len(data[k : k + 128]) - 1]) + data[k : k + 128] for k in range(0, len(data), 128))


def test_a_tiff_of_12_bits_is_not_16_times_too_dark():
    values = (np.arange(4096) % 4096).reshape(64, 64)
    raw = bytearray()
    for one, two in values.reshape(-1, 2).tolist():
        raw += bytes([one >> 4, (one & 15) << 4 | two >> 8, two & 255])
    assert np.array_equal(shown(tiff(values.astype("<u2"), 1, bits=12, raw=bytes(raw))), np.rint(values * 255 / 4095))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("dtype", "white"), [("u1", 255), ("u2", 65535), ("f4", 1), ("i4", 65535)])
@pytest.mark.parametrize("photometric", [0, 1])
def test_a_tiff_says_whether_zero_is_white_and_which_byte_comes_first(compressed, order, dtype, white, photometric):
    values = RAMP * white / 255
    values = (white - values if photometric == 0 else values).astype(order + dtype)
    data = tiff(values, photometric, raw=packed(values), compression=32773) if compressed else tiff(values, photometric)
    if photometric == 0 and (dtype == "i4" or (dtype == "u2" and order == ">")):
        with pytest.raises(SampleError, match="not an image that Pillow knows"):
            read(data)
    else:
        assert np.array_equal(shown(data), RAMP)


@pytest.mark.parametrize(("dtype", "bits"), [("i1", 8), ("<i2", 16), (">i2", 16)])
def test_signed_samples_of_a_tiff_are_refused(dtype, bits):
    with pytest.raises(SampleError, match=f"signed samples of {bits} bits"):
        read(tiff((RAMP // 2).astype(dtype), 1))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("dtype", "factor"), [("u1", 1), ("u2", 257)])
@pytest.mark.parametrize("planar", [1, 2])
def test_planes_of_a_tiff(order, dtype, factor, planar):
    data = tiff((RAMP_RGB * factor).astype(order + dtype), 2, planar=planar)
    assert np.array_equal(read(data), RAMP_RGB.transpose(2, 0, 1))


@pytest.mark.parametrize("extra", [1, 2])
def test_alpha_of_gray_in_a_tiff(extra):
    half = np.full_like(RAMP, 128)
    stored = RAMP * 128 // 255 if extra == 1 else RAMP  # 1: multiplied already
    expected = RAMP * 128 / 255 + 127
    data = tiff(np.stack([stored, half], -1).astype("u1"), 1, extra=extra)
    assert np.abs(shown(data) - expected).max() <= 2


def bmp(alpha):
    pixels = np.dstack([RAMP, RAMP, RAMP, np.full_like(RAMP, alpha)]).astype(np.uint8).tobytes()
    head = struct.pack("<IiiHHIIiiII", 108, 8, -8, 1, 32, 3, len(pixels), 0, 0, 0, 0)
    head += struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head = head.ljust(108, b"\0")
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(pixels), 0, 0, 14 + len(head)) + head + pixels


def rgba_tiff(alpha):
    return tiff(np.dstack([RAMP, RAMP, RAMP, np.full_like(RAMP, alpha)]).astype("u1"), 2)


@pytest.mark.parametrize("make", [bmp, rgba_tiff, lambda alpha: tga(RAMP, alpha, attributes=8)])
def test_alpha_that_is_zero_everywhere_says_nothing(make):
    assert np.array_equal(shown(make(0)), RAMP)
    assert np.abs(shown(make(128)) - (RAMP * 128 / 255 + 127)).max() <= 1


def test_a_png_that_is_clear_everywhere_is_white():
    data = saved(Image.fromarray(np.zeros((8, 8, 4), np.uint8)), "PNG")
    assert (shown(data) == 255).all()


@pytest.mark.parametrize(
    ("attributes", "meaning", "counts"),
    [(0, None, False), (8, None, True), (8, 0, False), (8, 1, False), (8, 2, False), (8, 3, True), (0, 3, True)],
)
def test_a_tga_says_whether_its_alpha_counts(attributes, meaning, counts):
    expected = RAMP * 128 / 255 + 127 if counts else RAMP
    assert np.abs(shown(tga(RAMP, 128, attributes=attributes, meaning=meaning)) - expected).max() <= 1


def test_a_tga_multiplied_with_its_alpha():
    data = tga(RAMP * 128 // 255, 128, attributes=8, meaning=4)
    assert np.abs(shown(data) - (RAMP * 128 / 255 + 127)).max() <= 2


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_transparent_gray_of_a_png_is_white_at_every_depth(bits):
    most = (1 << bits) - 1
    values = np.arange(64).reshape(8, 8) % (most + 1)
    if bits == 16:
        rows = [row.astype(">u2").tobytes() for row in values]
    else:
        digits = (values[..., None] >> np.arange(bits)[::-1]) & 1
        rows = [np.packbits(row).tobytes() for row in digits.reshape(8, -1).astype(np.uint8)]
    expected = np.rint(values * (255 / most))
    assert np.array_equal(shown(png(rows, (8, 8), bits, 0)), expected)
    clear = chunk(b"tRNS", struct.pack(">H", 1))
    assert np.array_equal(shown(png(rows, (8, 8), bits, 0, clear)), np.where(values == 1, 255, expected))


def test_a_transparent_colour_of_16_bits_is_refused():
    rows = [row.astype(">u2").tobytes() for row in RAMP_RGB * 257]
    assert np.array_equal(read(png(rows, (8, 8), 16, 2)), RAMP_RGB.transpose(2, 0, 1))
    with pytest.raises(SampleError, match="16 bits a colour"):
        read(png(rows, (8, 8), 16, 2, chunk(b"tRNS", bytes(6))))
    assert np.array_equal(read(rgb_png(chunk(b"tRNS", struct.pack(">3H", 1, 2, 3)))), RAMP_RGB.transpose(2, 0, 1))


def fits(bits, values):
    cards = ["SIMPLE  =                    T", f"BITPIX  = {bits}", "NAXIS   = 2", "NAXIS1  = 8", "NAXIS2  = 8", "END"]
    return "".join(card.ljust(80) for card in cards).encode().ljust(2880) + values[::-1].tobytes().ljust(2880, b"\0")


def test_integers_of_a_fits_file_are_refused_beyond_8_bits():
    assert np.array_equal(shown(fits(8, RAMP.astype("u1"))), RAMP)
    assert np.array_equal(shown(fits(-32, (RAMP / 255).astype(">f4"))), RAMP)
    for bits, dtype in ((16, ">i2"), (32, ">i4")):
        with pytest.raises(SampleError, match="FITS"):
            read(fits(bits, RAMP.astype(dtype)))


def deeper(jp2, bits):
    """A JPEG 2000 file that says that its samples have other bits; of a constant 0, they may."""
    start = jp2.index(b"\xff\x4f\xff\x51")
    count = int.from_bytes(jp2[start + 40 : start + 42], "big")
    data = bytearray(jp2)
    data[start + 42 : start + 42 + 3 * count : 3] = bytes([bits - 1]) * count
    return bytes(data)


def test_a_jpeg_2000_deeper_than_8_bits_in_colour_is_refused():
    black = saved(Image.new("RGB", (8, 8)), "JPEG2000")
    assert (shown(black) == 0).all()
    with pytest.raises(SampleError, match="JPEG 2000 of 12 bits"):
        read(deeper(black, 12))
    gray = Image.fromarray((RAMP * 257).astype(np.uint16))
    assert np.array_equal(shown(saved(gray, "JPEG2000", irreversible=False)), RAMP)


def test_alpha_of_a_jpeg_2000_counts_if_a_channel_is_said_to_be_alpha():
    image = Image.fromarray(np.dstack([RAMP, RAMP, RAMP, np.full_like(RAMP, 128)]).astype(np.uint8))
    jp2 = saved(image, "JPEG2000")
    assert b"cdef" in jp2
    assert np.abs(shown(jp2) - (RAMP * 128 / 255 + 127)).max() <= 1
    assert np.array_equal(shown(jp2[jp2.index(b"\xff\x4f\xff\x51") :]), RAMP)


def test_bits_of_an_xbm_and_a_psd_are_black():
    bits = np.arange(64).reshape(8, 8) % 3 == 0
    numbers = ",".join(f"0x{byte:02x}" for byte in np.packbits(bits, bitorder="little", axis=1).ravel())
    xbm = f"#define x_width 8\n#define x_height 8\nstatic char x_bits[] = {{\n{numbers}}};\n".encode()
    psd = b"8BPS" + struct.pack(">H6xHIIHH", 1, 1, 8, 8, 1, 0) + bytes(12) + bytes(2) + np.packbits(bits).tobytes()
    for data in (xbm, psd):
        assert np.array_equal(shown(data) == 0, bits)


def test_a_fourth_channel_of_a_psd_may_be_anything():
    planes = b"".join(plane.astype(np.uint8).tobytes() for plane in (RAMP, RAMP, RAMP, np.full_like(RAMP, 9)))
    psd = b"8BPS" + struct.pack(">H6xHIIHH", 1, 4, 8, 8, 8, 3) + bytes(12) + bytes(2) + planes
    assert np.array_equal(shown(psd), RAMP)


@pytest.mark.parametrize("most", [255, 1023, 4095, 65535])
def test_any_depth_of_a_pnm(most):
    dtype = "u1" if most == 255 else ">u2"
    gray = b"P5 8 8 %d\n" % most + (RAMP * most // 255).astype(dtype).tobytes()
    colour = b"P6 8 8 %d\n" % most + (RAMP_RGB * most // 255).astype(dtype).tobytes()
    assert np.array_equal(shown(gray), RAMP)
    assert np.array_equal(read(colour), RAMP_RGB.transpose(2, 0, 1))
