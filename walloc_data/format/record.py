"""The record: one tar member `.wlc` with the payloads and columns of N samples.

All integers are little-endian.

| offset | bytes | field |
| --- | --- | --- |
| 0 | 4 | magic `WLC1` |
| 4 | 1 | coder id |
| 5 | 1 | D, space dimensions of the latents (1 to 3) |
| 6 | 2 | N, samples (1 to 65535) |
| 8 | 2 | c, channels of the latents |
| 10 | 2 | flags: bit 0, the samples differ in shape; the others are 0 |
| 12 | 8 | fingerprint of the codec |
| 20 | 4 | bytes of the columns |
| 24 | 4 | CRC32 of the columns |
| 28 | 4 | CRC32 of the header (everything before the payloads), taken with this field as 0 |
| 32 | 12 | the D sizes of the latents' space, then zeros; all zeros where samples differ in shape |
| 44 | 4 N | end of each payload, counted from the first payload |
| 44 + 4 N | 4 N | CRC32 of each sample's decoded latents |
| 44 + 8 N | 4 N D | only where samples differ in shape: the D sizes of each |

Then the N payloads, then the columns.
"""

import math
import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.crc import crc32
from walloc_data.errors import FormatError
from walloc_data.format.columns import Column, pack_columns, unpack_columns

__all__ = ["HEADER", "MAGIC", "MAX_LATENTS", "MAX_SAMPLES", "Record", "latents_crc", "pack_payloads", "pack_record"]

MAGIC = b"WLC1"
HEADER = struct.Struct("<4sBBHHH8sIII3I")
MAX_SAMPLES = 65535
MAX_LATENTS = 1 << 30  # in one record; what a hostile header can make a reader allocate
_CRC_AT = 28
_RAGGED = 1


@dataclass(frozen=True)
class Record:
    """A checked header, and where things lie in the buffer it was read from."""

    coder_id: int
    fingerprint: str
    channels: int
    shapes: NDArray[np.uint32]  # [N, D], or [1, D] where all samples have one shape
    segments: NDArray[np.uint64]  # [N, 2]: offset in the buffer and bytes of each payload
    crcs: NDArray[np.uint32]  # [N]
    columns_at: tuple[int, int]  # offset in the buffer and bytes
    columns_crc: int

    def __len__(self) -> int:
        return len(self.crcs)

    @cached_property
    def stored(self) -> NDArray[np.int64]:
        """Of each sample, the offset and the bytes of its payload, and its CRC, `[N, 3]`."""
        return np.column_stack([self.segments, self.crcs]).astype(np.int64)

    @cached_property
    def shape(self) -> tuple[int, ...] | None:
        """Shape `(c, *space)` of all samples, or None where they differ."""
        return self.latent_shape(0) if len(self.shapes) == 1 else None

    def latent_shape(self, sample: int) -> tuple[int, ...]:
        """Shape `(c, *space)` of a sample's latents."""
        return (self.channels, *self.shapes[sample if len(self.shapes) > 1 else 0].tolist())

    def columns(self, buffer: Any, *, where: str, only: Collection[str] | None = None) -> dict[str, Column]:
        """All columns, or those that are called `only`. Raises `FormatError` where a byte of any is wrong."""
        start, size = self.columns_at
        data = memoryview(buffer[start : start + size])
        if crc32(data) != self.columns_crc:
            raise FormatError(f"{where}: the columns are damaged (CRC32)")
        return unpack_columns(data, len(self), where=where, only=only)

    @classmethod
    def parse(cls, buffer: Any, *, offset: int = 0, size: int | None = None, where: str) -> "Record":
        """The record of `size` bytes at `offset` of a buffer, of which only slices are taken.

        Raises `FormatError`, which says `where`.
        """
        size = len(buffer) - offset if size is None else size
        if size < HEADER.size or offset + size > len(buffer):
            raise FormatError(f"{where}: cut short ({max(0, len(buffer) - offset)} of {max(size, HEADER.size)} bytes)")
        magic, coder_id, dims, samples, channels, flags, fingerprint, columns, columns_crc, crc, *shape = HEADER.unpack(
            buffer[offset : offset + HEADER.size]
        )
        if magic != MAGIC:
            raise FormatError(f"{where}: not a record (it begins with {bytes(magic)!r}, not {MAGIC!r})")
        if not 1 <= dims <= 3 or not samples or not channels or flags & ~_RAGGED:
            raise FormatError(
                f"{where}: impossible header ({dims} dims, {samples} samples, {channels} channels, flags {flags})"
            )
        tables = HEADER.size + samples * (8 + (4 * dims if flags & _RAGGED else 0))
        if tables + columns > size:
            raise FormatError(f"{where}: tables and columns of {tables + columns} bytes in a record of {size}")
        header = bytearray(buffer[offset : offset + tables])
        header[_CRC_AT : _CRC_AT + 4] = b"\0\0\0\0"
        if crc32(header) != crc:
            raise FormatError(f"{where}: the header is damaged (CRC32)")
        words = np.frombuffer(header, "<u4", offset=HEADER.size).astype(np.int64)
        ends, crcs = words[:samples], words[samples : 2 * samples].astype(np.uint32)
        starts = np.concatenate([[0], ends[:-1]])
        if (ends < starts).any() or tables + ends[-1] + columns != size:
            raise FormatError(f"{where}: payloads do not fill the record")
        if flags & _RAGGED:
            sizes = words[2 * samples :].reshape(samples, dims)
            latents = channels * sizes.prod(1, dtype=np.float64).sum()
        else:
            sizes = np.array([shape[:dims]])
            latents = samples * channels * math.prod(shape[:dims])
        if sizes.min() < 1 or latents > MAX_LATENTS:
            raise FormatError(f"{where}: {latents:.3g} latents; a record holds 1 to {MAX_LATENTS}")
        segments = np.array([starts + (offset + tables), ends - starts], np.uint64).T
        at = (offset + tables + int(ends[-1]), columns)
        return cls(coder_id, fingerprint.hex(), channels, sizes.astype(np.uint32), segments, crcs, at, columns_crc)


