"""Damaged payloads, records and columns: an error, what a CRC32 tells from the right thing, or unharmed."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from tools.fuzz.damage import Attempt, damaged
from walloc_data.entropy import Coder, RansCoder, ZstdCoder
from walloc_data.errors import CoderError, FormatError
from walloc_data.format import Record, pack_record
from walloc_data.format.columns import pack_columns, unpack_columns

__all__ = ["columns", "payloads", "records"]

_SHAPES = ((3, 17, 12), (5, 150), (2, 3, 9, 8), (12, 32, 32), (2, 40, 3))
_GUARD, _MOST, _CRC_AT = 64, 1 << 26, 28


class _Target:
    """Latents, their payloads, and the record of them, of one coder and shape."""

    def __init__(self, kind: type[Coder], shape: tuple[int, ...], rng: np.random.Generator) -> None:
        scale = np.exp(rng.normal(size=(8, 1, *shape[1:])))
        self.latents = np.clip(np.round(rng.laplace(size=(8, *shape)) * scale), -128, 127).astype(np.int8)
        self.coder = kind.fit(list(self.latents))
        self.payloads = self.coder.encode(self.latents)
        self.record = pack_record(
            self.payloads, list(self.latents), {"label": np.arange(8)}, coder_id=kind.id, fingerprint="0" * 16
        )


def _targets() -> list[_Target]:
    rng = np.random.default_rng(0)
    return [_Target(kind, shape, rng) for kind in (RansCoder, ZstdCoder) for shape in _SHAPES]


def payloads() -> Attempt:
    """Payloads of each coder and of latents of one to three dimensions, decoded to an array between guards, with a good
    one before or behind."""
    targets = _targets()

    def attempt(rng: np.random.Generator) -> str:
        target = targets[rng.integers(len(targets))]
        good, bad, first = rng.integers(8), rng.integers(8), bool(rng.integers(2))
        pair = [damaged(target.payloads[bad], rng), target.payloads[good]][:: 1 if first else -1]
        lengths = np.array([len(payload) for payload in pair], np.uint64)
        segments = np.stack([np.cumsum(lengths, dtype=np.uint64) - lengths, lengths], 1)
        guarded = np.full(2 * target.latents[0].size + 2 * _GUARD, 99, np.int8)
        out: NDArray[np.int8] = guarded[_GUARD:-_GUARD].reshape(2, *target.latents[0].shape)
        try:
            target.coder.decode(b"".join(pair), segments, out)
        except CoderError:
            outcome = "an error"
        else:
            found, other = out[:: 1 if first else -1]
            outcome = "unharmed" if np.array_equal(found, target.latents[bad]) else "other latents, which a CRC32 tells"
            if not np.array_equal(other, target.latents[good]):
                raise ValueError("the payload beside a damaged one came out wrong")
        if (guarded[:_GUARD] != 99).any() or (guarded[-_GUARD:] != 99).any():
            raise ValueError("a guard was written to")
        return outcome

    return attempt


def records() -> Attempt:
    """Whole records, with the header's CRC32 made right again every other time, so that what lies behind it is met."""
    targets = _targets()

    def attempt(rng: np.random.Generator) -> str:
        target = targets[rng.integers(len(targets))]
        head = len(target.record) - sum(map(len, target.payloads))
        data = bytearray(target.record)
        if rng.integers(2):
            data = bytearray(damaged(bytes(data), rng))
        else:
            data[: min(head, 44)] = damaged(bytes(data[: min(head, 44)]), rng)[: min(head, 44)]
        if rng.integers(2) and len(data) > 44:
            data[_CRC_AT : _CRC_AT + 4] = bytes(4)
            dims, samples, flags = data[5], *struct.unpack_from("<H", data, 6), data[10]
            tables = 44 + samples * (8 + (4 * dims if flags & 1 else 0))
            struct.pack_into("<I", data, _CRC_AT, zlib.crc32(data[:tables]))
        try:
            return _read(target, data)
        except FormatError:
            return "an error of the format"
        except CoderError:
            return "an error of the coder"

    return attempt


def _read(target: _Target, data: bytearray) -> str:
    record = Record.parse(data, where="here")
    record.columns(data, where="here")
    shapes = [record.latent_shape(sample) for sample in range(len(record))]
    if max(np.prod(shape, dtype=np.float64) for shape in shapes) > _MOST:
        return "more latents than are tried here"
    for sample, shape in enumerate(shapes):
        out = np.empty((1, *shape), np.int8)
        target.coder.decode(data, record.segments[sample : sample + 1], out)
        if zlib.crc32(out.data) != record.crcs[sample]:
            return "a CRC32 failure"
        if not any(np.array_equal(out[0], latents) for latents in target.latents):
            raise ValueError("latents that never were have the right CRC32")
    return "unharmed"


def columns() -> Attempt:
    """Columns of every type, without the CRC32 that records have of them."""
    numbers = np.random.default_rng(0)
    packed = pack_columns(
        {
            "label": np.arange(5, dtype=np.int32),
            "place": np.arange(5, dtype=np.int64),
            "box": numbers.normal(size=(5, 4)).astype(np.float32),
            "exact": numbers.normal(size=5),
            "mask": numbers.integers(0, 2, (5, 3, 2)).astype(bool),
            "caption": ["a", "", "bc", "é", "猫"],
            "data": [b"\0", b"", b"123", b"\xff\xfe", b"x"],
            "more": [None, {"a": [1, 2.5]}, [], "text", True],
        },
        5,
    )

    def attempt(rng: np.random.Generator) -> str:
        try:
            found = unpack_columns(memoryview(damaged(packed, rng)), 5, where="here")
        except FormatError:
            return "an error of the format"
        if any(len(values) != 5 for values in found.values()):
            raise ValueError("a column of another length")
        return "read"

    return attempt
