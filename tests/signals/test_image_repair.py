import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.image_files import RAMP_RGB, chunk, icc_profile, read, rgb_png, tiff
from tests.photographs import window
from walloc_data.errors import SampleError

PHOTO = window("chelsea", 3, (96, 64))
STORED = RAMP_RGB.transpose(2, 0, 1)
TURN = b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\3\0\0\0\0\0\0"  # an EXIF whose orientation is 3
LARGE = zlib.compress(bytes(2 << 20))


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


BROKEN = {
    "exif": chunk(b"eXIf", b"garbage"),
    "exif of wrong numbers": chunk(b"eXIf", TURN[:10] + b"\xff" * 20),
    "exif as text": chunk(b"tEXt", b"Raw profile type exif\0\nexif\n  10\nzz no hex"),
    "large text": chunk(b"zTXt", b"k\0\0" + LARGE),
    "large international text": chunk(b"iTXt", b"k\0\1\0\0\0" + LARGE),
    "text of no method": chunk(b"zTXt", b"k\0\5x"),
    "large profile": chunk(b"iCCP", b"k\0\0" + LARGE),
    "profile of no method": chunk(b"iCCP", b"k\0\1x"),
    "profile without a name": chunk(b"iCCP", b"k"),
    "crc of text": chunk(b"tEXt", b"a\0b", damaged=True),
    "crc of transparency": chunk(b"tRNS", bytes(6), damaged=True),
    "crc of an unknown chunk": chunk(b"prVt", b"abc", damaged=True),
    "short gamma": chunk(b"gAMA", b"\0"),
    "short chromaticities": chunk(b"cHRM", b"\0"),
    "short pixel size": chunk(b"pHYs", b"\0"),
    "short rendering intent": chunk(b"sRGB"),
    "short transparency": chunk(b"tRNS", b"\0"),
    "short animation": chunk(b"acTL", b"\0"),
    "short frame": chunk(b"fcTL", b"\0"),
    "frames out of order": chunk(b"fcTL", bytes([0, 0, 0, 9]) + bytes(22)),
    "a name that is no text": chunk(b"a\xe9bc", b"x"),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_ancillary_chunks_of_a_png_never_decide(broken):
    assert np.array_equal(read(rgb_png(before=broken)), STORED)
    assert np.array_equal(read(rgb_png(after=broken)), STORED)


@pytest.mark.parametrize("name", ["large text", "large profile", "short pixel size", "crc of text", "short animation"])
def test_what_is_whole_beside_a_broken_chunk_counts(name):
    assert np.array_equal(read(rgb_png(chunk(b"eXIf", TURN) + BROKEN[name])), STORED[:, ::-1, ::-1])


@pytest.mark.parametrize("broken", [b"", *BROKEN.values()], ids=["nothing else", *BROKEN.keys()])
def test_the_picture_of_a_png_does_decide(broken):
    whole = rgb_png(broken)
    start = whole.index(b"IDAT") + 8
    for data in (whole[:start], whole.replace(b"IDAT", b"IDAX"), whole[:start] + bytes(12) + whole[start + 12 :]):
        with pytest.raises(SampleError):
            read(data)


EXIFS = [b"garbage", b"II*\0", TURN[:8], TURN[:10] + b"\xff" * 20, TURN.replace(b"\1\x12\0\3", b"\1\x12\0\2")]


@pytest.mark.parametrize("exif", EXIFS)
@pytest.mark.parametrize("kind", ["WEBP", "JPEG", "PNG"])
def test_an_orientation_that_cannot_be_read_is_upright(kind, exif):
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(
        read(saved(PHOTO, kind, exif=b"Exif\0\0" + exif, **options)), read(saved(PHOTO, kind, **options))
    )


def test_a_broken_exif_costs_no_avif():
    exif = Image.Exif()
    exif[0x013B] = "somebody"
    whole = saved(PHOTO, "AVIF", exif=exif)
    broken = whole.replace(b"MM\0*", b"none").replace(b"II*\0", b"none")
    assert broken != whole
    assert np.array_equal(read(broken), read(saved(PHOTO, "AVIF")))


def test_odd_tags_cost_no_tiff():
    values = RAMP_RGB.astype("<u1")
    exif, xmp = (34665, 4, 1, struct.pack("<I", 1 << 31)), (700, 2, 6, b"text!\0")
    resolution = (282, 5, 1, bytes(8))
    profile = (34675, 2, 6, b"none!\0")
    endless = (270, 2, 1 << 31, struct.pack("<I", 8))
    for tag in (exif, xmp, resolution, profile, endless):
        assert np.array_equal(read(tiff(values, 2, tags=[tag])), STORED)
    for orientation in (0, 9, 65535):
        assert np.array_equal(read(tiff(values, 2, tags=[(274, 3, 1, struct.pack("<H", orientation))])), STORED)
    assert np.array_equal(read(tiff(values, 2, tags=[(274, 2, 6, b"three\0")])), STORED)


SEGMENTS = [
    (0xE0, b"JFIF\0"),
    (0xE1, b"Exif\0\0garbage"),
    (0xE1, b"http://ns.adobe.com/xap/1.0/\0<broken"),
    (0xE2, b"ICC_PROFILE\0"),
    (0xE2, b"ICC_PROFILE\0\1\2part"),
    (0xE2, b"MPF\0garbage"),
    (0xE2, b"MPF\0II*\0\x08\0\0\0\1\0\1\xb0\7\0\4\0\0\0\xff\xff\xff\xff"),
    (0xED, b"Photoshop 3.0\0" + b"8BIM\3\xed"),
    (0xED, b"Photoshop 3.0\0" + b"8BIM\3\xed\0\0\0\0\0\2ab"),
    (0xEE, b"Adobe"),
    (0xFE, b""),
]


@pytest.mark.parametrize(
    ("marker", "content"), SEGMENTS, ids=[content[:30].decode("latin-1") for _, content in SEGMENTS]
)
def test_application_segments_of_a_jpeg_never_decide(marker, content):
    whole = saved(PHOTO, "JPEG")
    segment = b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content
    assert np.array_equal(read(whole[:2] + segment + whole[2:]), read(whole))
    assert np.array_equal(read(whole[:20] + segment + whole[20:]), read(whole))


@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"quality": 30}, {"restart_marker_blocks": 3}], ids=str)
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_that_lacks_only_its_end_marker_is_read(mode, options):
    whole = saved(PHOTO.convert(mode), "JPEG", **options)
    for lost in (1, 2):
        assert np.array_equal(read(whole[:-lost]), read(whole))
    for lost in (4, 6, 20, len(whole) // 3):
        with pytest.raises(SampleError, match="truncated"):
            read(whole[:-lost])


def test_a_progressive_jpeg_that_lacks_its_end_is_refused_since_whole_scans_may_be_missing():
    with pytest.raises(SampleError, match="truncated"):
        read(saved(PHOTO, "JPEG", progressive=True)[:-2])


def test_of_an_animation_the_first_frame_is_read():
    frames = [PHOTO, Image.new("RGB", PHOTO.size), Image.new("RGB", PHOTO.size, "red")]
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})):
        data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert np.array_equal(read(data), np.asarray(PHOTO).transpose(2, 0, 1))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_damage_in_metadata_changes_no_pixel(kind):
    exif, profile = Image.Exif(), icc_profile()
    exif[0x013B], exif[0x010E] = "somebody", "a photograph"
    options = {"WEBP": {"lossless": True}}.get(kind, {})
    data = saved(PHOTO, kind, exif=exif, icc_profile=profile, **options)
    whole = read(data, color="stored")
    name, start = data.index(b"somebody"), data.find(profile[8:90])
    places = [*range(name - 26 * (kind != "TIFF"), name + 8), *range(start, start + 100 * (start > 0))]
    rng = np.random.default_rng(0)
    for _ in range(40):
        damaged = bytearray(data)
        for place in rng.choice(places, 4):
            damaged[place] = rng.integers(0, 256)
        pixels = read(bytes(damaged), color="stored")
        turns = [
            side[:, ::up, ::left] for side in (whole, whole.transpose(0, 2, 1)) for up in (1, -1) for left in (1, -1)
        ]
        assert any(np.array_equal(pixels, turned) for turned in turns)
