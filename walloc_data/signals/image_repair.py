"""Image files whose picture is whole though something else in them is not, as files that can be read."""

import io
import zlib
from collections.abc import Iterator
from typing import Literal

from PIL import Image

__all__ = ["repaired"]

_PNG_START, _JPEG_START, _JPEG_END, _JPEG_SCAN = b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"\xff\xd9", b"\xff\xda"
_CHUNKS = (  # ancillary ones of a PNG that are worth keeping
    (b"tRNS", b"iCCP", b"gAMA", b"sRGB", b"eXIf"),
    (b"tRNS", b"eXIf"),
    (b"tRNS",),
    (),
)
_SEGMENTS = ((b"JFIF\0", b"Adobe", b"Exif\0", b"ICC_PROFILE\0"), (b"JFIF\0", b"Adobe"), ())  # the same of a JPEG
_PICTURE_TAGS = frozenset(  # of a TIFF: size, samples, compression, colours, strips and tiles, orientation
    (256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 332, 338, 339)
    + (347, 512, 513, 514, 519, 520, 521, 529, 530, 531, 532)
)
_PROFILE_TAG = 34675
_LEAST_SEGMENT = 16  # bytes of a segment of JFIF or Adobe that is whole
_TAILS = b"", b"\x55\xaa\xf3" * 32


def repaired(data: bytes) -> Iterator[bytes]:
    """Files to try where that of `data` cannot be read, what leaves out least first.

    Only what is no part of the picture is left out: ancillary chunks of a PNG, application segments of a JPEG, tags of
    a TIFF that do not describe its pixels, the EXIF of an AVIF or HEIF. A JPEG that lacks its end marker and nothing
    else gets it.
    """
    tried = {data}
    for candidate in _candidates(data):
        if candidate not in tried:
            tried.add(candidate)
            yield candidate


def _candidates(data: bytes) -> Iterator[bytes]:
    if data.startswith(_PNG_START):
        yield from (_png_with(data, kept) for kept in _CHUNKS)
    elif data.startswith(_JPEG_START):
        if _lacks_only_its_end(data):
            yield data + _JPEG_END
        for kept in _SEGMENTS:
            lean = _jpeg_with(data, kept)
            yield lean + _JPEG_END if _lacks_only_its_end(lean) else lean
    elif data[:4] in (b"II*\0", b"MM\0*"):
        yield _tiff_with(data, _PICTURE_TAGS | {_PROFILE_TAG})
        yield _tiff_with(data, _PICTURE_TAGS)
    elif data[4:8] == b"ftyp":
        yield data.replace(b"Exif", b"skip", 1)  # the type of an item: those of unknown types are passed over


def _png_with(data: bytes, kept: tuple[bytes, ...]) -> bytes:
    parts, place = [_PNG_START], len(_PNG_START)
    while place + 8 <= len(data):
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        body, end = data[place + 4 : place + 8 + length], place + 12 + length
        whole = int.from_bytes(data[end - 4 : end], "big") == zlib.crc32(body)
        if not kind[0] & 0x20 or (kind in kept and whole):
            parts.append(data[place:end])
        place = end
    return b"".join(parts)


def _jpeg_with(data: bytes, kept: tuple[bytes, ...]) -> bytes:
    parts = [_JPEG_START]
    for marker, start, end in _segments(data):
        application = 0xE0 <= marker <= 0xEF or marker == 0xFE
        useful = data[start + 4 : end].startswith(kept) and end - start >= _LEAST_SEGMENT
        if not application or useful:
            parts.append(data[start:end])
    return b"".join(parts)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment of a JPEG; the first scan, or what is no segment, with all that follows."""
    place = len(_JPEG_START)
    while place < len(data):
        marker = data[place + 1] if data[place] == 0xFF and place + 4 <= len(data) else 0
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if marker == _JPEG_SCAN[1] or not 0xC0 <= marker < 0xFF:
            end = len(data)
        yield marker, place, end
        place = end


def _tiff_with(data: bytes, kept: frozenset[int]) -> bytes:
    """The first page alone, with some of its tags: their entries, of 12 bytes each, move up in their directory."""
    order: Literal["little", "big"] = "little" if data.startswith(b"II") else "big"
    start = int.from_bytes(data[4:8], order)
    count = int.from_bytes(data[start : start + 2], order)
    places = range(start + 2, start + 2 + 12 * count, 12)
    entries = [data[place : place + 12] for place in places]
    entries = [entry for entry in entries if int.from_bytes(entry[:2], order) in kept]
    directory = len(entries).to_bytes(2, order) + b"".join(entries) + bytes(4)
    return data[:start] + directory + data[start + len(directory) :]


def _lacks_only_its_end(data: bytes) -> bool:
    """Whether a JPEG of one scan is whole but for the end marker: whatever follows, the pixels are the same."""
    scan = next((start for marker, start, _ in _segments(data) if marker == _JPEG_SCAN[1]), None)
    if scan is None or scan + 4 >= len(data) or data.rfind(_JPEG_SCAN) != scan or data.find(_JPEG_END, scan) >= 0:
        return False
    pixels = set()
    try:
        for tail in _TAILS:
            with Image.open(io.BytesIO(data.rstrip(b"\xff") + tail + _JPEG_END)) as image:
                if image.info.get("progressive") or data[scan + 4] != len(image.getbands()):
                    return False
                pixels.add(image.tobytes())
    except MemoryError:
        raise  # of the machine
    except Exception:  # whatever Pillow raises on a damaged file
        return False
    return len(pixels) == 1
