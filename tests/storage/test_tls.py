import shutil
from pathlib import Path

import pytest

from tests.http_server import FileServer
from walloc_data.errors import DatasetError

CERTIFICATE = Path(__file__).with_name("localhost.pem")  # signed by itself, for 127.0.0.1
NAME = "a b.tar"


@pytest.fixture
def secure(folder):
    with FileServer(folder, certificate=CERTIFICATE) as server:
        yield server


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_ranges_come_over_tls(secure, folder, opened, monkeypatch, variable):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv(variable, str(CERTIFICATE))
    storage, data = opened(secure.url), (folder / NAME).read_bytes()
    secure.script = ["", "reset", "truncated"]
    for start in range(5):
        assert storage.read_range(NAME, start, start + 100_000) == data[start : start + 100_000]
    assert (secure.requests, storage.requests) == (7, 7)
    assert secure.connections == 3


def test_a_folder_of_certificates(secure, opened, monkeypatch, tmp_path):
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("CURL_CA_BUNDLE", str(tmp_path / "certificates"))
    (tmp_path / "certificates").mkdir()
    with pytest.raises(DatasetError, match="does not verify"):
        opened(secure.url).read("walloc.json")
    shutil.copy(CERTIFICATE, tmp_path / "certificates" / "ce275665.0")  # the hash of its subject, as OpenSSL names it
    assert opened(secure.url).read("walloc.json") == b'{"format": "walloc"}'


def test_a_certificate_that_does_not_verify_is_an_error_at_once(secure, opened):
    with pytest.raises(DatasetError, match=rf"^{secure.url}/walloc\.json: the server's certificate does not verify"):
        opened(secure.url).read("walloc.json")
    assert secure.requests == 0


def test_a_redirect_that_gives_up_tls_is_refused(secure, server, opened, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    secure.redirect = server.url
    with pytest.raises(DatasetError, match="redirected to http from https, which is not safe"):
        opened(secure.url).read("walloc.json")
    assert server.requests == 0


def test_certificates_that_cannot_be_read(secure, opened, monkeypatch, tmp_path):
    for path in (tmp_path / "none.pem", Path(__file__)):
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        with pytest.raises(DatasetError, match=rf"^{path}: the certificates in it cannot be read"):
            opened(secure.url).read("walloc.json")
