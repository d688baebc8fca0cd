"""Streams over a real web server: slow, failing, shared by processes, and read without one request too many."""

import multiprocessing
import shutil
from pathlib import Path

import pytest
import torch

from tests.http_server import FileServer
from walloc_data import LatentDataset, StorageOptions, StreamingLatentDataset, latent_decoder
from walloc_data.errors import DatasetError, FormatError, WallocError

BATCH = 7


@pytest.fixture(scope="module")
def scattered(photos, sharded, tmp_path_factory):
    """60 train photographs in records of one, so that an epoch takes many requests."""
    return sharded(photos, tmp_path_factory.mktemp("scattered") / "out", block=1)


@pytest.fixture(scope="module")
def expected(scattered):
    return list(stream(str(scattered)))


def stream(root, **options):
    return StreamingLatentDataset(root, batch_size=BATCH, columns=("label", "key"), seed=3, **options)


def same(found, expected):
    assert len(found) == len(expected)
    for (x, labels, keys), (z, others, names) in zip(found, expected, strict=True):
        assert torch.equal(x, z)
        assert torch.equal(labels, others)
        assert keys == names


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*set_vital:UserWarning")
def test_an_epoch_is_a_request_a_record_whatever_the_workers(scattered, expected, tmp_path, workers):
    with FileServer(scattered) as server:
        one = stream(server.url, storage=StorageOptions(cache_dir=tmp_path))
        same(list(one.loader(num_workers=workers)), expected)
        records = {name: count for name, count in server.counts.items() if name.endswith(".tar")}
        assert sum(records.values()) == 60
        assert [server.counts[name] for name in ("walloc.json", "codec.safetensors", "train-00000.idx")] == [1, 1, 1]
        before = server.requests
        again = stream(server.url, storage=StorageOptions(cache_dir=tmp_path))
        same(list(again), expected)
        assert server.requests == before  # all of it is kept, and the manifest was asked for within the minute


def test_map_style_and_neighbours_read_urls(scattered, tmp_path, monkeypatch):
    monkeypatch.setenv("WALLOC_CACHE", str(tmp_path))
    local = LatentDataset(scattered)
    with FileServer(scattered) as server:
        remote = LatentDataset(server.url, decode="pixels", storage=StorageOptions(cache_dir=tmp_path))
        pixels = LatentDataset(scattered, decode="pixels")
        assert all(torch.equal(remote[i][0], pixels[i][0]) for i in range(0, 60, 7))
        assert remote.fields(5) == local.fields(5)
        assert remote.targets == local.targets
        assert server.url in repr(remote)
        assert latent_decoder(server.url)("a.txt", b"") is None


def test_slow_and_failing_answers_change_nothing(scattered, expected, tmp_path):
    faults = {"reset": 0.01, "503": 0.01, "429": 0.01, "wrong bytes": 0.01, "truncated": 0.01}
    bound = 30_000
    shard = max(path.stat().st_size for path in scattered.glob("*.tar"))
    options = StorageOptions(cache_dir=tmp_path, cache_bytes=bound)
    with FileServer(scattered, latency=0.02, faults=faults, seed=1) as server:
        for _ in range(4):
            one = stream(server.url, storage=options)  # a new one, with nothing in memory
            same(list(one), expected)
            assert one.damaged == 0
            assert size_of(tmp_path) <= bound + shard
        given = {kind: count for kind, count in server.given.items() if kind}
        print(f"{server.requests} requests, of which failed {given}")
        assert len(given) == 5


def test_bytes_that_stay_wrong_are_an_error_or_skipped(scattered, tmp_path):
    broken = Path(shutil.copytree(scattered, tmp_path / "broken"))
    data = bytearray((broken / "train-00000.tar").read_bytes())
    data[data.index(b"WLC1") + 60] ^= 255
    (broken / "train-00000.tar").write_bytes(data)
    with FileServer(broken) as server:
        options = StorageOptions(cache_dir=tmp_path / "cache")
        with pytest.raises(FormatError, match=r"127\.0\.0\.1.*/train-00000\.tar, record at byte 512.*damaged"):
            list(stream(server.url, storage=options))
        skipping = stream(server.url, storage=options, on_damage="skip")
        assert sum(len(keys) for _, _, keys in skipping) == 59
        assert skipping.damaged == 1


def read_all(url, cache, results):
    for bound in (1 << 30, 20_000):
        options = StorageOptions(cache_dir=cache / str(bound), cache_bytes=bound)
        results.put([(x.numpy().tobytes(), keys) for x, _, keys in stream(url, storage=options)])


def test_two_processes_share_a_cache_without_a_wrong_byte(scattered, expected, tmp_path):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    with FileServer(scattered, latency=0.005) as server:
        readers = [context.Process(target=read_all, args=(server.url, tmp_path, results)) for _ in range(2)]
        for reader in readers:
            reader.start()
        found = [results.get(timeout=60) for _ in range(4)]
        for reader in readers:
            reader.join()
        tars = sum(count for name, count in server.counts.items() if name.endswith(".tar"))
    assert found == [[(x.numpy().tobytes(), keys) for x, _, keys in expected]] * 4
    assert 60 + 60 <= tars <= 60 + 120  # with room for all, each record is fetched by one of them


def test_no_cache_at_all(scattered, expected):
    with FileServer(scattered) as server:
        same(list(stream(server.url, storage=StorageOptions(cache_bytes=0))), expected)
        assert server.counts["train-00000.tar"] == 16


def test_a_cache_that_cannot_be_written(scattered, expected, tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    with FileServer(scattered) as server:
        same(list(stream(server.url, storage=StorageOptions(cache_dir=tmp_path / "file"))), expected)
    assert str(tmp_path / "file") in caplog.text


def test_what_is_not_a_dataset(scattered, tmp_path):
    options = StorageOptions(cache_dir=tmp_path / "cache", retries=1)
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "walloc.json").write_text("<html>please log in</html>")
    with FileServer(tmp_path / "page") as server:
        with pytest.raises(WallocError, match=r"walloc\.json"):
            stream(server.url, storage=options)
        with pytest.raises(DatasetError, match="404"):
            stream(server.url + "/nothing", storage=options)
    with FileServer(scattered) as server:
        server.script = ["html"]
        with pytest.raises(DatasetError, match="a web page came instead"):
            stream(server.url, storage=options)
        with pytest.raises(DatasetError, match=r"no split 'test'.*train, val"):
            StreamingLatentDataset(server.url, "test", batch_size=4, storage=options)


def test_an_address_where_nothing_answers_is_given_up_soon(tmp_path):
    with FileServer(tmp_path) as server:
        url = server.url
    options = StorageOptions(cache_dir=tmp_path / "cache")
    with pytest.raises(DatasetError, match=r"its host takes no connection; check the address"):
        stream(url, storage=options)


def test_a_server_without_ranges_is_spoken_of_once(scattered, expected, tmp_path, caplog):
    with FileServer(scattered, faults={"no ranges": 1.0}) as server:
        same(list(stream(server.url, storage=StorageOptions(cache_dir=tmp_path))), expected)
    assert caplog.text.count("does not serve ranges") == 1
