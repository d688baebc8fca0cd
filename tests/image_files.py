"""Image files byte by byte: those that no library writes, because they are odd or broken."""

import struct
import zlib

import numpy as np

from walloc_data import ImageReader

SRGB, ADOBE = ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06)), ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
WHOLE = {"resize": "none", "crop": "none"}
RAMP = np.arange(64).reshape(8, 8) * 4  # what most of these files show
RAMP_RGB = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], -1)


def read(data, **options):
    """Pixels uint8 `[C, H, W]` of an image file's bytes."""
    return ImageReader(**{**WHOLE, **options}).read(data, "image").values


def shown(data, **options):
    """The same as `[H, W]`, of an image that is gray, whatever it is stored as."""
    pixels = read(data, **options).astype(int)
    assert (pixels == pixels[:1]).all()
    return pixels[0]


def chunk(kind, data=b"", *, damaged=False):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ damaged)


def png(rows, size, bits, kind, before=b"", after=b""):
    """A PNG of `size` (width, height), of `rows` as bytes, with chunks before and after the picture."""
    head = struct.pack(">IIBBBBB", *size, bits, kind, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    return b"".join((b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", head), before, chunk(b"IDAT", data), after, chunk(b"IEND")))


def rgb_png(before=b"", after=b""):
    """`RAMP_RGB` as a PNG."""
    return png([row.astype(np.uint8).tobytes() for row in RAMP_RGB], (8, 8), 8, 2, before, after)


def tiff(values, photometric, *, bits=None, extra=None, planar=1, raw=None, compression=1, tags=()):
    """A TIFF of one strip a plane, of the type and order of bytes of `values`, `[H, W]` or `[H, W, samples]`.

    `raw` stands for their bytes and `bits` for their depth; `tags` are further ones: (tag, type, count, value).
    """
    order = ">" if values.dtype.byteorder == ">" else "<"
    height, width, samples = (*values.shape, 1)[:3]
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    planes = [values[..., k].tobytes() for k in range(samples)] if planar == 2 else [values.tobytes()]
    data = b"".join(planes) if raw is None else raw
    starts = [8 + sum(map(len, planes[:k])) for k in range(len(planes))]
    lengths = [len(data)] if raw is not None else [len(plane) for plane in planes]
    shorts, longs = {258: [bits or 8 * values.itemsize] * samples, 339: [kind] * samples}, {273: starts, 279: lengths}
    shorts |= {262: [photometric], 277: [samples], 284: [planar], 259: [compression]} | (
        {} if extra is None else {338: [extra]}
    )
    longs |= {256: [width], 257: [height], 278: [height]}
    entries = [(tag, 3, len(v), struct.pack(f"{order}{len(v)}H", *v)) for tag, v in shorts.items()]
    entries += [(tag, 4, len(v), struct.pack(f"{order}{len(v)}I", *v)) for tag, v in longs.items()]
    entries = sorted([*entries, *tags])
    data += bytes(len(data) % 2)
    place, tail = 8 + len(data) + 2 + 12 * len(entries) + 4, b""
    directory = struct.pack(order + "H", len(entries))
    for tag, type_, count, value in entries:
        inside = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(order + "I", place + len(tail))
        tail += value if len(value) > 4 else b""
        directory += struct.pack(order + "HHI", tag, type_, count) + inside
    start = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(order + "I", 8 + len(data))
    return start + data + directory + bytes(4) + tail


def tga(values, alpha, *, attributes, meaning=None):
    """`values` as a TGA of 32 bits: with how many attribute bits, and what the extension says of alpha."""
    height, width = values.shape
    pixels = np.stack([values, values, values, np.broadcast_to(alpha, values.shape)], -1).astype(np.uint8).tobytes()
    data = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, width, height, 32, 0x20 | attributes) + pixels
    if meaning is None:
        return data
    extension = struct.pack("<H", 495) + bytes(492) + bytes([meaning])
    return data + extension + struct.pack("<II", len(data), 0) + b"TRUEVISION-XFILE.\0"


def icc_profile(primaries=SRGB, gamma=2.2, *, gray=False):
    """A profile of version 2: of RGB with these chromaticities and D65, or of gray; of a gamma, None for sRGB's."""
    d50, d65 = np.array([0.9642, 1.0, 0.8249]), np.array([0.95047, 1.0, 1.08883])
    xyz = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    cone = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    adapted = np.linalg.inv(cone) @ np.diag((cone @ d50) / (cone @ d65)) @ cone
    columns = adapted @ (xyz * np.linalg.solve(xyz, d65))
    steps = np.arange(1024) / 1023
    table = np.where(steps <= 0.04045, steps / 12.92, ((steps + 0.055) / 1.055) ** 2.4) * 65535
    points = [round(gamma * 256)] if gamma is not None else np.rint(table).astype(int).tolist()
    curve = b"curv" + bytes(4) + struct.pack(f">I{len(points)}H", len(points), *points)
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags = {b"desc": text + bytes(-len(text) % 4), b"cprt": b"text" + bytes(4) + b"none\0\0\0\0", b"wtpt": _xyz(d50)}
    tags |= {b"kTRC": curve} if gray else {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    tags |= {} if gray else {name: _xyz(columns[:, k]) for k, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    return _profile(b"GRAY" if gray else b"RGB ", b"mntr", b"XYZ ", tags)


def cmyk_profile():
    """A profile by which the four inks make everything a dark red, however much there is of them."""
    lab = bytes([90, 168, 158])
    tables = bytes(range(256)) * 4 + lab * 16 + bytes(range(256)) * 3
    matrix = struct.pack(">9i", *(65536 * np.eye(3, dtype=int)).ravel())
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + tables
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(79)
    white = _xyz(np.array([0.9642, 1.0, 0.8249]))
    tags = {b"desc": text, b"cprt": b"text" + bytes(4) + b"none\0\0\0\0", b"wtpt": white, b"A2B0": table}
    return _profile(b"CMYK", b"prtr", b"Lab ", tags)


def _xyz(values):
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in values))


def _profile(space, kind, connection, tags):
    place, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += name + struct.pack(">II", place + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">I4sI4s4s4s", place + len(body), bytes(4), 0x02200000, kind, space, connection)
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body
