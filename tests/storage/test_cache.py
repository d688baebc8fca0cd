import fcntl
import logging
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from walloc_data.storage.cache import DiskCache

HEADER = 16


def entry(cache_folder, key):
    return cache_folder / "v1" / "entries" / key[:1] / key[1:]


def held(folder):
    """Bytes of all entries and temporaries."""
    return sum(
        path.stat().st_size
        for name in ("entries", "tmp")
        for path in (folder / "v1" / name).rglob("*")
        if path.is_file()
    )


@pytest.fixture
def cache(tmp_path):
    return DiskCache(tmp_path / "cache", 10_000, patience=1)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def keys(count):
    return [DiskCache.key("key", str(number)) for number in range(count)]


def test_what_is_put_is_got(cache):
    one, other = keys(2)
    assert cache.get(one) is None
    cache.put(one, b"data")
    assert (cache.get(one), cache.get(one, 4), cache.get(other)) == (b"data", b"data", None)
    cache.put(one, b"other data")
    assert cache.get(one) == b"other data"
    cache.put(other, b"")
    assert cache.get(other, 0) == b""


def test_parts_of_a_key_do_not_run_together():
    assert DiskCache.key("a", "bc") != DiskCache.key("ab", "c")
    assert DiskCache.key("a\udcff") == DiskCache.key("a\udcff")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:10],
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: bytes(len(data)),
        lambda data: data[:8] + b"\xff" * 8 + data[16:],
    ],
    ids=["empty", "half a header", "short", "long", "zeros", "hostile length"],
)
def test_entries_of_a_wrong_length_are_dropped(cache, folder, damage):
    key = DiskCache.key("a")
    for size in (None, 4):
        cache.put(key, b"data")
        path = entry(folder, key)
        path.write_bytes(damage(path.read_bytes()))
        assert cache.get(key, size) is None
        assert not path.exists()


def test_whole_files_are_held_against_their_crc(cache, folder):
    key = DiskCache.key("a")
    cache.put(key, b"data")
    entry(folder, key).write_bytes(entry(folder, key).read_bytes()[:-1] + b"b")
    assert cache.get(key, 4) == b"datb"  # the records of a range have their own
    assert cache.get(key) is None


def test_an_entry_of_another_size_than_asked_is_dropped(cache):
    key = DiskCache.key("a")
    cache.put(key, b"data")
    assert cache.get(key, 5) is None
    assert cache.get(key, 4) is None


def test_the_least_recently_used_go_first(cache, folder):
    names = keys(9)
    for age, key in enumerate(names):
        cache.put(key, bytes(1000))
        os.utime(entry(folder, key), (time.time() - 1000 + age,) * 2)
    assert cache.get(names[0], 1000) == bytes(1000)
    cache.put(DiskCache.key("one more"), bytes(1000))
    assert [key for key in names if cache.get(key) is None] == names[1:2]
    assert held(folder) <= 10_000


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 4_000)), max_size=40), st.integers(1, 9_000))
def test_the_bound_is_never_passed(tmp_path, puts, bound):
    folder = tmp_path / "bound"
    shutil.rmtree(folder, ignore_errors=True)
    cache = DiskCache(folder, bound, patience=1)
    for name, size in puts:
        key, data = DiskCache.key(str(name), str(size)), bytes([name]) * size
        cache.put(key, data)
        assert held(folder) <= bound
        assert cache.get(key) == (data if size + HEADER <= bound else None)


def test_no_bytes_means_no_cache(tmp_path):
    cache = DiskCache(tmp_path / "cache", 0, patience=1)
    with cache.lock("abc"):
        cache.put("abc", b"")
    assert cache.get("abc") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["removed", "cut", "too much", "too little", "old"])
def test_the_total_is_counted_again_where_it_cannot_be_right(cache, folder, damage):
    names = keys(8)
    for key in names:
        cache.put(key, bytes(1000))
    total = folder / "v1" / "total"
    if damage == "removed":
        total.unlink()
    elif damage == "old":
        total.write_bytes((99_000).to_bytes(8, "little"))
        os.utime(total, (0, 0))
    else:
        total.write_bytes({"cut": b"abc", "too much": (2**60).to_bytes(8, "little")}.get(damage, bytes(8)))
    if damage == "too little":
        (folder / "v1" / "tmp" / "left over").write_bytes(bytes(500))
        cache = DiskCache(folder, 10_000, patience=1)
    cache.put(DiskCache.key("one more"), bytes(1000))
    assert int.from_bytes(total.read_bytes(), "little") == held(folder) == 9 * 1016
    assert all(cache.get(key) == bytes(1000) for key in names)


def test_left_overs_of_killed_processes_go_and_those_being_written_stay(cache, folder):
    cache.put(DiskCache.key("a"), b"data")
    dead, alive = folder / "v1" / "tmp" / "dead", folder / "v1" / "tmp" / "alive"
    dead.write_bytes(bytes(3000))
    alive.write_bytes(bytes(3000))
    with alive.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        DiskCache(folder, 10_000, patience=1).put(DiskCache.key("b"), b"data")
        assert not dead.exists()
        assert alive.exists()
    DiskCache(folder, 10_000, patience=1).put(DiskCache.key("c"), b"data")
    assert not alive.exists()


def test_what_is_being_written_counts(cache, folder):
    cache.put(DiskCache.key("a"), bytes(5000))
    alive = folder / "v1" / "tmp" / "alive"
    alive.write_bytes(bytes(9000))
    with alive.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        (folder / "v1" / "total").unlink()
        cache.put(DiskCache.key("b"), bytes(2000))
    assert alive.exists()
    assert cache.get(DiskCache.key("a")) is cache.get(DiskCache.key("b")) is None


def test_a_folder_cleared_meanwhile_is_made_again(cache, folder):
    key = DiskCache.key("a")
    cache.put(key, b"data")
    shutil.rmtree(folder)
    with cache.lock(key):
        cache.put(key, b"data")
    assert cache.get(key) == b"data"


def test_a_folder_that_cannot_be_written_is_one_warning(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    first, second = (DiskCache(tmp_path / "file" / "cache", 1000, patience=1) for _ in range(2))
    with caplog.at_level(logging.INFO, "walloc_data"):
        for cache in (first, second):
            for name in "ab":
                with cache.lock(DiskCache.key(name)):
                    cache.put(DiskCache.key(name), b"data")
                assert cache.get(DiskCache.key(name)) is None
    assert len(caplog.records) == 1
    assert str(tmp_path / "file" / "cache") in caplog.text
    assert "Not a directory" in caplog.text
    assert "choose another folder with cache_dir or $WALLOC_CACHE" in caplog.text


def test_locks_exclude_threads_and_wait_no_longer_than_their_patience(folder):
    cache = DiskCache(folder, 1000, patience=0.3)
    key = DiskCache.key("a")
    inside = []

    def work(number):
        with cache.lock(key):
            inside.append(number)
            alone = len(inside) == 1
            time.sleep(0.01)
            inside.remove(number)
            return alone

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(16)))
    begun = time.monotonic()
    with cache.lock(key), cache.lock(key):
        assert 0.3 <= time.monotonic() - begun < 5


def test_hits_are_fast(cache):
    key = DiskCache.key("a")
    cache.put(key, bytes(8000))
    begun = time.perf_counter()
    for _ in range(1000):
        cache.get(key, 8000)
    assert time.perf_counter() - begun < 0.5  # about 0.02 on an idle machine
