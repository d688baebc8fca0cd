"""One cache among real processes: started, forked, stopped and killed."""

import multiprocessing
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.http_server import FileServer
from walloc_data.storage import StorageOptions, open_storage
from walloc_data.storage.cache import DiskCache
from walloc_data.storage.locks import acquire, release

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.storage.test_processes"])
NAME = "a b.tar"


def run(work, *arguments_of_each):
    """Run work in as many processes at once; their results come in order."""
    queue = CONTEXT.SimpleQueue()
    processes = [
        CONTEXT.Process(target=_report, args=(queue, number, work, arguments))
        for number, arguments in enumerate(arguments_of_each)
    ]
    for process in processes:
        process.start()
    found = dict(queue.get() for _ in processes)
    for process in processes:
        process.join()
        process.close()
    return [found[number] for number in range(len(found))]


def _report(queue, number, work, arguments):
    try:
        queue.put((number, work(*arguments)))
    except BaseException as error:
        queue.put((number, repr(error)))
        raise


def held(folder):
    total = 0
    for name in ("entries", "tmp"):
        for path in (folder / "v1" / name).rglob("*"):
            try:
                total += path.stat().st_size if path.is_file() else 0
            except FileNotFoundError:
                continue
    return total


def content(name):
    return bytes([name]) * (200 + 37 * name)


def _hammer(folder, bound, seed, rounds):
    cache, draw = DiskCache(folder, bound, patience=5), random.Random(seed)
    wrong = hits = highest = 0
    for number in range(rounds):
        name = draw.randrange(60)
        key = DiskCache.key(str(name))
        with cache.lock(key):
            found = cache.get(key, len(content(name)))
            if found is None:
                cache.put(key, content(name))
            else:
                hits += 1
                wrong += found != content(name)
        if number % 20 == 0:
            counter = acquire(folder / "v1" / "total", 60)  # while it is held, nobody makes room or takes it
            highest = max(highest, held(folder))
            release(counter)
    return wrong, hits, highest


