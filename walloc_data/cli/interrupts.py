"""Ctrl-C and SIGTERM: one line and a status, whenever and however often they come."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Terminated", "answered"]

_PATIENCE = 5.0  # seconds in which a second signal is one too many, behind which it means to end at once
_STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does."""


@contextmanager
def answered() -> Iterator[list[int]]:
    """Signals raise `KeyboardInterrupt` or `Terminated`, once: while the command ends by one, further ones are passed
    over. What it gives holds the first, once it came: a library that it comes in may raise another exception for it.

    In the midst of an import, which may make anything of an exception, the process ends at once: nothing but files
    under temporary names can be half done. The handlers stay where a signal came, for those that follow.
    """
    if threading.current_thread() is not threading.main_thread():
        yield []
        return
    came: list[int] = []
    first: list[float] = []

    def answer(number: int, frame: FrameType | None) -> None:
        if _imports(frame) or (first and time.monotonic() - first[0] > _PATIENCE):
            os.write(2, b"" if first else f"{'interrupted' if number == signal.SIGINT else 'terminated'}\n".encode())
            os._exit(_STATUS[signal.Signals(number)])
        if not first:
            first.append(time.monotonic())
            came.append(number)
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated

    before = {number: signal.signal(number, answer) for number in _STATUS}
    try:
        yield came
    finally:
        if not first:
            for number, handler in before.items():
                signal.signal(number, handler)
        sys.stderr.flush()


def _imports(frame: FrameType | None) -> bool:
    """Whether a module is being loaded; to ask one that is there for a name, as Pillow does for each image, is not."""
    while frame is not None:
        if (frame.f_code.co_filename, frame.f_code.co_name) == ("<frozen importlib._bootstrap>", "_find_and_load"):
            return True
        frame = frame.f_back
    return False
