import base64

import pytest

from tests.http_server import FileServer
from walloc_data.errors import DatasetError
from walloc_data.storage import StorageOptions
from walloc_data.storage.http import HttpSource
from walloc_data.storage.remote import RemoteStorage
from walloc_data.storage.urls import trusted

NAME = "a b.tar"


@pytest.fixture
def pair(folder):
    """A server that wants a login and redirects to another, whose addresses are signed."""
    with FileServer(folder) as target, FileServer(folder) as first:
        first.redirect, first.signature = target.url, "sig=1"
        target.signature = "sig=1"
        first.authorization = "Basic " + base64.b64encode(b"me:SECRET").decode()
        yield first, target


def login(server):
    return server.url.replace("http://", "http://me:SECRET@")


def test_credentials_stay_with_their_host_and_each_range_is_one_request(pair, folder, opened):
    first, target = pair
    storage, data = opened(login(first)), (folder / NAME).read_bytes()
    for number in range(20):
        assert storage.read_range(NAME, number, number + 5, version="1") == data[number : number + 5]
    assert (first.requests, target.requests, storage.requests) == (1, 20, 21)
    assert all("Authorization" in headers for _, headers in first.seen)
    assert not any("Authorization" in headers for _, headers in target.seen)


def test_an_address_that_expired_is_resolved_again(pair, folder, opened):
    first, target = pair
    storage, data = opened(login(first)), (folder / NAME).read_bytes()
    assert storage.read_range(NAME, 0, 5) == data[:5]
    first.signature = target.signature = "sig=2"
    assert storage.read_range(NAME, 5, 9) == data[5:9]
    assert storage.read_range(NAME, 6, 9) == data[6:9]
    assert (first.requests, target.requests) == (2, 4)
    target.signature = "sig=3"
    with pytest.raises(DatasetError, match=rf"^{first.url}/a b\.tar: access refused \(403\)"):
        storage.read_range(NAME, 5, 9)
    assert (first.requests, target.requests) == (3, 6)


def test_an_address_that_fails_is_resolved_again(pair, folder, opened):
    first, target = pair
    storage, data = opened(login(first)), (folder / NAME).read_bytes()
    storage.read_range(NAME, 0, 5)
    with FileServer(folder) as other:
        first.redirect = other.url
        target.script = ["close"]
        assert storage.read_range(NAME, 5, 9) == data[5:9]
        assert other.requests == 1


def test_whole_files_are_asked_for_where_they_are_named(pair, opened):
    first, _ = pair
    storage = opened(login(first))
    for number in range(3):
        storage.read("walloc.json", version=str(number))
    assert first.requests == 3


def test_redirects_that_lead_nowhere(server, opened):
    server.redirect = server.url
    with pytest.raises(DatasetError, match="more than 10 redirects; check the URL"):
        opened(server.url).read_range(NAME, 0, 5)
    assert server.requests == 10
    for elsewhere in ("file:///etc", "ftp://host", "http://[", "http://host:port"):
        server.redirect = elsewhere
        with pytest.raises(DatasetError, match="redirected to what is no web address"):
            opened(server.url).read_range(NAME, 0, 5)


def test_credentials_follow_a_host_to_tls_and_nowhere_else():
    first = "http://host/data"
    for url in ("http://host/other", "http://host:80/", "https://host/data", "https://HOST:443/data"):
        assert trusted(url, first)
    for url in ("http://host:8080/", "https://host:8443/", "http://other/", "https://host.other/", "http://sub.host/"):
        assert not trusted(url, first)
    assert not trusted("http://host/data", "https://host/data")
    assert not trusted("https://host/data", "http://host:8080/data")


def test_an_error_behind_a_redirect_names_what_the_user_asked_for(pair, opened):
    first, target = pair
    target.signature = "another"
    with pytest.raises(DatasetError) as caught:
        opened(login(first)).read("walloc.json")
    assert str(caught.value).startswith(f"{first.url}/walloc.json: access refused")
    assert "SECRET" not in str(caught.value)
    assert "sig=1" not in str(caught.value)


class Named(HttpSource):
    """A source with addresses, credentials and words of its own, as a subclass may have them."""

    def file_url(self, name):
        return f"{super().file_url('pinned')}/{name.replace(' ', '%20')}"

    def headers(self, name):
        return {"Authorization": "Bearer SECRET"}

    def refusal(self, name, answer):
        return DatasetError(f"{name}: {answer.header('Content-Type')} {answer.status}; log in")


def test_a_subclass_says_addresses_credentials_and_what_a_status_means(folder, tmp_path):
    (tmp_path / "pinned").mkdir()
    (tmp_path / "pinned" / NAME).write_bytes((folder / NAME).read_bytes())
    with FileServer(tmp_path, authorization="Bearer SECRET") as first, FileServer(tmp_path) as target:
        first.redirect = target.url
        options = StorageOptions(cache_dir=tmp_path / "cache")
        storage = RemoteStorage(Named(first.url, options), options)
        assert storage.read_range(NAME, 3, 9, version="1") == (folder / NAME).read_bytes()[3:9]
        assert storage.read_range(NAME, 4, 9, version="1") == (folder / NAME).read_bytes()[4:9]
        assert (first.counts, target.counts) == ({f"pinned/{NAME}": 1}, {f"pinned/{NAME}": 2})
        assert not any("Authorization" in headers for _, headers in target.seen)
        with pytest.raises(DatasetError, match=r"^none\.tar: text/html 404; log in$"):
            storage.read("none.tar", version="1")
