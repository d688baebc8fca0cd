"""The folder that a run writes in, which is its own as long as it lives."""

import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from walloc_data.errors import DatasetError
from walloc_data.format import JOURNAL_FILE, MANIFEST_FILE

__all__ = ["LOCK_FILE", "owned"]

LOCK_FILE = ".walloc-lock"
_OURS = {JOURNAL_FILE, LOCK_FILE, MANIFEST_FILE}
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def owned(out: Path) -> Iterator[None]:
    """The folder `out`, made if it is not there, for this run alone; what a killed run left half written goes.

    The lock is one of the system's (`flock`), so it ends with the process, however that ends. Raises `DatasetError`
    where another run has it, in this process or in any, or where `out` is something else.
    """
    if out.exists() and not out.is_dir():
        raise DatasetError(f"{out} is not a folder")
    out.mkdir(parents=True, exist_ok=True)
    found = {path.name for path in out.iterdir()}
    if found and not found & _OURS:
        raise DatasetError(f"{out} is not empty and holds no dataset: choose an empty or a new folder")
    lock = _lock(out)
    try:
        _sweep(out)
        yield
    finally:
        if lock is not None:
            _sweep(out)
            (out / LOCK_FILE).unlink(missing_ok=True)
            os.close(lock)


def _lock(out: Path) -> int | None:
    """A file that is locked until it is closed; None where nothing can be written, or the system has no such locks."""
    try:
        import fcntl
    except ImportError:
        return None
    path = out / LOCK_FILE
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            if error.errno in _READ_ONLY:
                return None
            raise
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _holder(file)
            os.close(file)
            raise DatasetError(
                f"{out} is being written by another run{holder}: wait until it has ended, or choose another folder"
            ) from error
        except OSError:
            return file  # on a file system without locks
        if _is_at(file, path):
            break
        os.close(file)  # its run ended, and took the file away, between our opening it and locking it
    with suppress(OSError):  # the disk may be full, and the lock holds without a name
        os.ftruncate(file, 0)
        os.write(file, json.dumps({"process": os.getpid(), "host": socket.gethostname()}).encode())
    return file


def _holder(file: int) -> str:
    try:
        content = json.loads(os.pread(file, 1000, 0))
        return f" (process {content['process']} on {content['host']})"
    except (OSError, ValueError, KeyError, TypeError):  # it has only just begun
        return ""


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _sweep(out: Path) -> None:
    for leftover in out.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)
