"""Tasks over the nodes of a Ray cluster: another node does again what one that was lost had begun."""

import hashlib
import importlib
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from walloc_data.errors import DatasetError
from walloc_data.write.cores import usable_cores
from walloc_data.write.ray_node import by_value, installed
from walloc_data.write.sending import pickled

__all__ = ["RayEngine"]

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113, section 3.4
_NO_SETTINGS = b"\0\0\0\x04\0\0\0\0\0"  # a frame of type 4
_TRIES = 10  # of one task, before what kills it is taken to be the task
_CONNECT = 10.0  # seconds that a cluster has to answer
_LOOK = 0.5  # seconds between looks at the progress of tasks
_COUNT = 5.0  # seconds between counts of cores: clusters grow
_AHEAD = 4  # tasks, for so many cores, that are ready for the first that is free
_LEAVE = 10.0  # seconds that tasks have to end when they are not wanted any more

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class RayEngine:
    """A task on each core of the cluster at `address` (None: one of this machine alone, which ends with the run), or
    `most` tasks at a time.

    Tasks are handed out as cores come free, so neither this process nor the cluster holds more than those and their
    results.
    """

    address: str | None
    most: int | None

    @classmethod
    def at(cls, address: str | None, most: int | None) -> "RayEngine":
        """The engine; nothing is started yet. Raises `DatasetError` without Ray, or where nobody answers."""
        _ray()
        address = address or os.environ.get("RAY_ADDRESS") or None
        host, _, port = (address or "").rpartition("://")[2].rpartition(":")
        if port.isdecimal():
            try:
                _greet(host.strip("[]"), int(port))
            except OSError as error:
                raise DatasetError(
                    f"the Ray cluster at {address} cannot be reached ({error}): check --address, which is that of `ray "
                    "start` on its head, and the network"
                ) from error
        return cls(None if address == "local" else address, most)

    def run(
        self, work: Callable[[_T, Callable[[int], None]], _R], tasks: Sequence[_T], tick: Callable[[int], None]
    ) -> Iterator[tuple[_T, _R]]:
        """Do each task, and give it with its result as it is done; `tick` is told of samples meanwhile.

        A task whose process or node is lost is done again, by any that is left. Raises what `work` raises, when the
        tasks that run then have ended, and `DatasetError` for a node with other packages, for a task that is lost again
        and again, and where the cluster lets nobody in.
        """
        if not tasks:
            return
        sent = pickled(work)
        with _connected(self.address, self.most) as ray:
            run = _Run(ray, sent, tasks, tick, self.most)
            try:
                for index, result in run.results():
                    yield tasks[index], result
            finally:
                run.leave()


