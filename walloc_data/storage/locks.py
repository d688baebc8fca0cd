"""Advisory locks on files, which the kernel releases when their holder ends, however it ends."""

import os
import random
import sys
import time
from contextlib import suppress
from pathlib import Path

from walloc_data.storage.work import pause

__all__ = ["acquire", "release", "try_lock"]

_JITTER = random.SystemRandom()

if sys.platform != "win32":
    import fcntl


def try_lock(descriptor: int) -> bool:
    """Whether an open file could be locked: not where another thread or process has it locked."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def acquire(path: Path, patience: float) -> int | None:
    """The descriptor of a file, made if need be, that nobody else has locked; None after `patience` seconds.

    Waiting ends because a holder may be stopped rather than dead. Raises `OSError` where the file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        deadline, longest = time.monotonic() + patience, 0.001
        while not try_lock(descriptor):
            if time.monotonic() > deadline:
                os.close(descriptor)
                return None
            pause(_JITTER.uniform(0, longest))
            longest = min(2 * longest, 0.01)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def release(descriptor: int) -> None:
    """Unlock and close. Closing alone would leave it locked where a child forked meanwhile has the file open too."""
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)
