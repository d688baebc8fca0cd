"""Tasks over processes that end with their parent, answer Ctrl-C, and lose no finished shard when one fails."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from walloc_data.errors import DatasetError

__all__ = ["LocalEngine", "default_workers"]

_WORTH_A_PROCESS = 1000  # samples, that take longer than starting it

_T = TypeVar("_T")
_R = TypeVar("_R")


def default_workers(samples: int) -> int:
    """As many processes as this one may use cores, and as so many samples are worth starting."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, samples // _WORTH_A_PROCESS))


@dataclass(frozen=True)
class LocalEngine:
    """`workers` processes of this machine (1: this one alone)."""

    workers: int

    def run(
        self, work: Callable[[_T, Callable[[int], None]], _R], tasks: Sequence[_T], tick: Callable[[int], None]
    ) -> Iterator[tuple[_T, _R]]:
        """Do each task, and give it with its result as it is done; `tick` is told of samples meanwhile.

        `work` is pickled once a process. Raises what it raises, when the tasks that run then have ended, and
        `DatasetError` where a process dies.
        """
        if self.workers == 1 or len(tasks) <= 1:
            for task in tasks:
                yield task, work(task, tick)
        else:
            yield from _run_pool(self.workers, work, tasks, tick)


def _run_pool(
    workers: int, work: Callable[[_T, Callable[[int], None]], _R], tasks: Sequence[_T], tick: Callable[[int], None]
) -> Iterator[tuple[_T, _R]]:
    context = multiprocessing.get_context("spawn")
    counter, told = context.Value("q", 0), 0
    with ProcessPoolExecutor(
        min(workers, len(tasks)), mp_context=context, initializer=_start_worker, initargs=(work, counter, os.getpid())
    ) as pool:
        with _deferred_interrupt():
            pending: dict[Future[_R], _T] = {pool.submit(_work, task): task for task in tasks}
        failure: Exception | None = None
        try:
            while pending:
                finished, _ = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                done = counter.value
                tick(done - told)
                told = done
                for future in finished:
                    task = pending.pop(future)
                    if future.cancelled():
                        continue
                    error = future.exception()
                    if error is None:
                        yield task, future.result()
                    elif failure is None:  # let running shards finish and be kept; start no more
                        failure = error if isinstance(error, Exception) else RuntimeError(str(error))
                        for waiting in pending:
                            waiting.cancel()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if isinstance(failure, BrokenProcessPool):
        raise DatasetError(
            "a worker process died (killed, or out of memory: try fewer --workers). Finished shards are kept: run the "
            "same command again to go on"
        ) from failure
    if failure is not None:
        raise failure


@contextmanager
def _deferred_interrupt() -> Iterator[None]:
    """Processes started meanwhile are deaf to Ctrl-C too, until they can answer it without a traceback."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


_WORK: Callable[[Any, Callable[[int], None]], Any]
_TICK: Callable[[int], None]


def _start_worker(work: Callable[[Any, Callable[[int], None]], Any], counter: Any, parent: int) -> None:
    global _WORK, _TICK
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # the parent says what there is to say
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def tick(samples: int) -> None:
        with counter.get_lock():
            counter.value += samples

    _WORK, _TICK = work, tick
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _work(task: Any) -> Any:
    return _WORK(task, _TICK)
