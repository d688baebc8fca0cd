"""A shard taken apart, member by member: which records, and which samples in them, are not what was written."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy import Coder
from walloc_data.errors import FormatError
from walloc_data.format import Record, ShardInfo, parse_member
from walloc_data.read.payloads import decode_payloads, stored_payloads
from walloc_data.read.records import parse_record

__all__ = ["Examination", "Finding", "Flow"]

_BLOCK = 512


class Finding(NamedTuple):
    """What is wrong, in which record, and with which sample of it (None: with no one alone)."""

    what: str
    record: int | None = None
    sample: int | None = None
    key: str | None = None


class Flow:
    """The bytes of a file, which come in pieces, in any number at a time."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._rest, self.at = iter(chunks), memoryview(b""), 0

    def take(self, size: int) -> bytes:
        """The next bytes, fewer at the end."""
        parts = []
        while size:
            if not self._rest:
                self._rest = memoryview(next(self._chunks, b""))
                if not self._rest:
                    break
            part, self._rest = self._rest[:size], self._rest[size:]
            parts.append(part)
            size -= len(part)
            self.at += len(part)
        return b"".join(parts)

    def skip(self, to: int) -> None:
        """Go on at a byte that is not behind."""
        while self.at < to and self.take(min(1 << 20, to - self.at)):
            pass


class Examination:
    """Looks at the members of a shard as they come; `entries` are those of its index (None: that is damaged too)."""

    def __init__(
        self,
        shard: ShardInfo,
        entries: NDArray[np.void] | None,
        *,
        fingerprint: str,
        channels: int,
        coder: Coder,
        where: str,
    ) -> None:
        self._shard, self._where = shard, where
        self._fingerprint, self._channels, self._coder = fingerprint, channels, coder
        self._entries = {} if entries is None else {int(entry["offset"]): entry for entry in entries}
        self._records = 0

    def findings(self, flow: Flow) -> Iterator[Finding]:
        """All that is wrong with the records, the headers of members, what fills them up, and the end."""
        size = self._shard.bytes
        while flow.at < size - 2 * _BLOCK:
            at = flow.at
            member = parse_member(flow.take(_BLOCK))
            if member is None or at + _BLOCK + member[1] > size:
                yield Finding(f"{self._where}: the header of the member at byte {at} is damaged")
                known = self._entries.get(at + _BLOCK)
                if known is None:  # go on at the next header that the index knows of
                    later = [offset for offset in self._entries if offset > at + _BLOCK]
                    flow.skip(min(later) - _BLOCK if later else size - 2 * _BLOCK)
                    continue
                member = (".wlc", int(known["bytes"]))
            start = flow.at
            data = flow.take(member[1])
            if start in self._entries or member[0].endswith(".wlc"):
                yield from self._record(data, start)
            if any(flow.take(-member[1] % _BLOCK)):
                yield Finding(f"{self._where}: what fills up the member at byte {at} is damaged")
        if any(flow.take(size - flow.at)):
            yield Finding(f"{self._where}: its end is damaged")

    def _record(self, data: bytes, at: int) -> Iterator[Finding]:
        number, self._records = self._records, self._records + 1
        where, known = f"{self._where}, record at byte {at}", self._entries.get(at)
        try:
            record = parse_record(data, fingerprint=self._fingerprint, coder=self._coder, where=where)
            if record.channels != self._channels or (known is not None and len(record) != known["samples"]):
                raise FormatError(f"{where}: its samples or channels are not as many as index and codec say")
        except FormatError as error:
            yield Finding(str(error), number)
            return
        keys: list[str] = []
        try:
            keys = [str(key) for key in record.columns(data, where=where).get("key", ())]
        except FormatError as error:
            yield Finding(str(error), number)
        for sample in np.flatnonzero(self._broken(record, data)).tolist():
            key = keys[sample] if sample < len(keys) else None
            named = "" if key is None else f" ({key})"
            yield Finding(f"{where}, sample {sample}{named}: damaged", number, sample, key)

    def _broken(self, record: Record, data: bytes) -> NDArray[np.bool_]:
        slots = np.arange(len(record))
        return decode_payloads(stored_payloads(record, memoryview(data), self._coder, slots, slots))[1]
