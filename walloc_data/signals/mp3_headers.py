"""How far an MP3 says how long it is: by a first frame of Xing, Info or VBRI, or by one bit rate in all frames."""

import io
from typing import BinaryIO, Literal

__all__ = ["length_known"]

_LOOKED_AT = 1 << 20  # bytes: a bit rate that varies does so there
_FIRST = 256  # bytes of a frame in which it would say so
_KBITS = {  # of layer III, by place, of MPEG 1 and of later ones
    True: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by version


def length_known(file: BinaryIO) -> Literal["said", "estimated", "unknown"]:
    """How well the length is known that decoders find in a file's first frames. Leaves it where it stands.

    Without a frame that says it, they take the first bit rate for that of all: an estimate where it is, else wrong.
    """
    place = file.tell()
    try:
        file.seek(0)
        tag = file.read(10)
        file.seek(
            10 + sum(byte << 7 * (3 - i) for i, byte in enumerate(tag[6:])) if tag[:3] == b"ID3" else 0, io.SEEK_SET
        )
        data = file.read(_LOOKED_AT)
    finally:
        file.seek(place)
    start = next((at for at in range(min(len(data), 1 << 14)) if _frame(data, at) is not None), len(data))
    if any(mark in data[start : start + _FIRST] for mark in (b"Xing", b"Info", b"VBRI")):
        return "said"
    found: set[int] = set()
    while (frame := _frame(data, start)) is not None:
        kbits, length = frame
        found.add(kbits)
        start += length
    return "estimated" if len(found) <= 1 else "unknown"


def _frame(data: bytes, at: int) -> tuple[int, int] | None:
    """The bit rate (kbit/s) and the bytes of the frame of layer III that begins at a place, or None."""
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE6 != 0xE2:
        return None
    version, rate, kbits = data[at + 1] >> 3 & 3, data[at + 2] >> 2 & 3, data[at + 2] >> 4
    if version == 1 or rate == 3 or kbits in (0, 15):
        return None
    speed = _KBITS[version == 3][kbits - 1]
    return speed, (144_000 if version == 3 else 72_000) * speed // _RATES[version][rate] + (data[at + 2] >> 1 & 1)
