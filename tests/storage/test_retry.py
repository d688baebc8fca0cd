import time
from email.utils import formatdate

import pytest

from walloc_data.errors import DatasetError
from walloc_data.storage.retry import TransientError, retry, retry_after


def failing(times, after=0.0):
    calls = []

    def attempt():
        calls.append(time.monotonic())
        if len(calls) <= times:
            raise TransientError(f"reason {len(calls)}", after)
        return calls

    return attempt, calls


def test_as_many_retries_as_allowed():
    attempt, _ = failing(2)
    assert len(retry(attempt, retries=2, where="here")) == 3
    attempt, calls = failing(3)
    with pytest.raises(DatasetError, match=r"^here: reason 3; given up \(attempts: 3\)"):
        retry(attempt, retries=2, where="here")
    assert len(calls) == 3


def test_pauses_grow_and_are_at_least_what_is_asked_for():
    attempt, _ = failing(2, after=0.2)
    first, second, third = retry(attempt, retries=2, where="here")
    assert 0.2 <= second - first < 5
    assert 0.2 <= third - second < 5


def test_other_errors_pass():
    with pytest.raises(KeyError):
        retry({}.popitem, retries=5, where="here")


@pytest.mark.parametrize("value", [None, "", "soon", "-5", "1.5", "Wed, 99 Foo 2020", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_what_asks_for_nothing(value):
    assert retry_after(value) == 0


def test_seconds_and_dates():
    assert retry_after("120") == 120
    assert 50 < retry_after(formatdate(time.time() + 60, usegmt=True)) <= 60
