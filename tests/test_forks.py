"""Processes forked at the worst moment: while another thread holds every lock that the child inherits."""

import gc
import os
import signal
import threading
import types
from concurrent.futures import wait
from contextlib import contextmanager

import pytest
import torch

from tests.http_server import FileServer
from tests.test_streaming import keys, stream
from walloc_data import LatentDataset, StorageOptions

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*set_vital:UserWarning"),
]
LOCKS = (type(threading.Lock()), type(threading.RLock()))
APART = (types.ModuleType, types.FunctionType, type, threading.Thread)  # whose locks are not those of a stream


def locks_in(*roots):
    """Every lock that can be reached from objects."""
    seen, found, ahead = set(), [], list(roots)
    while ahead:
        one = ahead.pop()
        if id(one) in seen or isinstance(one, APART):
            continue
        seen.add(id(one))
        if isinstance(one, LOCKS):
            found.append(one)
        ahead += gc.get_referents(one)
    return found


@contextmanager
def held_by_another_thread(locks):
    holds, release = threading.Event(), threading.Event()

    def hold():
        taken = [lock for lock in locks if lock.acquire(blocking=False)]
        holds.set()
        release.wait()
        for lock in taken:
            lock.release()

    thread = threading.Thread(target=hold)
    thread.start()
    holds.wait()
    yield
    release.set()
    thread.join()


def forked(work):
    """The exit status of a child that does some work, and is ended if it hangs."""
    child = os.fork()
    if not child:
        signal.alarm(20)
        try:
            torch.set_num_threads(1)  # as in the workers of a loader: threads do not outlive a fork
            os._exit(work())
        finally:
            os._exit(255)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("where", ["folder", "web"])
def test_a_child_finds_no_lock_held(dataset, tmp_path, where):
    with FileServer(dataset) as server:
        root = server.url if where == "web" else dataset
        options = {"storage": StorageOptions(cache_dir=tmp_path)}
        one, samples = stream(root, threads=2, ahead_bytes=1, **options), LatentDataset(root, **options)
        batches = iter(one)
        next(batches)
        assert samples[3]
        wait(
            one._steps.batches._ahead[1]._pending.values()
        )  # or threads that are held up hold files of the cache locked
        locks = locks_in(one, samples, batches)
        assert len(locks) > 4
        with held_by_another_thread(locks):
            assert forked(lambda: len(keys(one))) == 60
            assert forked(lambda: len(list(samples))) == 60
            assert forked(lambda: len(keys(batches))) == 53
        assert len(keys(batches)) == 53


def test_workers_start_while_threads_read_ahead(dataset, tmp_path):
    with FileServer(dataset, latency=0.002) as server:
        for number in range(4):
            one = stream(server.url, batch_size=4, storage=StorageOptions(cache_dir=tmp_path / str(number)))
            other = stream(server.url, batch_size=1, storage=StorageOptions(cache_dir=tmp_path / str(number)))
            batches = [iter(one), iter(one), iter(other)]
            for each in batches:
                next(each)
            assert len(keys(one.loader(num_workers=2, timeout=30))) == 60


def test_ranks_that_are_forked_are_each_at_an_epoch_of_their_own(dataset):
    one = stream(dataset)
    batches = iter(one)
    next(batches)

    def rank():
        one.set_epoch(4)
        return len(keys(one)) if one.epoch == 4 else 1

    assert forked(rank) == 60
    assert one.epoch == 0
    assert len(keys(batches)) == 53
    assert one.epoch == 1
