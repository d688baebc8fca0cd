"""A dataset that is written elsewhere: shards are sent as they are done, and the journal after them."""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from walloc_data.errors import DatasetError, WallocError
from walloc_data.format import CODEC_FILE, JOURNAL_FILE, MANIFEST_FILE, ShardInfo
from walloc_data.write.lock import LOCK_FILE
from walloc_data.write.room import room

__all__ = ["Elsewhere", "RemoteOutput"]

_OURS = {JOURNAL_FILE, LOCK_FILE, MANIFEST_FILE}
_FETCHED = (JOURNAL_FILE, CODEC_FILE, MANIFEST_FILE)


class Elsewhere(Protocol):
    """What can be written of a place elsewhere: files whole or not at all, by their names.

    `patience` is after how many seconds what was sent is committed with the journal; `plain` are files that are no
    dataset's. Pickles; every method raises `DatasetError`.
    """

    url: str
    patience: float
    plain: frozenset[str]

    def claimed(self, name: str) -> AbstractContextManager[Any]:
        """For this run alone, said by a file of that name, or otherwise. What it gives has `check()`."""

    def sizes(self) -> dict[str, int]: ...
    def read(self, name: str) -> bytes | None: ...

    def send(self, paths: Sequence[Path]) -> Any:
        """Send these files, of which nothing may be seen before `commit`. What it gives pickles."""

    def commit(self, sent: Sequence[Any], files: Sequence[Path], gone: Sequence[str]) -> None:
        """Have all that was sent, then these small files, there, and the others gone."""


class RemoteOutput:
    """An `Output` elsewhere. Its folder is a temporary one, into which what a former run left is fetched.

    The journal there names nothing that is not there whole. It is sent some seconds after a shard at the latest: a run
    that is killed loses no more than the shards of those seconds.
    """

    def __init__(self, place: Elsewhere, journal: str = JOURNAL_FILE, repo: str | None = None) -> None:
        self.place, self.url, self.journal, self.repo = place, place.url, journal, repo
        self._folder: Path | None = None
        self._claim: Any = None
        self._sent: list[Any] = []
        self._pending, self._committed = False, 0.0

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_folder": None, "_claim": None, "_sent": []}

    @property
    def folder(self) -> Path:
        """Where all but shards is written. Raises `DatasetError` where this is not owned."""
        if self._folder is None:
            raise DatasetError(f"{self.url} is not being written by this process")
        return self._folder

    @contextmanager
    def owned(self) -> Iterator[None]:
        """For this run alone; what it did stands in the journal there when it is left, if the place can be reached."""
        found = self.place.sizes().keys() - self.place.plain
        if found and not found & _OURS:
            raise DatasetError(f"{self.url} is not empty and holds no dataset: choose an empty or a new place")
        with room() as self._folder, self.place.claimed(LOCK_FILE) as self._claim:
            leftovers = [name for name in self.place.sizes() if name.startswith(".") and name.endswith(".tmp")]
            if leftovers:
                self.place.commit([], [], leftovers)
            self.take(*_FETCHED)
            try:
                yield
            except BaseException:
                with suppress(WallocError):  # what comes first is said
                    self._commit_pending()
                raise
            self._commit_pending()

    def sizes(self) -> dict[str, int]:
        return {name: size for name, size in self.place.sizes().items() if name not in (LOCK_FILE, ".gitattributes")}

    def room(self) -> AbstractContextManager[Path]:
        """A temporary folder of the machine that a task runs on."""
        return room()

    def send(self, folder: Path, shard: ShardInfo) -> Any:
        return self.place.send([folder / shard.index, folder / shard.name])

    def add(self, sent: Any) -> None:
        self._claim.check()
        self._sent.append(sent)
        self._pending = True
        if time.monotonic() - self._committed >= self.place.patience:
            self._commit_pending()

    def take(self, *names: str) -> None:
        for name in names:
            data = self.place.read(name)
            if data is not None:
                (self.folder / name).write_bytes(data)

    def keep(self, *names: str) -> None:
        self._claim.check()
        there = [self.folder / name for name in names if (self.folder / name).exists()]
        gone = [name for name in names if not (self.folder / name).exists()]
        self._commit(there, gone)

    def drop(self, *names: str) -> None:
        self._claim.check()
        self._commit_pending()  # or what was sent and is to go would come after
        for name in names:
            (self.folder / name).unlink(missing_ok=True)
        self._commit([], names)

    def _commit_pending(self) -> None:
        if self._pending:
            self._commit([self.folder / self.journal], [])

    def _commit(self, files: Sequence[Path], gone: Sequence[str]) -> None:
        self.place.commit(self._sent, files, gone)
        self._sent, self._pending, self._committed = [], False, time.monotonic()
