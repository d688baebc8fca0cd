"""Iterations that end early: what they had under way ends with them, and nothing of it is left for a later one."""

import os
import signal
import subprocess
import sys
import threading
import time
from itertools import islice

import pytest

from tests.http_server import FileServer
from tests.test_streaming import keys, stream
from walloc_data import StorageOptions
from walloc_data.errors import DatasetError

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*set_vital:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*worker processes in total:UserWarning"),
]
SOON = 20.0  # seconds that a busy machine may take for what takes a moment; what is left alone takes 30 or more


@pytest.fixture(scope="module")
def scattered(photos, sharded, tmp_path_factory):
    """60 train photographs in records of one, so that an epoch takes many requests."""
    return sharded(photos, tmp_path_factory.mktemp("scattered") / "out", block=1)


@pytest.fixture
def server(scattered):
    with FileServer(scattered) as running:
        yield running


def over(server, tmp_path, **options):
    return stream(server.url, batch_size=2, storage=StorageOptions(cache_dir=tmp_path / "cache"), **options)


def busy():
    return [thread for thread in threading.enumerate() if thread.name.startswith("walloc")]


def warm(one, server):
    """Have a few batches in memory, and nothing under way."""
    server.latency = 0.1
    assert len(list(islice(one, 3))) == 3
    idle_soon()
    server.latency = 0.0


def until(what):
    deadline = time.monotonic() + SOON
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def idle_soon():
    until(lambda: not busy())


def test_what_was_under_way_ends_with_a_loop_that_is_left(server, tmp_path):
    one = over(server, tmp_path)
    warm(one, server)
    server.faults = {"hang": 1.0}
    for number, _ in enumerate(one):
        if number == 2:
            break
    idle_soon()
    with pytest.raises(ZeroDivisionError):
        sum(1 / 0 for _ in one)
    idle_soon()


def test_no_error_and_no_wait_is_left_for_the_next_iteration(server, scattered, tmp_path):
    one = stream(server.url, batch_size=2, threads=2, storage=StorageOptions(cache_dir=tmp_path, retries=0))
    warm(one, server)
    server.faults = {"503": 1.0}
    batches = iter(one)
    assert len(list(islice(batches, 2))) == 2  # from the second on, what follows is read ahead
    until(lambda: server.given["503"] >= 2)
    with pytest.raises(DatasetError, match="503"):
        list(batches)
    idle_soon()
    server.faults = {"hang": 1.0}
    batches = iter(one)
    assert len(list(islice(batches, 2))) == 2  # from the second on, what follows is read ahead
    until(lambda: server.given["hang"])
    server.faults = {}
    assert keys(one) == keys(stream(scattered, batch_size=2))  # the older iteration is there, and ended
    idle_soon()


def test_leftovers_are_no_damage(server, tmp_path, caplog):
    one = over(server, tmp_path, on_damage="skip", threads=2)
    warm(one, server)
    server.faults = {"hang": 1.0}
    assert len(list(islice(one, 2))) == 2
    idle_soon()
    assert one.damaged == 0
    assert "left out" not in caplog.text


@pytest.mark.parametrize("workers", [0, 2])
def test_one_iteration_at_a_time(dataset, workers):
    loader = stream(dataset).loader(num_workers=workers)
    with pytest.raises(DatasetError, match=r"iterated anew.*one at a time"):
        list(zip(loader, loader, strict=True))
    with pytest.raises(DatasetError, match="iterated anew"):
        [list(loader) for _ in loader]
    one = stream(dataset)
    with pytest.raises(DatasetError, match="iterated anew"):
        list(zip(one, one, strict=True))
    loader.stream.set_epoch(0)
    assert keys(loader) == keys(stream(dataset))
    pairs = zip(loader, stream(dataset).loader(num_workers=workers), strict=True)
    assert len(list(pairs)) == 9


def test_persistent_workers_begin_again_without_what_was_left(server, scattered, tmp_path):
    loader = over(server, tmp_path).loader(num_workers=1, persistent_workers=True, prefetch_factor=1)
    warm(loader, server)
    server.faults = {"hang": 1.0}
    assert len(list(islice(loader, 2))) == 2
    server.faults = {}
    assert keys(loader) == keys(stream(scattered, batch_size=2))


PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs the tests in the background may have it ignored
from walloc_data import StorageOptions, StreamingLatentDataset
one = StreamingLatentDataset(sys.argv[1], batch_size=2, storage=StorageOptions(cache_dir=sys.argv[2]))
workers = int(sys.argv[3])
batches = iter(one.loader(num_workers=workers, prefetch_factor=16 if workers else None))  # half an epoch each
next(batches), next(batches)  # from the second on, as much is read ahead as there is room for
print("begun", flush=True)
input()
if sys.argv[4] == "interrupted":
    for _ in batches:
        pass
"""


@pytest.mark.parametrize("how", ["by itself", "interrupted"])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_process_leaves_a_server_that_hangs_at_once(server, tmp_path, workers, how):
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, server.url, tmp_path, str(workers), how]
    # Enough for what opens the dataset and for all that one worker reads, so that the other has its first batch too;
    # the 60 records that are wanted are more.
    server.script = [""] * 48 + ["hang"] * 100
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, text=True, start_new_session=True, **pipes) as process:
        try:
            assert process.stdout.readline() == "begun\n"
            until(lambda: server.given["hang"])
            process.stdin.write("\n")
            process.stdin.flush()
            if how == "interrupted":
                time.sleep(0.5)  # until it waits for a batch: there is nothing to see
                os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            _, said = process.communicate(timeout=SOON)
        finally:
            process.kill()
    assert process.returncode == (-signal.SIGINT if how == "interrupted" else 0)
    assert said.count("KeyboardInterrupt") == (how == "interrupted")
