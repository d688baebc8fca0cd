import base64
import logging
import pickle
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.http_server import FileServer
from walloc_data.errors import DatasetError

NAME = "a b.tar"


def test_files_and_ranges_come_whole(server, folder, opened):
    storage, data = opened(f"{server.url}/"), (folder / NAME).read_bytes()
    assert storage.path(NAME) is None
    assert storage.url == server.url
    assert storage.read("walloc.json") == (folder / "walloc.json").read_bytes()
    assert storage.read(NAME, version="1") == data
    for start, stop in ((0, 1), (17, 4096), (len(data) - 1, len(data)), (0, len(data)), (5, 5)):
        assert storage.read_range(NAME, start, stop, version="1") == data[start:stop]
        assert storage.read_range(NAME, start, stop) == data[start:stop]
    assert storage.requests == server.requests == 2 + 4 + 4
    assert server.connections == 1


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (7, 6)])
def test_what_is_no_range_is_a_mistake_of_the_caller(server, opened, start, stop):
    with pytest.raises(ValueError, match="no range"):
        opened(server.url).read_range(NAME, start, stop)


@pytest.mark.parametrize("fault", ["reset", "truncated", "503", "429", "close"])
def test_what_passes_is_tried_again(server, folder, opened, fault):
    storage = opened(server.url)
    server.script = [fault, fault]
    assert storage.read_range(NAME, 10, 200_000, version="1") == (folder / NAME).read_bytes()[10:200_000]
    assert server.requests == storage.requests == 3
    server.script = [fault]
    assert storage.read("other.tar", version="1") == (folder / "other.tar").read_bytes()
    assert server.requests == 5


def test_a_server_that_hangs_is_asked_again(server, folder, opened):
    storage = opened(server.url, timeout=0.2)
    server.script = ["hang"]
    assert storage.read_range(NAME, 10, 20) == (folder / NAME).read_bytes()[10:20]
    assert server.requests == 2


def test_what_does_not_pass_is_given_up(server, opened):
    server.faults = {"503": 1.0}
    with pytest.raises(DatasetError, match=r"a b\.tar: the server answered 503; given up \(attempts: 3\)\. Check"):
        opened(server.url, retries=2).read_range(NAME, 10, 20)
    assert server.requests == 3


def test_no_server(opened):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/data"
    with pytest.raises(DatasetError, match=rf"^{url}/walloc\.json: its host takes no connection; given up"):
        opened(url, retries=1).read("walloc.json")
    with pytest.raises(DatasetError, match="the name of its host does not resolve"):
        opened("http://nobody.invalid/data", retries=0).read("walloc.json")


def test_a_host_that_lets_connections_wait(opened):
    with socket.socket() as listening, ExitStack() as waiting:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):  # more than it has room for, so that the next is not even refused
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listening.getsockname())
        with pytest.raises(DatasetError, match=r"(timed out|takes no connection); check the address, and the network$"):
            opened(f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=0.1).read("walloc.json")


def test_retry_after_is_honoured(server, opened):
    server.script, server.retry_after = ["429"], "1"
    begun = time.monotonic()
    opened(server.url).read_range(NAME, 10, 20)
    assert time.monotonic() - begun >= 1


def test_retries_are_told_only_when_they_go_on(server, opened, caplog):
    server.script = ["503", "503", "503"]
    with caplog.at_level(logging.WARNING, "walloc_data"):
        opened(server.url).read_range(NAME, 10, 20)
    assert [record.message.partition(";")[0] for record in caplog.records] == [
        f"{server.url}/{NAME}: the server answered 503"
    ]


@pytest.mark.parametrize(
    ("name", "says"), [("none.tar", r"none\.tar: not found \(404\); check the URL"), (NAME, r"shorter than its index")]
)
def test_what_no_retry_helps_is_an_error_at_once(server, opened, name, says):
    with pytest.raises(DatasetError, match=says):
        opened(server.url).read_range(name, 300_000, 300_010, version="1")
    assert server.requests == 1


def test_a_range_that_ends_behind_the_file_is_an_error_at_once(server, opened):
    for script in ([], ["no ranges"]):
        server.script = script
        with pytest.raises(DatasetError, match="has 300000 bytes, and bytes 299990 to 300010 were asked for"):
            opened(server.url).read_range(NAME, 299_990, 300_010)
    assert server.requests == 2


def test_a_web_page_is_no_file(server, opened):
    storage = opened(server.url)
    for read in (lambda: storage.read("walloc.json"), lambda: storage.read_range(NAME, 5, 9, version="1")):
        server.script = ["html"]
        with pytest.raises(DatasetError, match=rf"^{server.url}/.*: a web page came instead of the file.*logging in"):
            read()
        read()
    assert server.requests == 4


def test_a_server_without_ranges(server, folder, opened, tmp_path):
    server.faults = {"no ranges": 1.0}
    storage = opened(server.url)
    assert storage.read_range(NAME, 10, 200_000) == (folder / NAME).read_bytes()[10:200_000]
    with FileServer(tmp_path, faults={"no ranges": 1.0}) as other:
        with (tmp_path / "large.tar").open("wb") as file:
            file.truncate(80 << 20)
        begun = time.monotonic()
        with pytest.raises(DatasetError, match="does not serve ranges, and would send 83886080 bytes for 10"):
            opened(other.url).read_range("large.tar", (80 << 20) - 10, 80 << 20)
        assert time.monotonic() - begun < 5
        assert other.requests == 1


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"Content-Encoding": "gzip"}, "the server compresses it"),
        ({"Content-Range": "bytes 0-9/300000"}, "bytes 0 to 9 came instead of 10 to 19"),
        ({"Content-Range": "nonsense"}, "no range that can be read came"),
        ({"Content-Range": ""}, "no range that can be read came"),
    ],
)
def test_answers_that_are_not_what_was_asked(server, opened, extra, says):
    server.extra = extra
    with pytest.raises(DatasetError, match=says):
        opened(server.url, retries=0).read_range(NAME, 10, 20)


