"""Tasks over processes of this machine, which end with their parent and lose no finished shard when one fails."""

import multiprocessing
import os
import pickle
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

import torch

from walloc_data.errors import DatasetError, WallocError
from walloc_data.write.cores import usable_cores
from walloc_data.write.sending import picklable, pickled, unsendable

__all__ = ["LocalEngine", "default_workers", "end_if_unguarded"]

_WORTH_A_PROCESS = 1000  # samples, that take longer than starting it
_PARENT = "WALLOC_WORKER_OF"  # an environment variable of workers: the process that started them
_UNGUARDED = 77  # exit status of a worker that came upon the call which started it
_GUARD = (
    "workers are processes that import the script which starts them, and this one starts them wherever it is imported: "
    "put the call under `if __name__ == '__main__':`, or use workers=1"
)

_T = TypeVar("_T")
_R = TypeVar("_R")


def default_workers(samples: int) -> int:
    """As many processes as this one may use cores, and as so many samples are worth starting."""
    return max(1, min(usable_cores(), samples // _WORTH_A_PROCESS))


def end_if_unguarded() -> None:
    """Called first by all that may start processes: a worker that comes upon the call while it imports the script of
    its parent, and would start workers of its own and so on, ends in silence; the parent says why."""
    if _is_importing_main() and os.environ.get(_PARENT) == str(os.getppid()):
        os._exit(_UNGUARDED)


def _is_importing_main() -> bool:
    return bool(getattr(multiprocessing.current_process(), "_inheriting", False))


@dataclass(frozen=True)
class LocalEngine:
    """`workers` processes of this machine (1: this one alone)."""

    workers: int

    def run(
        self, work: Callable[[_T, Callable[[int], None]], _R], tasks: Sequence[_T], tick: Callable[[int], None]
    ) -> Iterator[tuple[_T, _R]]:
        """Do each task, and give it with its result as it is done; `tick` is told of samples meanwhile.

        `work` is pickled once. Raises what it raises, when the tasks that run then have ended, and `DatasetError`
        where a process dies.
        """
        if self.workers == 1 or len(tasks) <= 1:
            for task in tasks:
                yield task, work(task, tick)
        else:
            yield from _run_pool(self.workers, work, tasks, tick)


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    ready: bool = False
    task: Any = None


def _run_pool(
    workers: int, work: Callable[[_T, Callable[[int], None]], _R], tasks: Sequence[_T], tick: Callable[[int], None]
) -> Iterator[tuple[_T, _R]]:
    waiting = deque(tasks)
    failure: BaseException | None = None
    with _started(min(workers, len(tasks)), work) as team:
        busy = {worker.pipe: worker for worker in team}
        while busy:
            heard = set(wait(list(busy)))
            for worker in [one for pipe, one in busy.items() if pipe in heard]:
                try:
                    kind, value = worker.pipe.recv()
                except (EOFError, OSError):
                    failure = failure or _death(worker)
                    del busy[worker.pipe]
                    continue
                if kind == "samples":
                    tick(value)
                    continue
                if kind == "done":
                    yield worker.task, value
                elif kind == "failed":  # let running shards finish and be kept; start no more
                    failure = failure or _failure(*value)
                worker.ready = True
                if waiting and failure is None:
                    worker.task = waiting.popleft()
                    with suppress(OSError):  # as above
                        worker.pipe.send(worker.task)
                else:
                    del busy[worker.pipe]
    if failure is not None:
        raise failure


@contextmanager
def _started(workers: int, work: Callable[[_T, Callable[[int], None]], _R]) -> Iterator[list[_Worker]]:
    """Processes that wait for tasks. They are killed where this is left by an exception: what they write under
    temporary names is swept away, and what is finished is kept."""
    if _is_importing_main():
        raise DatasetError(_GUARD)
    context = multiprocessing.get_context("spawn")
    sent = pickled(work)  # by value, where multiprocessing would share tensors with the one that asks first
    team: list[_Worker] = []
    try:
        with _starting():
            for _ in range(workers):
                ours, theirs = context.Pipe()
                process = context.Process(target=_serve, args=(theirs,), daemon=True)
                process.start()
                theirs.close()
                team.append(_Worker(process, ours))
        for worker in team:
            with suppress(OSError):  # it is dead, which is seen when it is listened to
                worker.pipe.send_bytes(sent)
        yield team
    except BaseException:
        for worker in team:
            worker.process.kill()
        raise
    finally:
        for worker in team:
            worker.pipe.close()
            worker.process.join()


@contextmanager
def _starting() -> Iterator[None]:
    """Processes started meanwhile know whose they are, and are deaf to Ctrl-C until they can answer it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.environ[_PARENT] = str(os.getpid())
    try:
        yield
    finally:
        del os.environ[_PARENT]
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _death(worker: _Worker) -> DatasetError:
    worker.process.join()
    if worker.process.exitcode == _UNGUARDED:
        return DatasetError(_GUARD)
    if not worker.ready and worker.process.exitcode == 1:
        return DatasetError(f"a worker process could not start. Is the call that starts it guarded? {_GUARD}")
    return DatasetError(
        "a worker process died (killed, or out of memory: try fewer --workers). Finished shards are kept: run the "
        "same command again to go on"
    )


def _serve(pipe: Connection) -> None:
    """What a worker does: one task after another, until nobody asks."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # the parent says what there is to say
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def say(kind: str, value: Any) -> None:
        try:
            pipe.send((kind, value))
        except OSError:  # the parent is gone
            os._exit(1)

    with suppress(EOFError, OSError):  # of the pipe: nobody asks any more
        sent = pipe.recv_bytes()
        try:
            work = pickle.loads(sent)
        except Exception as error:
            say("failed", (unsendable(error), ""))
            return
        say("ready", None)
        while True:
            task = pipe.recv()
            try:
                result = work(task, lambda samples: say("samples", samples))
            except Exception as error:
                say("failed", (picklable(error), traceback.format_exc()))
            else:
                say("done", result)


def _failure(error: Exception, trace: str) -> Exception:
    """What a worker raised; where it is no sentence of ours, with where it came from."""
    if not isinstance(error, WallocError):
        error.__cause__ = RuntimeError(f"in a worker process:\n{trace}")
    return error
