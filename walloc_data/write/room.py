"""Folders for files that are sent elsewhere: what one holds is gone when it is left, however its process ends."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from walloc_data.storage.locks import release, try_lock

__all__ = ["room"]

_PREFIX = "walloc-room-"


@contextmanager
def room() -> Iterator[Path]:
    """A folder among the system's temporary files (`$TMPDIR`), empty and for this process's user alone.

    A lock that ends with the process stands beside it, so that rooms of processes that were killed are known, and
    swept away by the next one.
    """
    _sweep()
    while True:
        lock = Path(tempfile.gettempdir(), _PREFIX + secrets.token_hex(8))
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        if try_lock(descriptor):
            break
        os.close(descriptor)  # one who sweeps was faster, and takes it away
    folder = lock.with_suffix(".d")
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.unlink(missing_ok=True)
        release(descriptor)


def _sweep() -> None:
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if lock.suffix or lock.stat().st_uid != os.getuid():
                continue
            descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if try_lock(descriptor):
                    shutil.rmtree(lock.with_suffix(".d"), ignore_errors=True)
                    lock.unlink(missing_ok=True)
            finally:
                release(descriptor)
