"""Threads that end with what they work for: an iteration that is left, a call that fails, the process."""

import atexit
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent import futures
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, TypeVar

__all__ = ["Stopped", "Work", "check", "held", "pause", "waits_on"]

_T = TypeVar("_T")
_LOOK = 0.1  # seconds between looks whether a thread that waits for another is to end
_LEAVE = 1.0  # seconds that the process waits for threads, when it ends, to be done with what they compute
_REST = 5.0  # seconds that a thread waits for further work: starting one takes as long as a small batch


class Stopped(Exception):
    """What this thread worked for has ended. Nobody reads it."""


class _End:
    """Whether work has ended, and the sockets that its threads wait on."""

    def __init__(self, wanted: Callable[[], bool]) -> None:
        self.brought, self.wanted = threading.Event(), wanted
        self.sockets: dict[int, socket.socket] = {}  # by thread

    def come(self) -> bool:
        return self.brought.is_set() or not self.wanted()

    def bring(self) -> None:
        self.brought.set()
        for waited_on in list(self.sockets.values()):
            with suppress(OSError):  # not connected any more
                socket.socket.shutdown(waited_on, socket.SHUT_RDWR)


class _Thread(threading.Thread):
    """Serves one work after another, and ends when none has asked for it for a while."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.asked: SimpleQueue[tuple[SimpleQueue[_Task | None], _End, str] | None] = SimpleQueue()
        self.tasks: SimpleQueue[_Task | None]
        self._rest()

    def run(self) -> None:
        while asked := self._asked():
            self.tasks, self.end, self.name = asked
            del asked
            while (task := self.tasks.get()) is not None:
                task.run(self.end)
                del task  # or an idle thread would keep its result
            self._rest()
            _RESTING.append(self)

    def leave(self) -> None:
        """End as soon as what is under way allows it."""
        self.end.bring()
        self.tasks.put(None)
        self.asked.put(None)

    def _rest(self) -> None:
        self.tasks = SimpleQueue()
        self.end, self.name = _End(lambda: True), "resting"

    def _asked(self) -> "tuple[SimpleQueue[_Task | None], _End, str] | None":
        while True:
            try:
                return self.asked.get(timeout=_REST)
            except Empty:
                with suppress(ValueError):  # somebody takes it at this moment
                    _RESTING.remove(self)
                    return None


_RESTING: deque[_Thread] = deque()  # the last one rested the least, so that the others end


def _thread() -> _Thread:
    try:
        return _RESTING.pop()
    except IndexError:
        thread = _Thread()
        thread.start()
        return thread


class _Task:
    def __init__(self, call: Callable[[], Any]) -> None:
        self.call, self.future = call, Future[Any]()

    def run(self, end: _End) -> None:
        if end.come():
            self.future.cancel()
        if self.future.set_running_or_notify_cancel():
            try:
                self.future.set_result(self.call())
            except BaseException as error:
                self.future.set_exception(error)


class Work:
    """A few threads, had as they are needed. Unlike those of an executor, nobody waits for them, exits included.

    When it is stopped, what has not begun is cancelled, and what waits (in `pause`, for a lock that is `held`, for a
    socket that it `waits_on`) raises `Stopped`, or an error that nobody reads. Work begun in a thread of other work is
    a part of that and ends with it. What `wanted` says also ends it, as soon as a thread looks. A context manager,
    which stops it.
    """

    def __init__(self, threads: int, name: str, wanted: Callable[[], bool] = lambda: True) -> None:
        here = threading.current_thread()
        self._whole = not isinstance(here, _Thread)
        self._end = here.end if isinstance(here, _Thread) else _End(wanted)
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._most, self._name = threads, name
        self._threads = 0

    def submit(self, call: Callable[[], _T]) -> "Future[_T]":
        """Have a thread call it."""
        task = _Task(call)
        if self._end.come():
            task.run(self._end)
            return task.future
        self._tasks.put(task)
        if self._threads < self._most:
            self._threads += 1
            _thread().asked.put((self._tasks, self._end, self._name))
        return task.future

    def stop(self) -> None:
        """End it. Returns at once: threads end as soon as they notice."""
        if self._whole:
            self._end.bring()
        with suppress(Empty):
            while task := self._tasks.get_nowait():
                task.future.cancel()
                task.future.set_running_or_notify_cancel()
        for _ in range(self._threads):
            self._tasks.put(None)

    def result(self, future: "Future[_T]") -> _T:
        """What a call gave, or raised; or `Stopped`, where that is not wanted any more."""
        try:
            while not future.done():
                with suppress(futures.TimeoutError):  # of this wait: what a call raises is given
                    future.exception(_LOOK)
                if not future.done() and self._end.come():
                    self.stop()
                    raise Stopped
            return future.result()
        except CancelledError:
            raise Stopped from None

    def __enter__(self) -> "Work":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def check() -> None:
    """Raise `Stopped` in a thread whose work has ended."""
    here = threading.current_thread()
    if isinstance(here, _Thread) and here.end.come():
        raise Stopped


def pause(seconds: float) -> None:
    """Sleep. Raises `Stopped` as soon as this thread's work has ended."""
    here = threading.current_thread()
    if isinstance(here, _Thread):
        here.end.brought.wait(seconds)
    else:
        time.sleep(seconds)
    check()


def waits_on(waited_on: socket.socket | None) -> None:
    """Note what this thread waits on from now on, so that its work can be ended; None: nothing. Raises `Stopped`."""
    here = threading.current_thread()
    if isinstance(here, _Thread):
        if waited_on is None:
            here.end.sockets.pop(threading.get_ident(), None)
            return
        here.end.sockets[threading.get_ident()] = waited_on
        check()


@contextmanager
def held(lock: threading.Lock) -> Iterator[None]:
    """Hold a lock. Raises `Stopped` where this thread's work ends before it has it."""
    while not lock.acquire(timeout=_LOOK):
        check()
    try:
        yield
    finally:
        lock.release()


@atexit.register
def _leave() -> None:
    """End all work; what computes may finish, since native code must not run on while the process is taken down."""
    threads = [thread for thread in threading.enumerate() if isinstance(thread, _Thread)]
    for thread in threads:
        thread.leave()
    deadline = time.monotonic() + _LEAVE
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def _leave_rest() -> None:
    """No thread rests while the process forks: children would not have it, and Python warns of threads."""
    resting = list(iter(_popped, None))
    for thread in resting:
        thread.asked.put(None)
    for thread in resting:
        thread.join(_LEAVE)


def _popped() -> _Thread | None:
    return _RESTING.pop() if _RESTING else None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_leave_rest, after_in_child=_RESTING.clear)
