import time

import pytest

from tests.http_server import FileServer
from walloc_data.errors import DatasetError
from walloc_data.storage import remote

NAME = "walloc.json"


@pytest.fixture
def changing(tmp_path):
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / NAME).write_bytes(b"one")
    with FileServer(tmp_path / "served") as server:
        yield server


def test_a_copy_validated_within_the_minute_serves_all(changing, opened):
    for _ in range(3):
        assert opened(changing.url).read(NAME) == b"one"
    assert changing.requests == 1


def test_after_the_minute_the_etag_decides(changing, opened, monkeypatch):
    storage = opened(changing.url)
    assert storage.read(NAME) == b"one"
    monkeypatch.setattr(remote, "_FRESH", 0.0)
    assert storage.read(NAME) == b"one"
    assert changing.statuses == {200: 1, 304: 1}
    (changing.folder / NAME).write_bytes(b"two, longer")
    assert storage.read(NAME) == b"two, longer"
    assert storage.read(NAME) == b"two, longer"
    assert changing.statuses == {200: 2, 304: 2}


def test_validation_lasts_a_minute_from_the_last_one(changing, opened, monkeypatch):
    storage = opened(changing.url)
    storage.read(NAME)
    now = time.time()
    for later, requests in ((59, 1), (61, 2), (119, 2), (122, 3), (-5, 4)):
        monkeypatch.setattr(remote.time, "time", lambda later=later: now + later)
        storage.read(NAME)
        assert changing.requests == requests, later


def test_a_server_without_etags_is_asked_for_everything(changing, opened, monkeypatch):
    changing.etags = False
    storage = opened(changing.url)
    assert storage.read(NAME) == storage.read(NAME) == b"one"
    assert changing.requests == 1
    monkeypatch.setattr(remote, "_FRESH", 0.0)
    (changing.folder / NAME).write_bytes(b"two")
    assert storage.read(NAME) == b"two"
    assert changing.statuses == {200: 2}


def test_a_copy_that_is_gone_is_fetched_whole(changing, opened, monkeypatch, tmp_path):
    storage = opened(changing.url)
    storage.read(NAME)
    monkeypatch.setattr(remote, "_FRESH", 0.0)
    for path in (tmp_path / "cache" / "v1" / "entries").rglob("*"):
        if path.is_file() and path.read_bytes().endswith(b"one"):
            path.unlink()
    assert storage.read(NAME) == b"one"
    assert changing.statuses == {200: 2}


def test_an_error_is_not_kept(changing, opened):
    storage = opened(changing.url)
    for status, count in ((404, 1), (404, 2)):
        with pytest.raises(DatasetError, match="not found"):
            storage.read("none.json")
        assert changing.statuses == {status: count}
    (changing.folder / "none.json").write_bytes(b"now")
    assert storage.read("none.json") == b"now"
