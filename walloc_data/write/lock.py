"""The folder that a run writes in, which is its own as long as it lives."""

import errno
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from walloc_data.errors import DatasetError
from walloc_data.format import JOURNAL_FILE, MANIFEST_FILE

__all__ = ["LOCK_FILE", "check_token", "owned"]

LOCK_FILE = ".walloc-lock"
_OURS = {JOURNAL_FILE, LOCK_FILE, MANIFEST_FILE}
_SHARED = 5.0  # seconds after which a file made on one machine is seen on those that share its disk
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def owned(out: Path) -> Iterator[str]:
    """The folder `out`, made if it is not there, for this run alone; what a killed run left half written goes. What it
    gives is a token of this run, for `check_token`.

    The lock is one of the system's (`flock`), so it ends with the process, however that ends. Raises `DatasetError`
    where another run has it, in this process or in any, or where `out` is something else.
    """
    if out.exists() and not out.is_dir():
        raise DatasetError(f"{out} is not a folder")
    out.mkdir(parents=True, exist_ok=True)
    found = {path.name for path in out.iterdir()}
    if found and not found & _OURS:
        raise DatasetError(f"{out} is not empty and holds no dataset: choose an empty or a new folder")
    token = secrets.token_hex(8)
    lock = _lock(out, token)
    try:
        _sweep(out)
        yield "" if lock is None else token
    finally:
        if lock is not None:
            _sweep(out)
            (out / LOCK_FILE).unlink(missing_ok=True)
            os.close(lock)


def check_token(out: Path, token: str) -> None:
    """Raise `DatasetError` where `out`, as this machine knows it, is not the folder that the run of a token owns."""
    deadline = time.monotonic() + _SHARED
    while token and _run_in(out) not in (token, ""):
        if time.monotonic() > deadline:
            raise DatasetError(
                f"{out} on {socket.gethostname()} is not the folder of that name that this run writes in: give one "
                "on a disk that all machines share, or a URL such as s3://bucket/folder"
            )
        time.sleep(0.1)


def _run_in(out: Path) -> str | None:
    """The token in a folder's lock; None where there is no lock, empty where its disk was too full to name a run."""
    try:
        return str(json.loads((out / LOCK_FILE).read_bytes() or b'{"run": ""}')["run"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _lock(out: Path, token: str) -> int | None:
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
    content = {"process": os.getpid(), "host": socket.gethostname(), "run": token}
    with suppress(OSError):  # the disk may be full, and the lock holds without a name
        os.ftruncate(file, 0)
        os.write(file, json.dumps(content).encode())
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