def test_four_processes_hold_the_bound_and_read_no_wrong_byte(tmp_path):
    bound = 30_000  # of 78,000 bytes in all
    found = run(_hammer, *((tmp_path, bound, seed, 800) for seed in range(4)))
    assert [wrong for wrong, _, _ in found] == [0] * 4
    assert all(hits > 100 for _, hits, _ in found)
    # A file renamed while the folder is listed may be seen twice, or not at all: hence one entry more.
    assert all(bound // 2 < highest <= bound + 4 * len(content(60)) for _, _, highest in found)
    assert held(tmp_path) <= bound
    assert not list((tmp_path / "v1" / "tmp").iterdir())


def _put_until_killed(folder, ready):
    cache = DiskCache(folder, 1 << 30, patience=5)
    ready.put(os.getpid())
    for number in range(10_000):
        cache.put(DiskCache.key(str(number % 3)), bytes([number % 3]) * (8 << 20))


def test_processes_killed_in_mid_write_leave_nothing_that_hurts(tmp_path):
    for _ in range(3):
        ready = CONTEXT.SimpleQueue()
        process = CONTEXT.Process(target=_put_until_killed, args=(tmp_path, ready))
        process.start()
        ready.get()
        deadline = time.monotonic() + 10
        while not _written_by_half(tmp_path / "v1" / "tmp") and time.monotonic() < deadline:
            time.sleep(0)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        process.close()
    cache = DiskCache(tmp_path, 1 << 30, patience=5)
    for number in range(3):
        key = DiskCache.key(str(number))
        assert cache.get(key) in (None, bytes([number]) * (8 << 20))
        begun = time.monotonic()
        with cache.lock(key):
            cache.put(key, b"data")
        assert time.monotonic() - begun < 1
        assert cache.get(key) == b"data"
    assert list((tmp_path / "v1" / "tmp").iterdir()) == []
    (tmp_path / "v1" / "total").unlink()
    cache.put(DiskCache.key("other"), b"data")
    assert int.from_bytes((tmp_path / "v1" / "total").read_bytes(), "little") == held(tmp_path)


def _written_by_half(folder):
    """Whether an entry is being written (its room is taken at once, its bytes come later)."""
    try:
        return any(path.stat().st_blocks > 0 for path in folder.iterdir())
    except FileNotFoundError:
        return False


def _hold(folder, key, ready):
    with DiskCache(folder, 1000, patience=5).lock(key):
        ready.put(os.getpid())
        time.sleep(60)


@pytest.mark.parametrize(("sent", "patience"), [(signal.SIGKILL, 30.0), (signal.SIGSTOP, 0.3)])
def test_a_holder_that_is_killed_or_stopped_holds_nobody_up(tmp_path, sent, patience):
    key, ready = DiskCache.key("a"), CONTEXT.SimpleQueue()
    process = CONTEXT.Process(target=_hold, args=(tmp_path, key, ready))
    process.start()
    os.kill(ready.get(), sent)
    begun = time.monotonic()
    with DiskCache(tmp_path, 1000, patience=patience).lock(key):
        assert time.monotonic() - begun < 5
    process.kill()
    process.join()
    process.close()


def _read(storage, name, span, times):
    data = b""
    for _ in range(times):
        data = storage.read(name) if span is None else storage.read_range(name, *span, version="1")
    return data, storage.requests


@pytest.mark.parametrize(("name", "span"), [(NAME, (1000, 90_000)), ("walloc.json", None)], ids=["range", "manifest"])
def test_one_request_a_node(server, folder, opened, name, span):
    server.latency = 0.3
    storage = opened(server.url)
    found = run(_read, *((storage, name, span, 3) for _ in range(4)))
    data = (folder / name).read_bytes()
    assert [one for one, _ in found] == [data[slice(*span)] if span else data] * 4
    assert server.requests == sum(requests for _, requests in found) == 1


def _read_all(storage, seed, size, step):
    starts = list(range(0, size - step, step))
    random.Random(seed).shuffle(starts)
    return {start: storage.read_range(NAME, start, start + step, version="1") for start in starts}


def test_two_processes_share_a_cache_among_faults(folder, opened):
    kinds = ("reset", "truncated", "503", "429")
    with FileServer(folder, latency=0.005, faults=dict.fromkeys(kinds, 0.02 / len(kinds)), seed=1) as server:
        storage = opened(server.url, cache_bytes=100_000)
        found = run(_read_all, *((storage, seed, 300_000, 2_000) for seed in range(2)))
        assert server.requests > server.given[""]
    data = (folder / NAME).read_bytes()
    for ranges in found:
        assert len(ranges) == 149
        assert all(one == data[start : start + 2_000] for start, one in ranges.items())


def _fork_and_read(storage, name, span):
    """What a child, forked while the parent has a connection open, reads; and the parent after it."""
    before = storage.read_range(name, *span)
    receiving, sending = os.pipe()
    child = os.fork()
    if not child:
        data = storage.read_range(name, *span) + str(storage.requests).encode()
        os.write(sending, data)
        os._exit(0)
    os.close(sending)
    parts = []
    while part := os.read(receiving, 1 << 16):
        parts.append(part)
    os.close(receiving)
    status = os.waitpid(child, 0)[1]
    return before, b"".join(parts), storage.read_range(name, *span), storage.requests, status


def test_storage_survives_a_fork(server, folder, opened):
    before, child, after, requests, status = run(_fork_and_read, (opened(server.url), NAME, (5, 3000)))[0]
    data = (folder / NAME).read_bytes()[5:3000]
    assert (before, child, after, requests, status) == (data, data + b"1", data, 2, 0)
    assert server.connections == 2  # the parent goes on with its own


def _fork_amid_threads(storage, name, size):
    """Fork again and again while threads read, hold locks and write entries; each child reads some too."""
    with ThreadPoolExecutor(4) as pool:
        reading = [pool.submit(_read_all, storage, seed, size, 2_000) for seed in range(4)]
        children = []
        while not all(one.done() for one in reading) and len(children) < 20:
            child = os.fork()
            if not child:
                signal.alarm(60)
                ranges = _read_all(storage, len(children), 20_000, 2_000)
                os._exit(len(ranges))
            children.append(child)
            time.sleep(0.02)
        lengths = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        return lengths, [one.result() for one in reading]


def test_forks_amid_reading_threads_neither_hang_nor_fail(server, folder, opened):
    server.latency = 0.002
    lengths, found = run(_fork_amid_threads, (opened(server.url, cache_bytes=50_000), NAME, 200_000))[0]
    data = (folder / NAME).read_bytes()
    assert lengths
    assert set(lengths) == {9}
    assert all(one == data[start : start + 2_000] for ranges in found for start, one in ranges.items())


def _fill_the_disk(url, cache_dir, span):
    import logging
    import resource

    messages = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logging.getLogger("walloc_data").addHandler(handler)
    storage = open_storage(url, StorageOptions(cache_dir=cache_dir))
    early = storage.read_range(NAME, 0, 100, version="1")
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))  # no file may grow beyond 4 KiB
    found = [storage.read_range(NAME, *span, version="1") for _ in range(2)]
    again = storage.read_range(NAME, 0, 100, version="1")
    return early == again, found, messages, storage.requests


def test_a_disk_that_fills_ends_the_cache_and_not_the_run(server, folder, tmp_path):
    same, found, messages, requests = run(_fill_the_disk, (server.url, tmp_path, (0, 90_000)))[0]
    assert same
    assert found == [(folder / NAME).read_bytes()[:90_000]] * 2
    assert len(messages) == 1
    assert str(tmp_path) in messages[0]
    assert "Free some space" in messages[0]
    assert requests == 3  # what was kept before still serves
    assert list((tmp_path / "v1" / "tmp").iterdir()) == []


def test_a_cache_folder_is_shared_by_path(server, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("WALLOC_CACHE", str(tmp_path))
    storage = open_storage(server.url)
    data = storage.read_range(NAME, 0, 10, version="1")
    monkeypatch.chdir(Path("/"))
    assert open_storage(server.url).read_range(NAME, 0, 10, version="1") == data
    assert server.requests == 1
