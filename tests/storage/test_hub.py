import multiprocessing
import pickle
import re

import pytest
from huggingface_hub import constants, hf_hub_url

from walloc_data.errors import DatasetError
from walloc_data.storage import open_storage

REPO, URL = "ann/latents", "hf://ann/latents"
TAR = "train-00000.tar"
FILES = {"walloc.json": b'{"format": "walloc"}', TAR: bytes(range(256)) * 400, "codec.safetensors": b"codec" * 99}


@pytest.fixture
def repo(hub):
    return hub.put("datasets", REPO, FILES)


@pytest.fixture
def private(hub):
    return hub.put("datasets", REPO, FILES, private=True)


@pytest.mark.parametrize("url", [URL, f"{URL}/", "hf://datasets/ann/latents", f"{URL}@main", "HF://ann/latents"])
def test_files_and_ranges(hub, repo, opened, url):
    storage = opened(url)
    assert storage.path(TAR) is None
    assert hub.requests == []
    for name, data in FILES.items():
        assert storage.read(name, version="1") == data
    for start, stop in ((0, 1), (300, 70_000), (102_399, 102_400), (5, 5)):
        assert storage.read_range(TAR, start, stop, version="1") == FILES[TAR][start:stop]
    assert storage.requests == len(hub.requests) + len(hub.storage_requests)
    assert storage.url == f"{URL}@main" if "@" in url else URL
    assert hub.leaks == []


@pytest.mark.parametrize("relative_redirects", [False, True])
def test_requests_are_few(hub, repo, opened, relative_redirects):
    hub.relative_redirects = relative_redirects
    storage = opened(URL)
    assert storage.read("walloc.json") == storage.read("walloc.json") == FILES["walloc.json"]
    for number in range(20):
        assert storage.read_range(TAR, number, number + 5, version="1") == FILES[TAR][number : number + 5]
    # the commit, the manifest, and where the tar is; then ranges straight from the storage
    assert len(hub.requests) == 3 + relative_redirects
    assert len(hub.storage_requests) == 20


@pytest.mark.parametrize("revision", ["main", "refs/convert/parquet", "a b"])
@pytest.mark.parametrize("name", ["walloc.json", "a b/ü.tar"])
def test_addresses_are_those_of_the_client(hub, opened, revision, name):
    commit = hub.put("datasets", REPO, FILES).branches["main"]
    hub.dataset(REPO).branches[revision] = commit
    source = opened(f"{URL}@{revision}").source
    assert source.revision == ""
    source.file_url("walloc.json")
    assert source.revision == commit
    assert source.file_url(name) == hf_hub_url(REPO, name, repo_type="dataset", revision=commit)
    assert hub.requests == [f"GET /datasets/{REPO}/resolve/{revision}/walloc.json"]


def test_one_commit_for_a_whole_run(hub, repo, opened):
    storage = opened(URL)
    first = storage.read("walloc.json")
    copies = [pickle.loads(pickle.dumps(storage)), storage]
    hub.put("datasets", REPO, {"walloc.json": b"{}", TAR: b"new" * 99})
    assert [copy.read("walloc.json", anew=True) for copy in copies] == [first] * 2
    assert [copy.read_range(TAR, 0, 9) for copy in copies] == [FILES[TAR][:9]] * 2
    assert opened(URL).read("walloc.json") == b"{}"
    assert opened(f"{URL}@{list(repo.commits)[1]}").read("walloc.json") == first


def read_in_a_child(storage, pipe):
    pipe.send((storage.read("walloc.json", anew=True), storage.read_range(TAR, 3, 9)))


def test_a_forked_worker_reads_the_same_commit(hub, repo, opened):
    storage = opened(URL)
    first = storage.read("walloc.json")
    hub.put("datasets", REPO, {"walloc.json": b"{}", TAR: b"new" * 99})
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=read_in_a_child, args=(storage, theirs))
    process.start()
    assert ours.recv() == (first, FILES[TAR][3:9])
    process.join()
    ours.close()
    theirs.close()


def test_revisions(hub, repo, opened):
    commit = repo.branches["main"]
    repo.branches["v1"] = commit
    hub.put("datasets", REPO, {"walloc.json": b"{}"})
    for storage in (opened(f"{URL}@v1"), opened(URL, revision="v1"), opened(f"{URL}@v1", revision="v1")):
        assert storage.read("walloc.json", anew=True) == FILES["walloc.json"]
    hub.forget_requests()
    assert opened(f"{URL}@{commit}").read("walloc.json", anew=True) == FILES["walloc.json"]
    assert len(hub.requests) == 1
    with pytest.raises(DatasetError, match=r"datasets/ann/latents has no revision 'v2': give a branch, a tag"):
        opened(f"{URL}@v2").read("walloc.json")
    with pytest.raises(DatasetError, match="revision='v2' says another revision; give one of the two"):
        opened(f"{URL}@v1", revision="v2")


@pytest.mark.parametrize(
    "url", ["hf://", "hf://latents", "hf://ann/latents/part", "hf://ann/la tents", f"{URL}@", "hf://datasets/a/b/c"]
)
def test_addresses_that_cannot_be_right(url):
    with pytest.raises(DatasetError, match="write hf://user/name, or hf://user/name@revision"):
        open_storage(url)