def pack_record(
    payloads: Sequence[bytes],
    latents: Sequence[NDArray[np.int8]],
    columns: Mapping[str, Column],
    *,
    coder_id: int,
    fingerprint: str,
) -> bytes:
    """The bytes of a record of N payloads, the int8 latents `[c, *space]` that they decode to, and columns."""
    return pack_payloads(
        payloads,
        [sample.shape for sample in latents],
        list(map(latents_crc, latents)),
        columns,
        coder_id=coder_id,
        fingerprint=fingerprint,
    )


def latents_crc(latents: NDArray[np.int8]) -> int:
    """What a record holds of a sample's latents to check them by."""
    return crc32(np.ascontiguousarray(latents).data)


def pack_payloads(
    payloads: Sequence[bytes],
    shapes: Sequence[tuple[int, ...]],
    crcs: Sequence[int],
    columns: Mapping[str, Column],
    *,
    coder_id: int,
    fingerprint: str,
) -> bytes:
    """`pack_record` where the latents are not at hand any more: their shapes `(c, *space)`, and the CRC32 of each."""
    samples, channels, dims = len(payloads), shapes[0][0], len(shapes[0]) - 1
    if not 1 <= samples <= MAX_SAMPLES or not len(shapes) == len(crcs) == samples or not 1 <= dims <= 3:
        raise FormatError(f"a record holds 1 to {MAX_SAMPLES} samples of 1 to 3 dims, not {samples} of {dims}")
    if sum(map(math.prod, shapes)) > MAX_LATENTS or sum(map(len, payloads)) >= 1 << 32:
        raise FormatError(f"a record holds at most {MAX_LATENTS} latents and 4 GiB: put fewer samples in one (--block)")
    spaces = [shape[1:] for shape in shapes]
    ragged = any(space != spaces[0] for space in spaces)
    ends = np.cumsum([len(payload) for payload in payloads], dtype="<u4").tobytes()
    packed = pack_columns(columns, samples)
    shape = (0, 0, 0) if ragged else (*spaces[0], 0, 0)[:3]
    fields = [MAGIC, coder_id, dims, samples, channels, int(ragged), bytes.fromhex(fingerprint)]
    fields += [len(packed), crc32(packed)]
    tables = ends + np.array(crcs, "<u4").tobytes() + (np.array(spaces, "<u4").tobytes() if ragged else b"")
    crc = crc32(HEADER.pack(*fields, 0, *shape) + tables)
    return b"".join([HEADER.pack(*fields, crc, *shape), tables, *payloads, packed])
