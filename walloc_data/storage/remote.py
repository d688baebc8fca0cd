"""Files that are elsewhere: a source of bytes behind the disk cache."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from walloc_data.storage.cache import DiskCache
from walloc_data.storage.options import StorageOptions

__all__ = ["Fetched", "RemoteStorage", "Source"]

_FRESH = 60.0  # seconds for which a validated copy serves all processes of the node without a request


@dataclass(frozen=True)
class Fetched:
    """What a source answered: bytes and their ETag ("" if it has none); or none, unchanged since the ETag sent."""

    data: bytes
    etag: str = ""
    changed: bool = True


class Source(Protocol):
    """Where bytes come from, request by request. `url` is what messages name: without credentials or query."""

    url: str

    @property
    def requests(self) -> int:
        """Requests that this process has sent so far."""

    def key(self, name: str) -> str:
        """The full URL of a file, which identifies it in the cache; it may hold secrets and is only ever hashed."""

    def fetch(self, name: str, span: tuple[int, int] | None = None, *, etag: str = "") -> Fetched:
        """A file, or its bytes from `span[0]` up to `span[1]`, exactly as many; retried where the failure may pass.

        `etag` asks for the file only if it is another than that. Raises `DatasetError`.
        """


class RemoteStorage:
    """A `Storage` that asks its source for what the disk cache does not hold."""

    def __init__(self, source: Source, options: StorageOptions) -> None:
        self.source, self.url = source, source.url
        self.cache = DiskCache(options.cache_folder, options.cache_bytes, patience=2 * options.timeout)

    def __repr__(self) -> str:
        return f"RemoteStorage({self.url!r})"

    @property
    def requests(self) -> int:
        """Requests that this process has sent so far."""
        return self.source.requests

    def path(self, name: str) -> Path | None:
        """None: there is no local file of that name."""
        return None

    def read(self, name: str, *, version: str = "", anew: bool = False) -> bytes:
        """A whole file, from the cache if it was kept under this version; without one, validated by its ETag.

        A copy that any process of the node validated in the last minute counts as valid. `anew` asks the source in
        any case, and replaces what was kept.
        """
        if version:
            return self._kept(name, None, version, anew)
        seal = DiskCache.key(self.source.key(name), "seal")
        found = None if anew else self._validated(name, seal)[0]
        if found is not None:
            return found
        with self.cache.lock(seal):
            found, kept, etag = (None, b"", "") if anew else self._validated(name, seal)
            if found is not None:
                return found
            answer = self.source.fetch(name, etag=etag)
            if answer.changed:
                kept, etag = answer.data, answer.etag
                self.cache.put(DiskCache.key(self.source.key(name), "etag", etag), kept)
            self.cache.put(seal, json.dumps({"etag": etag, "validated": time.time()}).encode())
        return kept

    def read_range(self, name: str, start: int, stop: int, *, version: str = "", anew: bool = False) -> bytes:
        """Bytes `start` up to `stop` of a file, all of them; `anew` bypasses the cache and replaces its entry."""
        if not 0 <= start <= stop:
            raise ValueError(f"no range: {start} to {stop}")
        if start == stop:
            return b""
        if version:
            return self._kept(name, (start, stop), version, anew)
        return self.source.fetch(name, (start, stop)).data

    def _kept(self, name: str, span: tuple[int, int] | None, version: str, anew: bool) -> bytes:
        """What is fixed by its version: from the cache, or fetched by one process while others wait for it."""
        key = DiskCache.key(self.source.key(name), version, str(span))
        size = None if span is None else span[1] - span[0]
        found = None if anew else self.cache.get(key, size)
        if found is not None:
            return found
        with self.cache.lock(key):
            found = None if anew else self.cache.get(key, size)
            if found is not None:
                return found
            data = self.source.fetch(name, span).data
            self.cache.put(key, data)
        return data

    def _validated(self, name: str, seal: str) -> tuple[bytes | None, bytes, str]:
        """The copy if it was validated within the minute; the copy in any case, and its ETag to ask with."""
        note = self.cache.get(seal)
        if note is None:
            return None, b"", ""
        content = json.loads(note)
        etag = content["etag"]
        kept = self.cache.get(DiskCache.key(self.source.key(name), "etag", etag))
        if kept is None:
            return None, b"", ""
        fresh = 0 <= time.time() - content["validated"] < _FRESH
        return kept if fresh else None, kept, etag
