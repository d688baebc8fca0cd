"""A claim on a folder elsewhere: a file that the run which writes there changes every few seconds."""

import json
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from walloc_data.errors import DatasetError, WallocError

__all__ = ["Claim", "claimed"]

_LOG = logging.getLogger("walloc_data")
_BEAT = 5.0  # seconds between two changes
_LOOK = 1.0  # seconds between looks at the claim of another run
_PATIENCE = 20.0  # seconds after which one that does not change is of a run that was killed


class _Folder(Protocol):
    url: str

    def read(self, name: str) -> bytes | None: ...
    def put(self, name: str, content: bytes) -> None: ...
    def remove(self, name: str) -> None: ...


class Claim:
    """The claim of this run on `folder`, in the file `name`. No clock of another machine is asked."""

    def __init__(self, folder: _Folder, name: str) -> None:
        self._folder, self._name, self._beats = folder, name, 0
        self._run = secrets.token_hex(8)
        self._end, self._lost = threading.Event(), ""

    def check(self) -> None:
        """Raise `DatasetError` where another run has claimed the folder since."""
        if self._lost:
            raise DatasetError(self._lost)

    def make(self) -> None:
        """Claim it. Raises `DatasetError` where another run has, and lives."""
        found = self._folder.read(self._name)
        if found is not None:
            _LOG.warning(
                "%s holds the claim of a run that may have been killed: looking for %.0f seconds whether it lives",
                self._folder.url,
                _PATIENCE,
            )
            self._watch(found)
        self.beat()

    def keep(self) -> None:
        """Change it now and then, until `leave`."""
        while not self._end.wait(_BEAT):
            try:
                found = self._folder.read(self._name)
                if found is not None and _field(found, "run") != self._run:
                    self._lost = self._refusal(found)
                    return
                self.beat()
            except WallocError as error:  # what needs the folder says so
                _LOG.info("%s", error)

    def beat(self) -> None:
        """Change it once."""
        self._beats += 1
        content = {"process": os.getpid(), "host": socket.gethostname(), "run": self._run, "beats": self._beats}
        self._folder.put(self._name, json.dumps(content).encode())

    def leave(self) -> None:
        """Give it up."""
        self._end.set()

    def _watch(self, found: bytes) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            time.sleep(_LOOK)
            now = self._folder.read(self._name)
            if now is None:
                return
            if now != found:
                raise DatasetError(self._refusal(now))

    def _refusal(self, found: bytes) -> str:
        return (
            f"{self._folder.url} is being written by another run (process {_field(found, 'process')} on "
            f"{_field(found, 'host')}): wait until it has ended, or choose another place"
        )


@contextmanager
def claimed(folder: _Folder, name: str) -> Iterator[Claim]:
    """`folder` for this run alone, as long as it lives: a run elsewhere finds the file `name` changing, and is refused.

    A run that was killed left one that does not change. Raises `DatasetError` where another run has the folder.
    """
    claim = Claim(folder, name)
    claim.make()
    thread = threading.Thread(target=claim.keep, name="walloc-claim", daemon=True)
    thread.start()
    try:
        yield claim
    finally:
        claim.leave()
        thread.join(_BEAT)
        try:
            claim.check()
            folder.remove(name)
        except WallocError as error:  # of another run by now, or out of reach: it stays, and changes no more
            _LOG.info("%s", error)


def _field(content: bytes, name: str) -> str:
    try:
        return str(json.loads(content)[name])
    except (ValueError, KeyError, TypeError):
        return "?"