def test_private_with_a_token(hub, private, opened, monkeypatch, tmp_path):
    token = hub.token("ann", "read")
    given = opened(URL, token=token, cache_bytes=0)
    monkeypatch.setenv("HF_TOKEN", token)
    by_environment = opened(URL, cache_bytes=0)
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / "hub-token").write_text(token)
    by_log_in = opened(URL, cache_bytes=0)
    (tmp_path / "hub-token").unlink()
    for storage in (given, by_environment, by_log_in):
        assert storage.read("walloc.json") == FILES["walloc.json"]
        assert storage.read_range(TAR, 5, 2000) == FILES[TAR][5:2000]
        assert pickle.loads(pickle.dumps(storage)).read(TAR) == FILES[TAR]
        assert token not in repr(storage)
    assert hub.storage_requests
    assert hub.leaks == []


def test_private_without_the_right_token(hub, private, opened):
    for token, message in (
        (None, "does not exist or is private: check the name, or log in with `hf auth login`, or set HF_TOKEN"),
        (hub.token("bob"), "does not exist, or the token may not see it: check the name, or use another token"),
        ("hf_SECRET", "the Hub does not know the token: log in with `hf auth login`"),
    ):
        with pytest.raises(DatasetError, match=re.escape(message)) as caught:
            opened(URL, token=token).read("walloc.json")
        assert str(caught.value).startswith(f"{hub.endpoint}/datasets/ann/latents")
        assert "SECRET" not in str(caught.value)
        assert hub.requests == ["GET /datasets/ann/latents/resolve/main/walloc.json"]
        hub.forget_requests()


def test_gated(hub, opened):
    repo = hub.put("datasets", REPO, FILES, gated=True)
    bob = hub.token("bob", "read")
    with pytest.raises(DatasetError, match="is gated: accept its terms on that page, and log in with `hf auth login`"):
        opened(URL).read("walloc.json")
    with pytest.raises(DatasetError, match=r"is gated: accept its terms on that page$"):
        opened(URL, token=bob).read("walloc.json")
    repo.granted.add("bob")
    assert opened(URL, token=bob).read("walloc.json") == FILES["walloc.json"]


def test_a_repository_that_is_not_there_or_is_something_else(hub, opened):
    with pytest.raises(DatasetError, match="datasets/ann/latents does not exist or is private"):
        opened(URL).read("walloc.json")
    hub.put("datasets", REPO, {"data.csv": b"1,2"})
    with pytest.raises(DatasetError, match=rf"^{URL} has no walloc\.json: it is no dataset of walloc_data, or one"):
        opened(URL).read("walloc.json")
    hub.put("datasets", REPO, {"walloc.json": b"{}"})
    with pytest.raises(DatasetError, match=rf"^{URL} has no {TAR}: "):
        opened(URL).read_range(TAR, 0, 5)


def test_an_address_that_has_expired_is_resolved_again(hub, repo, opened):
    storage = opened(URL, cache_bytes=0)
    assert storage.read_range(TAR, 0, 5) == FILES[TAR][:5]
    hub.fail("GET /files", 403)
    hub.lifetime, before = -1.0, len(hub.requests)
    with pytest.raises(DatasetError, match=rf"^{URL}/{TAR}: access refused \(403\)"):
        storage.read_range(TAR, 5, 9)
    hub.lifetime = 60.0
    assert storage.read_range(TAR, 5, 9) == FILES[TAR][5:9]
    assert storage.read_range(TAR, 6, 9) == FILES[TAR][6:9]
    assert len(hub.requests) == before + 2


@pytest.mark.parametrize("status", [503, 429, 500, 0])
@pytest.mark.parametrize("which", [r"GET /datasets/.*walloc\.json", "GET /datasets/.*tar", "GET /files"])
def test_what_passes_is_tried_again(hub, repo, opened, status, which):
    hub.fail(which, status, headers={"Retry-After": "0"})
    storage = opened(URL)
    assert storage.read("walloc.json") == FILES["walloc.json"]
    assert storage.read_range(TAR, 5, 9000) == FILES[TAR][5:9000]
    assert hub.rules == []


def test_a_body_cut_short_is_asked_again(hub, repo, opened):
    hub.fail("GET /files", cut=0.5)
    assert opened(URL).read_range(TAR, 5, 9000) == FILES[TAR][5:9000]
    assert hub.count("GET /files") == 2


def test_a_hub_that_stays_away(hub, repo, opened):
    hub.fail("GET", 503, times=1000)
    with pytest.raises(DatasetError, match=rf"^{URL}/walloc\.json: the Hub answered 503; given up"):
        opened(URL, retries=1).read("walloc.json")


@pytest.mark.parametrize("answer", [{"status": 200}, {"status": 302, "headers": {"Location": "http://127.0.0.1:9/"}}])
def test_what_is_no_hub(hub, repo, opened, answer):
    hub.fail("GET", **answer)
    with pytest.raises(DatasetError, match=r"what answers there is no Hub .*: check HF_ENDPOINT"):
        opened(URL).read("walloc.json")
    assert len(hub.requests) == 1


def test_a_renamed_repository_is_followed(hub, repo, opened):
    hub.fail("GET /datasets/bob/old/", 307, times=3, headers={"Location": f"/datasets/{REPO}/resolve/main/walloc.json"})
    assert opened("hf://bob/old").read("walloc.json") == FILES["walloc.json"]


def test_offline_what_is_cached_is_read(hub, repo, opened, monkeypatch):
    url = f"{URL}@{repo.branches['main']}"
    assert opened(url).read_range(TAR, 5, 9, version="1") == FILES[TAR][5:9]
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert opened(url).read_range(TAR, 5, 9, version="1") == FILES[TAR][5:9]
    for address in (url, URL):
        with pytest.raises(DatasetError, match="HF_HUB_OFFLINE is set: unset it"):
            opened(address).read_range(TAR, 6, 9, version="1")
