"""Threads that end with what they work for, whatever they wait for."""

import socket
import threading

import pytest

from walloc_data.storage.work import Stopped, Work, check, held, pause, waits_on

SOON = 20.0


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
