"""Trying again what failed for a passing reason: exponential backoff with full jitter, and Retry-After honoured."""

import email.utils
import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from walloc_data.errors import DatasetError
from walloc_data.storage.work import check, pause, waits_on

__all__ = ["TransientError", "UnreachableError", "retry", "retry_after"]

_LOG = logging.getLogger("walloc_data")
_FIRST, _FACTOR, _LONGEST = 0.2, 3.0, 30.0  # seconds: six retries span 27 s on average, 54 s at most
_LONGEST_ASKED = 300.0  # a Retry-After beyond this is taken for this
_JITTER = random.SystemRandom()  # no state: forked workers differ, and the user's own random numbers stay theirs
_Found = TypeVar("_Found")


class TransientError(Exception):
    """A failure that may pass: its reason, and after how many seconds the other side asked to be tried again."""

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after


class UnreachableError(DatasetError):
    """What holds the files gives no answer: a copy of them, where there is one, is as good as it gets."""


def retry(attempt: Callable[[], _Found], *, retries: int, where: str) -> _Found:
    """The result of `attempt`, called again up to `retries` times while it raises `TransientError`.

    Raises `UnreachableError`, which says `where` and the last reason, when none of them succeeded; or `Stopped`.
    """
    for number in range(retries):
        try:
            return _alone(attempt)
        except TransientError as error:
            seconds = _JITTER.uniform(0.0, min(_FIRST * _FACTOR**number, _LONGEST)) + min(error.after, _LONGEST_ASKED)
            level = logging.INFO if number < 2 else logging.WARNING
            _LOG.log(level, "%s: %s; retry %d of %d in %.1f s", where, error, number + 1, retries, seconds)
            pause(seconds)
    try:
        return _alone(attempt)
    except TransientError as error:
        raise UnreachableError(
            f"{where}: {error}; given up (attempts: {retries + 1}). Check the network and the server, or "
            "allow more retries or a longer timeout"
        ) from None  # all that is known stands in the sentence


def _alone(attempt: Callable[[], _Found]) -> _Found:
    try:
        return attempt()
    except TransientError:
        check()  # it failed because nobody waits for it
        raise
    finally:
        waits_on(None)


def retry_after(value: str | None) -> float:
    """Seconds that a Retry-After header asks for, given as such or as a date; 0 where it says nothing readable."""
    if not value:
        return 0.0
    if value.strip().isdecimal():
        return float(value)
    try:
        date = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, date.timestamp() - time.time())