def test_a_thousand_ranges_among_faults(folder, opened):
    data = (folder / NAME).read_bytes()
    kinds = ("reset", "truncated", "503", "429", "close", "no ranges")
    with FileServer(folder, latency=0.002, faults=dict.fromkeys(kinds, 0.01 / len(kinds)), seed=5) as server:
        storage = opened(server.url)

        def right(number):
            start = number * 251
            return storage.read_range(NAME, start, start + 40_000, version="1") == data[start : start + 40_000]

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(right, range(1000)))
        failed = server.requests - server.given[""]
        assert failed >= 5
        assert 1000 < server.requests == storage.requests == 1000 + failed - server.given["no ranges"]
        assert server.connections <= 8 + failed
        assert all(right(number) for number in range(1000))
        assert server.requests == storage.requests


def test_wrong_bytes_are_replaced_when_asked_anew(server, folder, opened):
    storage, data = opened(server.url), (folder / NAME).read_bytes()[10:20]
    server.script = ["wrong bytes"]
    assert storage.read_range(NAME, 10, 20, version="1") != data
    assert storage.read_range(NAME, 10, 20, version="1") != data
    assert storage.read_range(NAME, 10, 20, version="1", anew=True) == data
    assert storage.read_range(NAME, 10, 20, version="1") == data
    assert server.requests == 2
    for version in ("1", ""):
        server.script = ["wrong bytes"]
        assert storage.read("walloc.json", version=version)[1:] == b'"format": "walloc"}'
        assert storage.read("walloc.json", version=version, anew=True) == b'{"format": "walloc"}'
        assert storage.read("walloc.json", version=version) == b'{"format": "walloc"}'
    assert server.requests == 6


def test_versions_of_a_file_are_kept_apart(server, opened, tmp_path):
    with FileServer(tmp_path) as changing:
        storage = opened(changing.url)
        for version in ("1", "2"):
            (tmp_path / "a.tar").write_bytes(version.encode() * 100)
            for _ in range(2):
                assert storage.read_range("a.tar", 10, 15, version=version) == version.encode() * 5
        assert storage.read_range("a.tar", 10, 15, version="1") == b"11111"
        assert changing.requests == 2


def test_a_query_is_sent_and_never_shown(server, opened, tmp_path):
    server.signature = "sig=SECRET&x=1"
    storage = opened(f"{server.url}/?sig=SECRET&x=1")
    assert storage.read("walloc.json") == b'{"format": "walloc"}'
    assert server.seen[0][0] == "/walloc.json?sig=SECRET&x=1"
    server.signature = "another"
    with pytest.raises(DatasetError, match=r"access refused \(403\); check the credentials or the signature") as caught:
        storage.read_range(NAME, 0, 5)
    assert "SECRET" not in f"{caught.value!r} {storage!r} {storage.url}"
    assert b"SECRET" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_login_in_the_url_is_sent_and_never_shown(folder, opened):
    login = "Basic " + base64.b64encode(b"me:pass word").decode()
    with FileServer(folder, authorization=login) as server:
        address = server.url.removeprefix("http://")
        storage = opened(f"http://me:pass%20word@{address}")
        assert storage.read("walloc.json") == b'{"format": "walloc"}'
        assert storage.url == server.url
        wrong = opened(f"http://me:SECRET@{address}")
        with pytest.raises(DatasetError, match=r"access refused \(401\)") as caught:
            wrong.read_range(NAME, 0, 5)
        assert "SECRET" not in f"{caught.value!r} {wrong!r} {wrong.url}"
        assert server.requests == 2


def test_names_and_folders_are_quoted(tmp_path, opened):
    inside = tmp_path / "my data" / "v#1"
    inside.mkdir(parents=True)
    (inside / "50% ü?.tar").write_bytes(b"yes")
    with FileServer(tmp_path) as server:
        assert opened(f"{server.url}/my data/v%231").read("50% ü?.tar", version="1") == b"yes"


def test_storage_pickles_and_works_without_a_cache(server, folder, opened):
    storage = opened(server.url, cache_bytes=0)
    storage.read("walloc.json")
    copy = pickle.loads(pickle.dumps(storage))
    assert (copy.requests, copy.url) == (0, storage.url)
    for _ in range(2):
        assert copy.read_range(NAME, 3, 9, version="1") == (folder / NAME).read_bytes()[3:9]
        assert copy.read("walloc.json") == b'{"format": "walloc"}'
    assert copy.requests == 4


def test_proxies_of_the_environment_are_used(server, opened, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url.replace("http://", "http://me:SECRET@"))
    monkeypatch.setenv("no_proxy", "")
    assert opened("http://elsewhere.invalid").read("walloc.json") == b'{"format": "walloc"}'
    target, headers = server.seen[0]
    assert target == "http://elsewhere.invalid/walloc.json"
    assert headers["Proxy-Authorization"] == "Basic " + base64.b64encode(b"me:SECRET").decode()


def test_random_numbers_of_the_user_stay_theirs(server, opened):
    import random

    random.seed(7)
    state = random.getstate()
    server.script = ["503"]
    opened(server.url).read_range(NAME, 0, 5, version="1")
    assert random.getstate() == state


def test_one_request_however_many_threads_want_a_range(server, opened):
    server.latency = 0.05
    storage = opened(server.url)
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: storage.read_range(NAME, 0, 100, version="1"), range(8)))
    assert len(found) == server.requests == 1
