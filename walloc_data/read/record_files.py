"""Where the records of a split are, and their bytes: of local shards read piece by piece, of remote ones by runs."""

import threading
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from walloc_data.format import ShardInfo
from walloc_data.format.record import HEADER
from walloc_data.read.forked import renew_in_children
from walloc_data.read.open_files import OpenFile
from walloc_data.read.opened import read_entries
from walloc_data.read.recent import Recent
from walloc_data.storage import Storage
from walloc_data.storage.work import held

__all__ = ["Found", "RecordFiles"]

_INDICES = 512  # in memory
_SMALL = 1 << 14  # bytes of a local record that is read as a whole
_RUN_BYTES = 1 << 26  # of remote runs in memory
_LOCKS = 64
_WHOLE = 1 << 16  # bytes of a record that is fetched whole for its columns: less than a second request costs
_COLUMNS_AT, _TABLES = 20, 20  # where a header says the bytes of the columns; bytes of tables a sample, at most


class Found(NamedTuple):
    """What has a record in its slices, where that begins in it, its bytes, the samples its index says, and its name."""

    buffer: Any
    offset: int
    bytes: int
    samples: int
    where: str


class RecordFiles:
    """Records by shard and number in it. A run is `per_run` records in a row: what is fetched, and shuffled, as one.

    `remote` says whether they have to be fetched. Threads may share it; a pickled copy opens its own files.
    """

    def __init__(self, storage: Storage, shards: Sequence[ShardInfo], *, per_run: int) -> None:
        self.storage, self.shards, self.per_run = storage, shards, per_run
        self._open()

    def __getstate__(self) -> dict[str, Any]:
        return {"storage": self.storage, "shards": self.shards, "per_run": self.per_run}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def _open(self) -> None:
        self._index = lru_cache(_INDICES)(self._read_index)
        self._file = lru_cache(maxsize=None)(self._local)
        self.remote = bool(self.shards) and self.storage.path(self.shards[0].name) is None
        self._runs: Recent[tuple[int, int], bytes] = Recent(_RUN_BYTES)
        self.renew()
        renew_in_children(self)

    def renew(self) -> None:
        """Locks that nobody holds."""
        self._locks = [threading.Lock() for _ in range(_LOCKS)]

    def find(self, shard: int, record: int, *, anew: bool = False) -> Found:
        """A record; `anew` fetches what is remote again."""
        entries = self._index(shard)
        offset, size, samples = entries[record].item()
        where = f"{self.storage.url}/{self.shards[shard].name}, record at byte {offset}"
        if not self.remote:
            file = self._file(shard)
            if size > _SMALL:
                return Found(file, offset, size, samples, where)
            return Found(memoryview(file[offset : offset + size]), 0, size, samples, where)
        first = record - record % self.per_run
        run = self._run(shard, first, entries, anew)
        return Found(memoryview(run), offset - int(entries[first]["offset"]), size, samples, where)

    def describe(self, shard: int, record: int, *, anew: bool = False) -> Found:
        """A remote record to its header and columns: where it is large, payloads are not fetched, and are zeros."""
        info, (offset, size, samples) = self.shards[shard], self._index(shard)[record].item()
        if size <= _WHOLE or self.at_hand(shard, record):
            return self.find(shard, record, anew=anew)
        read = partial(self.storage.read_range, info.name, version=info.sha256, anew=anew)
        head = read(offset, offset + min(size, HEADER.size + samples * _TABLES))
        columns = min(int.from_bytes(head[_COLUMNS_AT : _COLUMNS_AT + 4], "little"), size)
        buffer = bytearray(size)
        buffer[: len(head)] = head
        buffer[size - columns :] = read(offset + size - columns, offset + size)
        return Found(memoryview(buffer), 0, size, samples, f"{self.storage.url}/{info.name}, record at byte {offset}")

    def counts(self, shard: int) -> NDArray[np.int64]:
        """How many samples each record of a shard holds."""
        return self._index(shard)["samples"].astype(np.int64)

    def at_hand(self, shard: int, record: int) -> bool:
        """Whether `find` has nothing to wait for."""
        return not self.remote or (shard, record - record % self.per_run) in self._runs

    def _run(self, shard: int, first: int, entries: NDArray[np.void], anew: bool) -> bytes:
        key = (shard, first)
        with held(self._locks[hash(key) % _LOCKS]):  # whoever comes second finds what the first fetched
            kept = None if anew else self._runs.get(key)
            if kept is not None:
                return kept
            last = entries[min(first + self.per_run, len(entries)) - 1]
            start, stop = int(entries[first]["offset"]), int(last["offset"] + last["bytes"])
            info = self.shards[shard]
            data = self.storage.read_range(info.name, start, stop, version=info.sha256, anew=anew)
            self._runs.put(key, data, len(data))
        return data

    def _read_index(self, shard: int) -> NDArray[np.void]:
        return read_entries(self.storage, self.shards[shard])

    def _local(self, shard: int) -> OpenFile:
        info = self.shards[shard]
        return OpenFile(self.storage.path(info.name) or Path(info.name), info.bytes)
