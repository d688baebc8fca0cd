"""Tasks over processes that end with their parent, answer Ctrl-C, and lose no finished shard when one fails."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

import torch

from walloc_data.errors import DatasetError
from walloc_data.write.encode_shard import Job, ShardReport, write_shard
from walloc_data.write.plan import ShardTask

__all__ = ["run_tasks"]


def run_tasks(job: Job, tasks: list[ShardTask], workers: int, bar: Any) -> Iterator[tuple[str, ShardReport]]:
    """Write shards with `workers` processes (1: this one); give each name and report as it is done. `bar` is a tqdm."""
    if workers == 1 or len(tasks) <= 1:
        for task in tasks:
            yield task.name, write_shard(job, task, bar.update)
        return
    context = multiprocessing.get_context("spawn")
    counter = context.Value("q", 0)
    with ProcessPoolExecutor(
        min(workers, len(tasks)), mp_context=context, initializer=_start_worker, initargs=(job, counter, os.getpid())
    ) as pool:
        with _deferred_interrupt():
            pending: dict[Future[ShardReport], str] = {pool.submit(_work, task): task.name for task in tasks}
        failure: Exception | None = None
        try:
            while pending:
                finished, _ = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                bar.update(counter.value - bar.n)
                for future in finished:
                    name = pending.pop(future)
                    if future.cancelled():
                        continue
                    error = future.exception()
                    if error is None:
                        yield name, future.result()
                    elif failure is None:  # let running shards finish and be kept; start no more
                        failure = error if isinstance(error, Exception) else RuntimeError(str(error))
                        for waiting in pending:
                            waiting.cancel()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if isinstance(failure, BrokenProcessPool):
        raise DatasetError(
            f"a worker process died (killed, or out of memory: try fewer --workers). Finished shards of {job.out} are "
            "kept: run the same command again to go on"
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


_JOB: Job
_TICK: Callable[[int], None]


def _start_worker(job: Job, counter: Any, parent: int) -> None:
    global _JOB, _TICK
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # the parent says what there is to say
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def tick(samples: int) -> None:
        with counter.get_lock():
            counter.value += samples

    _JOB, _TICK = job, tick
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _work(task: ShardTask) -> ShardReport:
    return write_shard(_JOB, task, _TICK)