@dataclass
class _Run:
    """Tasks under way, by the reference of their result: their number, and how often they have been lost."""

    ray: Any
    sent: bytes
    tasks: Sequence[Any]
    tick: Callable[[int], None]
    most: int | None
    running: dict[Any, tuple[int, int]] = field(default_factory=dict)
    told: dict[int, int] = field(default_factory=dict)  # samples of unfinished tasks that were counted

    def __post_init__(self) -> None:
        ray, self._cores, self._counted, self._asked = self.ray, 1, 0.0, 0.0
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=True
        )
        self._counter = ray.remote(num_cpus=0, scheduling_strategy=here)(_counter()).remote()
        self._task = ray.remote(num_cpus=1, max_retries=0, scheduling_strategy="SPREAD")(by_value())
        self._shared = (
            installed(),
            self._counter,
            hashlib.sha256(self.sent).digest(),
            ray.put(self.sent),
            os.getcwd(),
        )

    def results(self) -> Iterator[tuple[int, Any]]:
        waiting = deque((index, 0) for index in range(len(self.tasks)))
        failure: Exception | None = None
        while self.running or (waiting and failure is None):
            while waiting and failure is None and len(self.running) < self._at_once():
                index, lost = waiting.popleft()
                self.running[self._task.remote(*self._shared, index, self.tasks[index])] = (index, lost)
            ready, _ = self.ray.wait(list(self.running), timeout=_LOOK)
            self._progress()
            for reference in ready:
                index, lost = self.running.pop(reference)
                try:
                    kind, value = self.ray.get(reference)
                except self.ray.exceptions.RayError as error:
                    self._count(index, 0)
                    if lost + 1 < _TRIES:
                        waiting.appendleft((index, lost + 1))
                    else:
                        failure = failure or _lost(error, lost + 1)
                    continue
                if kind == "done":
                    result, done = value
                    self._count(index, done)
                    del self.told[index]
                    yield index, result
                else:  # let those that run finish and be kept; start no more
                    failure = failure or (_other(value) if kind == "other" else value)
        if failure is not None:
            raise failure

    def leave(self) -> None:
        """End what still runs."""
        for reference in self.running:
            with suppress(Exception):  # it has ended, or the cluster has
                self.ray.cancel(reference, force=True)
        if self.running:
            with suppress(Exception):
                self.ray.wait(list(self.running), num_returns=len(self.running), timeout=_LEAVE)

    def _at_once(self) -> int:
        if self.most is not None:
            return self.most
        if time.monotonic() - self._counted > _COUNT:
            self._cores = max(1, int(self.ray.cluster_resources().get("CPU", 0)))
            self._counted = time.monotonic()
        return self._cores + -(-self._cores // _AHEAD)

    def _progress(self) -> None:
        if time.monotonic() - self._asked < _LOOK:  # whoever waits for a task is served first
            return
        self._asked = time.monotonic()
        under_way = {index for index, _ in self.running.values()}
        with suppress(self.ray.exceptions.RayError):  # the counter is lost: shards count when they are done
            for index, done in self.ray.get(self._counter.take.remote(), timeout=_CONNECT).items():
                if index in under_way:
                    self._count(index, done)

    def _count(self, index: int, done: int) -> None:
        before, self.told[index] = self.told.get(index, 0), done
        if done != before:
            self.tick(done - before)


def _ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise DatasetError(f"engine 'ray' needs Ray ({error}): pip install 'walloc-data[ray]'") from error


@contextmanager
def _connected(address: str | None, cores: int | None) -> Iterator[Any]:
    """Ray, connected to a cluster, if this process is not in one already."""
    ray = _ray()
    if ray.is_initialized():
        yield ray
        return
    if address is None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # what we start tells nobody of it
        options: dict[str, Any] = {"address": "local", "num_cpus": cores or usable_cores(), "include_dashboard": False}
    else:
        options = {"address": address}
    failure = _init(ray, options)
    where = "a Ray cluster of this machine cannot be started" if address is None else f"the Ray cluster at {address}"
    if failure is not None:
        said = " ".join(str(failure).split()) or type(failure).__name__
        whether = "" if address is None else " lets nobody in"
        raise DatasetError(f"{where}{whether} ({said}): check --address, and that its Ray is the one here") from failure
    try:
        yield ray
    finally:
        ray.shutdown()


def _init(ray: Any, options: dict[str, Any]) -> BaseException | None:
    """Start Ray, or connect to it. SIGTERM stays with whoever answers it."""
    here = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**options, log_to_driver=False, logging_level="error")
    except Exception as error:
        return error
    finally:
        if here:
            signal.signal(signal.SIGTERM, before)
    return None


def _greet(host: str, port: int) -> None:
    """Have a server greeted as HTTP/2, on which Ray's calls travel. Raises `OSError` for one that does not answer so:
    Ray would wait for it a minute, and then end this process."""
    with socket.create_connection((host, port), _CONNECT) as connection:
        if os.environ.get("RAY_USE_TLS") != "1":
            connection.sendall(_PREFACE + _NO_SETTINGS)
            if connection.recv(9)[3:4] != _NO_SETTINGS[3:4]:
                raise OSError("what answers there is no Ray")


def _counter() -> type:
    """A class of an actor, given by value as tasks are: samples done of each task that runs."""

    class Counter:
        def __init__(self) -> None:
            self.done: dict[int, int] = {}

        def put(self, index: int, done: int) -> None:
            self.done[index] = done

        def take(self) -> dict[int, int]:
            done, self.done = self.done, {}
            return done

    return Counter


def _lost(error: Exception, times: int) -> DatasetError:
    why = " ".join(str(error).split("\n")[0].split())
    return DatasetError(
        f"a task was lost {times} times, with its process or its node (killed, or out of memory: try fewer --workers; "
        f"{type(error).__name__}: {why}). Finished shards are kept: run the same command again to go on"
    )


def _other(what: str) -> DatasetError:
    return DatasetError(
        f"{what}: install the same on all nodes, since the bytes of a dataset depend on it; finished shards are kept"
    )
