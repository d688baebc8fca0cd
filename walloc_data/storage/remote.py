"""Files that are elsewhere: a source of bytes behind the disk cache."""

import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from walloc_data.errors import DatasetError
from walloc_data.storage.cache import DiskCache
from walloc_data.storage.options import StorageOptions
from walloc_data.storage.retry import UnreachableError

__all__ = ["Fetched", "RemoteStorage", "Source"]

_LOG = logging.getLogger("walloc_data")
_FRESH = 60.0  # seconds for which a validated copy serves all processes of the node without a request


@dataclass(frozen=True)
class Fetched:
    """What a source answered: bytes and their ETag ("" if it has none); or none, unchanged since the ETag sent."""

    data: bytes
    etag: str = ""
    changed: bool = True


class Source(Protocol):
    """Where bytes come from, request by request.

    `url` is what messages name: without credentials or query. `place` is where the dataset lies, whoever asks and
    whichever revision is read: contents are kept under it.
    """

    url: str
    place: str

    @property
    def requests(self) -> int:
        """Requests that this process has sent so far."""

    @property
    def revision(self) -> str:
        """What is read of a place that keeps revisions, and whose ETags are of contents; else, or before `key`, ""."""

    def key(self, name: str) -> str:
        """The full URL of a file, which identifies it in the cache; it may hold secrets and is only ever hashed."""

    def fetch(self, name: str, span: tuple[int, int] | None = None, *, etag: str = "") -> Fetched:
        """A file, or its bytes from `span[0]` up to `span[1]`, exactly as many; retried where the failure may pass.

        `etag` asks for the file only if it is another than that. Raises `DatasetError`.
        """

    def size(self, name: str) -> int | None:
        """Bytes of a file; None where nobody says. Raises `DatasetError`."""


class RemoteStorage:
    """A `Storage` that asks its source for what the disk cache does not hold."""

    def __init__(self, source: Source, options: StorageOptions) -> None:
        self.source, self.url = source, source.url
        self.cache = DiskCache.of(options)

    def __repr__(self) -> str:
        return f"RemoteStorage({self.url!r})"

    @property
    def requests(self) -> int:
        """Requests that this process has sent so far."""
        return self.source.requests

    @property
    def revision(self) -> str:
        """The revision that is read, known once a file was; "" where there are none."""
        return self.source.revision

    def path(self, name: str) -> Path | None:
        """None: there is no local file of that name."""
        return None

    def size(self, name: str) -> int:
        """Bytes of a file as it is now."""
        total = self.source.size(name)
        if total is None:
            raise DatasetError(f"{self.url}/{name}: what serves it does not say how large it is")
        return total

    def read(self, name: str, *, version: str = "", anew: bool = False) -> bytes:
        """A whole file, from the cache if it was kept under this version; without one, validated by its ETag.

        A copy that any process of the node validated in the last minute, or asked for in vain, counts as valid, and so
        does one of the same revision. Where its source cannot be reached, a copy of any age is read, with a warning.
        `anew` asks the source in any case, and replaces what was kept.
        """
        if version:
            return self._kept(name, None, version, anew)
        found = None if anew else self._copy(name)
        if found is not None and found.valid:
            return found.data
        with self.cache.lock(self._note(name)):
            found = None if anew else self._copy(name)
            if found is not None and found.valid:
                return found.data
            try:
                answer = self.source.fetch(name, etag=found.etag if found else "")
            except UnreachableError as error:
                if found is None or self.source.revision:  # of a revision, the copy may be another's
                    raise
                _LOG.warning("%s. Until then the copy of %s is read", error, time.ctime(found.validated))
                self._write_note(name, found.etag, found.validated)
                return found.data
            return self._keep(name, answer, found)

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
        """What is fixed by its version: from the cache, or fetched by one process while others wait for it.

        A place may serve it under any name and revision. Another place may not: it could plant what this one reads.
        """
        key = DiskCache.key(self.source.place, PurePosixPath(name).suffix, version, str(span))
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

    def _note(self, name: str, *, latest: bool = False) -> str:
        """The key of a note of the ETag of a file's copy; `latest`: of the last one that came from any revision."""
        if latest and self.source.revision:
            return DiskCache.key(self.source.place, name, "latest")
        return DiskCache.key(self.source.key(name), "seal")

    def _data(self, name: str, etag: str) -> str:
        """The key of a file's copy: an ETag that says contents is one for all revisions."""
        home = (self.source.place, name) if etag and self.source.revision else (self.source.key(name),)
        return DiskCache.key(*home, "etag", etag)

    def _copy(self, name: str) -> "_Copy | None":
        """The copy of a file that is kept, if any."""
        for latest in (False, True):
            note = self.cache.get(self._note(name, latest=latest))
            if note is not None:
                content = json.loads(note)
                data = self.cache.get(self._data(name, content["etag"]))
                if data is not None:
                    asked = content.get("asked", content["validated"])
                    fresh = bool(self.source.revision) or 0 <= time.time() - asked < _FRESH
                    return _Copy(data, content["etag"], content["validated"], fresh and not latest)
        return None

    def _keep(self, name: str, answer: Fetched, found: "_Copy | None") -> bytes:
        """Keep what came, or that nothing new did; the file."""
        data = answer.data if answer.changed or found is None else found.data
        if answer.changed:
            self.cache.put(self._data(name, answer.etag), data)
        self._write_note(name, answer.etag, time.time())
        return data

    def _write_note(self, name: str, etag: str, validated: float) -> None:
        """Note what is known of a copy, so that other processes need not ask within the minute, answered or not."""
        note = json.dumps({"etag": etag, "validated": validated, "asked": time.time()}).encode()
        for key in {self._note(name), self._note(name, latest=True)}:
            self.cache.put(key, note)


@dataclass(frozen=True)
class _Copy:
    """A file as it was when its source last said so, and whether that is good enough not to ask."""

    data: bytes
    etag: str
    validated: float
    valid: bool
