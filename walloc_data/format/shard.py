"""The shard: a plain tar whose bytes depend on nothing but its members, and the index of its records.

An index `NAME.idx` stands beside `NAME.tar` (all integers little-endian):

| offset | bytes | field |
| --- | --- | --- |
| 0 | 4 | magic `WLI1` |
| 4 | 4 | R, records |
| 8 | 8 | bytes of the tar |
| 16 | 4 | CRC32 of the entries |
| 20 | 4 | 0 |
| 24 | 16 R | entries: offset of a record in the tar (8), its bytes (4), its samples (4) |
"""

import hashlib
import os
import secrets
import struct
import tarfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
from numpy.typing import NDArray

from walloc_data.crc import crc32
from walloc_data.errors import FormatError

__all__ = ["ENTRY", "INDEX_HEADER", "INDEX_MAGIC", "ShardWriter", "parse_index", "parse_member", "read_index"]

INDEX_MAGIC = b"WLI1"
INDEX_HEADER = struct.Struct("<4sIQII")
ENTRY = np.dtype([("offset", "<u8"), ("bytes", "<u4"), ("samples", "<u4")])
_BLOCK = 512


class ShardWriter:
    """Writes `path` (a `.tar`) and its `.idx`, under temporary names until `close`.

    A context manager; leaving it by an exception removes what was written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.digest = hashlib.sha256()
        self.bytes = 0
        self._entries: list[tuple[int, int, int]] = []
        writer = secrets.token_hex(4)  # a number of a process may be one of another machine too
        self._temporary, self._index = (
            path.with_name(f".{path.stem}{suffix}.{writer}.tmp") for suffix in (path.suffix, ".idx")
        )
        self._file = self._temporary.open("wb")

    def add(self, name: str, data: bytes, *, samples: int = 0) -> None:
        """Append a member. `samples` says that it is a record, and of how many."""
        self._write(_member(name, len(data)))
        if samples:
            self._entries.append((self.bytes, len(data), samples))
        self._write(data + bytes(-len(data) % _BLOCK))

    def close(self) -> None:
        """Finish both files and give them their names. After it, the shard is on the disk for good."""
        self._write(bytes(2 * _BLOCK))
        _settle(self._file)
        entries = np.array(self._entries, ENTRY).tobytes()
        with self._index.open("wb") as file:
            file.write(INDEX_HEADER.pack(INDEX_MAGIC, len(self._entries), self.bytes, crc32(entries), 0) + entries)
            _settle(file)
        self._index.replace(self.path.with_suffix(".idx"))
        self._temporary.replace(self.path)

    @property
    def records(self) -> int:
        """Records written so far."""
        return len(self._entries)

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            with suppress(OSError):  # a full disk, which may be what brought us here, fails this too
                self._file.close()
            self._temporary.unlink(missing_ok=True)
            self._index.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self.digest.update(data)
        self.bytes += len(data)


def _member(name: str, size: int) -> bytes:
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, 0o644
    return header.tobuf(tarfile.USTAR_FORMAT)


def parse_member(header: bytes) -> tuple[str, int] | None:
    """The name and bytes of the member behind 512 bytes of a tar; None where a `ShardWriter` did not write them so."""
    try:
        info = tarfile.TarInfo.frombuf(header, tarfile.ENCODING, "surrogateescape")
        return (info.name, info.size) if _member(info.name, info.size) == header else None
    except (tarfile.TarError, ValueError):
        return None


def _settle(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def read_index(path: Path) -> tuple[NDArray[np.void], int]:
    """Entries (`ENTRY`) of an index and the bytes of its tar. Raises `FormatError` for one that cannot be right."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from error
    return parse_index(data, str(path))


def parse_index(data: bytes, where: str) -> tuple[NDArray[np.void], int]:
    """`read_index` of bytes at hand. Raises `FormatError`, which says `where` they are from."""
    if len(data) < INDEX_HEADER.size or data[:4] != INDEX_MAGIC:
        raise FormatError(f"{where}: not an index")
    _, records, tar_bytes, crc, unused = INDEX_HEADER.unpack_from(data)
    body = data[INDEX_HEADER.size :]
    if len(body) != records * ENTRY.itemsize or crc32(body) != crc or unused:
        raise FormatError(f"{where}: damaged or cut short")
    entries = np.frombuffer(body, ENTRY)
    starts, ends = entries["offset"], entries["offset"] + entries["bytes"]
    inside = (starts < ends) & (ends <= tar_bytes)  # the first also where a sum went round
    if not inside.all() or (entries["samples"] == 0).any() or (starts[1:] < ends[:-1]).any():
        raise FormatError(f"{where}: its records overlap or end behind the tar")
    return entries, tar_bytes
