"""Threads that end with what they work for, whatever they wait for."""

import os
import signal
import socket
import threading
import time
import weakref
from collections import deque
from functools import partial

import pytest

from walloc_data.storage import work as threads
from walloc_data.storage.work import Stopped, Work, check, held, pause, waits_on

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
SOON = 20.0


class Thing:
    """Something that can be watched."""


def waiting(work, wait_for):
    """The future of a call that has begun to wait."""
    begun = threading.Event()

    def call():
        begun.set()
        return wait_for()

    future = work.submit(call)
    assert begun.wait(SOON)
    return future


def hold(lock):
    with held(lock):
        return "held"


def receive(connection):
    waits_on(connection)
    data = connection.recv(1)
    check()
    return data


def test_what_waits_ends_when_it_is_stopped():
    lock, (here, there) = threading.Lock(), socket.socketpair()
    lock.acquire()
    with here, there, Work(4, "test") as work:
        futures = [waiting(work, lambda: pause(60)), waiting(work, lambda: hold(lock))]
        futures.append(waiting(work, lambda: receive(here)))
        work.stop()
        for future in futures:
            with pytest.raises(Stopped):
                future.result(SOON)


def test_what_has_not_begun_is_cancelled():
    work = Work(1, "test")
    first, second = waiting(work, lambda: pause(60)), work.submit(lambda: 1)
    work.stop()
    for future in (first, second, work.submit(lambda: 2)):
        with pytest.raises(Stopped):
            work.result(future)


def test_work_of_work_ends_with_it():
    def more():
        with Work(2, "inner") as inner:
            return inner.result(inner.submit(lambda: pause(60)))

    work = Work(1, "outer")
    future = waiting(work, more)
    work.stop()
    with pytest.raises(Stopped):
        future.result(SOON)


def test_work_ends_when_it_is_not_wanted():
    wanted = [True]
    work = Work(1, "test", lambda: bool(wanted))
    future = waiting(work, lambda: pause(60))
    wanted.clear()
    with pytest.raises(Stopped):
        work.result(future)


def test_results_and_errors_are_those_of_the_call():
    with Work(2, "test") as work:
        assert work.result(work.submit(lambda: 3)) == 3
        with pytest.raises(ZeroDivisionError):
            work.result(work.submit(lambda: 1 // 0))
    check()
    pause(0)
    assert hold(threading.Lock()) == "held"


def resting():
    return [thread for thread in threading.enumerate() if thread.name == "resting"]


def test_a_thread_serves_one_work_after_another_and_keeps_nothing_of_it(monkeypatch):
    deadline = time.monotonic() + SOON
    while {each for each in threading.enumerate() if isinstance(each, threads._Thread)} - set(threads._RESTING):
        # those of other tests, which would rest among ours
        assert time.monotonic() < deadline
        time.sleep(0.001)
    at_rest = deque()
    monkeypatch.setattr("walloc_data.storage.work._RESTING", at_rest)
    kept, whose = [], []
    for _ in range(3):
        with Work(1, "test") as work:
            held_by, future = Thing(), work.submit(threading.get_ident)
            kept.append(weakref.ref(held_by))
            whose.append(work.result(future))
            work.result(work.submit(partial(repr, held_by)))
            del held_by, future
        deadline = time.monotonic() + SOON
        while not at_rest or kept[-1]() is not None:
            assert time.monotonic() < deadline
            time.sleep(0.001)
    assert len(set(whose)) == 1


def test_no_thread_rests_while_the_process_forks():
    with Work(3, "test") as work:
        for future in [work.submit(lambda: pause(0.01)) for _ in range(3)]:
            work.result(future)
    deadline = time.monotonic() + SOON
    while not resting():
        assert time.monotonic() < deadline
    child = os.fork()
    if not child:
        try:
            signal.alarm(20)
            with Work(1, "test") as work:
                os._exit(work.result(work.submit(lambda: 7)))
        finally:
            os._exit(255)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
