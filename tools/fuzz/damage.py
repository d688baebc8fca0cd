"""Damage, at random or of a kind: what disks, networks and forgers make of bytes."""

import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["ODD", "Attempt", "damaged", "edited", "sealed_png", "sealed_tar"]

Attempt = Callable[[np.random.Generator], str]
_HEAD = 256  # bytes at the beginning, where half of the damage is
_BLOCK = 512  # of a tar
_EXTREMES = (0, 1, 127, 128, 255, 256, (1 << 15) - 1, 1 << 15, (1 << 16) - 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
_FURTHER = ((1 << 62) + 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
ODD: tuple[Any, ...] = (  # values that no writer means
    *(None, True, -1, 0, 1.5, 1 << 31, 1 << 70, -(1 << 63), 1e308, float("nan"), float("inf")),
    *("", "\0", "..", "../../x", "/x", "C:\\x", "x/../y", "\ud800", "é" * 300, "x" * 5000, "1" * 5000),
    *([], {}, [None], [[[]]], {"x": {"x": []}}, [1, "x", None], ["x"] * 50),
)


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Noise, a part of `data`, or all of it with bits, numbers, a run or its end changed, or with bytes put in."""
    kind = int(rng.integers(9))
    if kind == 0:
        return rng.bytes(int(rng.integers(0, 2 * len(data) + 2)))
    if kind == 1:
        return data[: rng.integers(len(data) + 1)]
    if not data:
        return b""
    broken = np.frombuffer(data, np.uint8).copy()
    at = int(rng.integers(min(len(broken), _HEAD) if rng.integers(2) else len(broken)))
    if kind == 2:
        for _ in range(rng.integers(1, 4)):
            broken[rng.integers(len(broken))] ^= 1 << rng.integers(8)
    elif kind == 3:
        broken[at:] = np.frombuffer(rng.bytes(len(broken) - at), np.uint8)
    elif kind == 4:
        broken[at : at + int(rng.integers(1, 9))] = rng.choice([0, 255])
    elif kind == 5:
        broken = np.insert(broken, at, np.frombuffer(rng.bytes(int(rng.integers(1, 9))), np.uint8))
    elif kind == 6:
        length = int(rng.integers(1, 64))
        broken = np.concatenate([broken[:at], broken[at + length :]])
    else:
        width = int(rng.choice([1, 2, 4, 8]))
        values = _EXTREMES if width < 8 else _EXTREMES + _FURTHER
        number = values[rng.integers(len(values))] % (1 << 8 * width)
        put = np.frombuffer(number.to_bytes(width, "little" if rng.integers(2) else "big"), np.uint8)
        broken[at : at + width] = put[: len(broken) - at]
    return bytes(broken.tobytes())


def edited(content: Any, rng: np.random.Generator) -> Any:
    """JSON with one of its values, at whatever depth, odd, gone, or in the place of another."""
    copy = json.loads(json.dumps(content))
    places = list(_places(copy))
    parent, key = places[rng.integers(len(places))]
    kind = int(rng.integers(4))
    if kind == 0 and isinstance(parent, dict):
        del parent[key]
    elif kind == 1:
        other, name = places[rng.integers(len(places))]
        parent[key] = json.loads(json.dumps(other[name])) if name in other or isinstance(other, list) else None
    elif kind == 2 and isinstance(parent[key], int | float):
        parent[key] = type(parent[key])(rng.choice([-1, 0, 1, 2, 7, 255, 65536, 1 << 31])) + parent[key]
    else:
        parent[key] = ODD[rng.integers(len(ODD))]
    return copy


def _places(content: Any) -> Any:
    for key in range(len(content)) if isinstance(content, list) else list(content):
        yield content, key
        if isinstance(content[key], list | dict):
            yield from _places(content[key])


def sealed_png(data: bytes) -> bytes:
    """A damaged PNG whose checksums are right, as far as it has chunks."""
    parts, at = [data[:8]], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if at + 12 + length > len(data):
            break
        body = data[at + 4 : at + 8 + length]
        parts.append(data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body)))
        at += 12 + length
    return b"".join(parts) + data[at:]


def sealed_tar(data: bytes) -> bytes:
    """A damaged tar whose headers have the sums that they should."""
    made = bytearray(data)
    for at in range(0, len(made) - _BLOCK + 1, _BLOCK):
        if made[at + 257 : at + 262] == b"ustar":
            made[at + 148 : at + 156] = b" " * 8
            made[at + 148 : at + 156] = b"%06o\0 " % sum(made[at : at + _BLOCK])
    return bytes(made)
