"""What is read where nobody answers, and what is not fetched again where nothing changed."""

import logging
import re
import time

import fsspec
import pytest
from huggingface_hub import constants

from tests.http_server import FileServer
from walloc_data.errors import DatasetError
from walloc_data.storage import open_storage, remote

REPO, URL = "ann/latents", "hf://ann/latents"
TAR = "train-00000.tar"
FILES = {"walloc.json": b'{"format": "walloc"}', TAR: bytes(range(256)) * 400}


@pytest.fixture
def repo(hub):
    return hub.put("datasets", REPO, FILES)


@pytest.fixture
def warnings(caplog):
    """What was said, from now on."""
    caplog.set_level(logging.WARNING, "walloc_data")
    return lambda: [record.getMessage() for record in caplog.records if "retry" not in record.getMessage()]


def read_all(storage):
    return storage.read("walloc.json"), storage.read_range(TAR, 5, 9, version="1")


ALL = FILES["walloc.json"], FILES[TAR][5:9]


def offline(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def answers_503(hub, monkeypatch):
    hub.fail("GET", 503, times=1000)


@pytest.mark.parametrize("revision", ["", "@main", "@v1"])
@pytest.mark.parametrize(("away", "says"), [(offline, "HF_HUB_OFFLINE is set"), (answers_503, "the Hub answered 503")])
def test_the_last_known_commit_is_read(hub, repo, opened, monkeypatch, warnings, revision, away, says):
    commit = repo.branches["v1"] = repo.branches["main"]
    assert read_all(opened(URL + revision)) == ALL
    hub.put("datasets", REPO, {"walloc.json": b"{}"})
    away(hub, monkeypatch)
    hub.forget_requests()
    storage = opened(URL + revision, retries=1)
    assert read_all(storage) == ALL
    assert storage.revision == commit
    asked = revision.removeprefix("@") or "main"
    (said,) = warnings()
    assert re.search(f"^{URL}{revision}.*{says}.* What is read is {asked} as it was known on .*: {commit}$", said)
    assert hub.count("GET") == (0 if away is offline else 2)


def test_a_known_commit_needs_no_hub(hub, repo, opened, warnings):
    commit = repo.branches["main"]
    read_all(opened(URL))
    hub.fail("GET", 503, times=1000)
    assert read_all(opened(f"{URL}@{commit}")) == ALL
    assert warnings() == []


def test_what_was_never_read_is_not_made_up(hub, repo, opened, monkeypatch):
    offline(hub, monkeypatch)
    with pytest.raises(DatasetError, match="HF_HUB_OFFLINE is set: unset it"):
        opened(URL).read("walloc.json")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    read_all(opened(URL))
    offline(hub, monkeypatch)
    for storage in (opened(f"{URL}@v1"), opened("hf://ann/others"), opened(URL, cache_bytes=0)):
        with pytest.raises(DatasetError, match="HF_HUB_OFFLINE is set: unset it"):
            storage.read("walloc.json")
    with pytest.raises(DatasetError, match="HF_HUB_OFFLINE is set: unset it"):
        opened(URL).read_range(TAR, 6, 9, version="1")
    with pytest.raises(DatasetError, match="HF_HUB_OFFLINE is set: unset it"):
        opened(URL).read("walloc.json", anew=True)


def test_a_refusal_is_no_outage(hub, opened):
    hub.put("datasets", REPO, FILES, private=True)
    read_all(opened(URL, token=hub.token("ann")))
    with pytest.raises(DatasetError, match="does not exist or is private"):
        opened(URL).read("walloc.json")


def test_a_commit_that_changes_another_file_fetches_nothing_again(hub, repo, opened):
    read_all(opened(URL))
    first = repo.branches["main"]
    hub.put("datasets", REPO, {"README.md": b"# Latents"})
    hub.forget_requests()
    storage = opened(URL)
    assert read_all(storage) == ALL
    assert storage.revision == repo.branches["main"] != first
    # which commit, and whether its manifest is another: 304
    assert (hub.requests, hub.storage_requests) == (
        [f"GET /datasets/{REPO}/resolve/{revision}/walloc.json" for revision in ("main", storage.revision)],
        [],
    )
    hub.put("datasets", REPO, {"walloc.json": b"{}"})
    assert opened(URL).read("walloc.json") == b"{}"
    assert opened(f"{URL}@{first}").read("walloc.json") == FILES["walloc.json"]


def test_commits_without_etags_are_kept_apart(hub, repo, opened):
    hub.fail("GET .*/walloc.json", 200, times=1, after=1, body=b"one")
    first = repo.branches["main"]
    assert opened(URL).read("walloc.json") == b"one"
    hub.put("datasets", REPO, {"walloc.json": b"{}"})
    hub.fail("GET .*/walloc.json", 200, times=1, after=1, body=b"two")
    assert opened(URL).read("walloc.json") == b"two"
    hub.forget_requests()
    assert opened(f"{URL}@{first}").read("walloc.json") == b"one"
    assert hub.requests == []


def test_a_query_that_changes_fetches_no_content_again(server, folder, opened):
    data = (folder / "a b.tar").read_bytes()
    for signature in ("sig=1", "sig=2"):
        server.signature = signature
        storage = opened(f"{server.url}?{signature}")
        assert storage.read_range("a b.tar", 5, 900, version="1") == data[5:900]
        assert storage.read("other.tar", version="2") == (folder / "other.tar").read_bytes()
        assert server.requests == 2


def test_queries_that_name_datasets_are_kept_apart(server, opened):
    server.script = ["wrong bytes"]
    one, two = (opened(f"{server.url}?dataset={number}").read("walloc.json") for number in (1, 2))
    assert one != two


def test_no_other_place_plants_what_is_read_here(server, folder, opened, tmp_path):
    (tmp_path / "false").mkdir()
    (tmp_path / "false" / "a b.tar").write_bytes(bytes(300_000))
    with FileServer(tmp_path / "false") as other:
        assert opened(other.url).read_range("a b.tar", 5, 9, version="1") == bytes(4)
    assert opened(server.url).read_range("a b.tar", 5, 9, version="1") == (folder / "a b.tar").read_bytes()[5:9]


def test_the_last_copy_of_a_server_that_is_away(folder, opened, monkeypatch, warnings):
    monkeypatch.setattr(remote, "_FRESH", 0.0)
    with FileServer(folder) as server:
        url = server.url
        opened(url).read("walloc.json")
        server.faults = {"503": 1.0}
        assert opened(url, retries=1).read("walloc.json") == b'{"format": "walloc"}'
    assert opened(url, retries=1).read("walloc.json") == b'{"format": "walloc"}'
    first, second = warnings()
    assert re.search(
        r"^http.*/walloc\.json: the server answered 503; given up .* Until then the copy of .* is read", first
    )
    assert re.search(
        r"^http.*/walloc\.json: its host takes no connection; .* Until then the copy of .* is read", second
    )
    with pytest.raises(DatasetError, match="takes no connection"):
        opened(url, retries=1).read("walloc.json", anew=True)
    with pytest.raises(DatasetError, match="takes no connection"):
        opened(url, retries=1).read("other.json")


def test_one_process_waits_for_a_server_that_is_away(server, opened, monkeypatch, warnings):
    opened(server.url).read("walloc.json")
    now, server.faults = time.time(), {"503": 1.0}
    for later, requests in ((61, 3), (90, 3), (122, 5)):
        monkeypatch.setattr(remote.time, "time", lambda later=later: now + later)
        assert opened(server.url, retries=1).read("walloc.json") == b'{"format": "walloc"}'
        assert server.requests == requests
    assert [time.ctime(now) in said or time.ctime(now - 1) in said for said in warnings()] == [True, True]


def test_what_a_server_took_away_is_away(tmp_path, opened, monkeypatch):
    monkeypatch.setattr(remote, "_FRESH", 0.0)
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "walloc.json").write_bytes(b"{}")
    with FileServer(tmp_path / "served") as server:
        opened(server.url).read("walloc.json")
        (tmp_path / "served" / "walloc.json").unlink()
        with pytest.raises(DatasetError, match="not found"):
            opened(server.url).read("walloc.json")


def test_the_last_copy_of_a_bucket_that_is_away(opened, monkeypatch, warnings):
    system = fsspec.filesystem("memory")
    system.pipe_file("/bucket/away/walloc.json", b"{}")
    assert opened("memory://bucket/away").read("walloc.json") == b"{}"
    monkeypatch.setattr(remote, "_FRESH", 0.0)

    def fail(*_, **__):
        raise TimeoutError("no route to the bucket")

    monkeypatch.setattr(type(system), "cat_file", fail)
    assert opened("memory://bucket/away", retries=0).read("walloc.json") == b"{}"
    assert "no route to the bucket" in warnings()[0]
    system.rm("/bucket", recursive=True)


def test_revisions_are_the_hub_s_alone(hub, repo, server, folder, opened):
    storage = opened(URL)
    assert storage.revision == ""
    storage.read("walloc.json")
    assert storage.revision == opened(f"{URL}@{repo.branches['main']}").revision == repo.branches["main"]
    for place in (server.url, str(folder), "memory://bucket/data"):
        assert open_storage(place).revision == ""
