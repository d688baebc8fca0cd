"""The ways that people name proxies, and hosts that need none."""

import base64
import importlib.util
import os
import socket
import threading

import pytest
from huggingface_hub.utils import close_session

from tests.http_server import FileServer
from walloc_data.errors import CodecError, DatasetError
from walloc_data.hub.push import check_push
from walloc_data.storage.routes import open_route
from walloc_data.zoo import load_codec

ELSEWHERE = "http://elsewhere.invalid"
DEAD = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def address(server):
    return server.url.removeprefix("http://")


@pytest.mark.parametrize("name", ["http_proxy", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("written", ["http://{}", "{}", "http://me:SECRET@{}", "me:SECRET@{}", "HTTP://{}/"])
def test_proxies_that_are_used(server, opened, monkeypatch, name, written):
    monkeypatch.setenv(name, written.format(address(server)))
    assert opened(ELSEWHERE).read("walloc.json") == b'{"format": "walloc"}'
    target, headers = server.seen[0]
    assert target == f"{ELSEWHERE}/walloc.json"
    login = "Basic " + base64.b64encode(b"me:SECRET").decode() if "SECRET" in written else None
    assert headers.get("Proxy-Authorization") == login


def test_a_host_by_name_without_a_scheme(server, opened, monkeypatch):
    monkeypatch.setenv("http_proxy", f"localhost:{address(server).split(':')[1]}")
    assert opened(ELSEWHERE).read("walloc.json") == b'{"format": "walloc"}'


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("http://host:port", r"the proxy in http_proxy, .* is no URL \(http://host:port\): write http://host:port"),
        ("http://me:SECRET@host:99999", r"is no URL \(host:99999\)"),
        ("http://me:SECRET@[::1", "is no URL"),
        ("http://", "is none that can be used"),
        ("ftp://me:SECRET@host:21", r"is none that can be used \(host:21\): write http://host:port"),
    ],
)
def test_proxies_that_cannot_be_right(opened, monkeypatch, written, says):
    monkeypatch.setenv("http_proxy", written)
    with pytest.raises(DatasetError, match=says) as caught:
        opened(ELSEWHERE).read("walloc.json")
    assert "SECRET" not in repr(caught.value)


def test_a_proxy_that_takes_no_connection(opened, monkeypatch):
    monkeypatch.setenv("http_proxy", DEAD.replace("//", "//me:SECRET@"))
    with pytest.raises(DatasetError, match=rf"no connection to the proxy {DEAD}; given up") as caught:
        opened(ELSEWHERE, retries=0).read("walloc.json")
    assert "SECRET" not in repr(caught.value)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_asks_for_a_login(opened, monkeypatch, scheme):
    """A request of http comes to it as it is, one of https asks for a tunnel."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def refuse():
            connection, _ = listening.accept()
            with connection:
                connection.recv(9999)
                connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        monkeypatch.setenv(f"{scheme}_proxy", f"http://127.0.0.1:{listening.getsockname()[1]}")
        with pytest.raises(
            DatasetError, match=r"the proxy http://127\.0\.0\.1:\d+ asks for a login: write http://user"
        ):
            opened(f"{scheme}://elsewhere.invalid").read("walloc.json")
        thread.join()


@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
@pytest.mark.parametrize(
    ("host", "exempt", "straight"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.1:{port}", True),
        ("127.0.0.1", "127.0.0.1:1", False),
        ("127.0.0.1", "127.0.0.0/8", True),
        ("127.0.0.1", "10.0.0.0/8, 192.168.0.0/16", False),
        ("localhost", "localhost:{port}", True),
        ("localhost", "localhost:1", False),
        ("localhost", "example.org, .localhost", True),
        ("localhost", "*", True),
    ],
)
def test_hosts_that_need_no_proxy(server, opened, monkeypatch, variable, host, exempt, straight):
    port = address(server).split(":")[1]
    monkeypatch.setenv("http_proxy", DEAD)
    monkeypatch.setenv(variable, exempt.format(port=port))
    storage = opened(f"http://{host}:{port}", retries=0)
    if straight:
        assert storage.read("walloc.json") == b'{"format": "walloc"}'
    else:
        with pytest.raises(DatasetError, match="no connection to the proxy"):
            storage.read("walloc.json")


@pytest.mark.parametrize(
    ("host", "straight"), [("[fd00::5]", True), ("[fd00::5]:8080", True), ("[fe80::5]", False), ("fd00.example", False)]
)
def test_networks_of_ipv6(monkeypatch, host, straight):
    monkeypatch.setenv("http_proxy", DEAD)
    monkeypatch.setenv("no_proxy", "10.0.0.0/8, fd00::/8, nonsense/9")
    assert (open_route(f"http://{host}/data").proxy == "") is straight


@pytest.mark.skipif(importlib.util.find_spec("socks") is not None, reason="PySocks is installed")
def test_socks_without_its_package(opened, monkeypatch):
    monkeypatch.setenv("all_proxy", "socks5://me:SECRET@127.0.0.1:9")
    with pytest.raises(DatasetError, match=r"socks5://127\.0\.0\.1:9 speaks SOCKS, .*: pip install pysocks$"):
        opened(ELSEWHERE).read("walloc.json")


@pytest.mark.parametrize("written", ["http://host:port", "socks5://127.0.0.1:9"])
def test_the_hub_s_own_client(hub, monkeypatch, written):
    if written.startswith("socks") and importlib.util.find_spec("socksio") is not None:
        pytest.skip("socksio is installed")
    monkeypatch.setenv("all_proxy", written)
    monkeypatch.setenv("no_proxy", "")
    close_session()
    with pytest.raises(CodecError, match=r"hf://ann/codec: .*; check HF_ENDPOINT, and the proxy in https_proxy"):
        load_codec("hf://ann/codec")
    with pytest.raises(
        DatasetError, match=r"datasets/ann/latents: .*; check HF_ENDPOINT, and the proxy in https_proxy"
    ):
        check_push("ann/latents", token="hf_token")


@pytest.mark.parametrize("login", [b"", b"me:SECRET"])
def test_socks(folder, opened, monkeypatch, login):
    pytest.importorskip("socks")
    with FileServer(folder) as server, socket.create_server(("127.0.0.1", 0)) as listening:
        seen = []
        thread = threading.Thread(target=speak_socks, args=(listening, int(address(server).split(":")[1]), seen))
        thread.start()
        there = f"127.0.0.1:{listening.getsockname()[1]}"
        monkeypatch.setenv("all_proxy", f"socks5h://{login.decode()}{'@' if login else ''}{there}")
        storage = opened(ELSEWHERE)
        assert storage.read("walloc.json") == b'{"format": "walloc"}'
        assert seen == [login, b"elsewhere.invalid"]
        storage.source._client.routes.clear()
        thread.join(30)
    with pytest.raises(DatasetError, match=rf"takes no connection through the proxy socks5h://{there}"):
        opened("http://another.invalid", retries=0).read("walloc.json")


def speak_socks(listening, port, seen):
    """One connection of SOCKS 5 (RFC 1928, 1929) to that port, wherever it is for."""
    connection, _ = listening.accept()
    with connection, socket.create_connection(("127.0.0.1", port)) as server:
        _, count = connection.recv(2)
        method = max(connection.recv(count))
        connection.sendall(bytes([5, method]))
        login = []
        if method == 2:
            connection.recv(1)
            login = [connection.recv(connection.recv(1)[0]) for _ in "up"]
            connection.sendall(b"\1\0")
        seen.append(b":".join(login))
        connection.recv(4)
        seen.append(connection.recv(connection.recv(1)[0]))
        connection.recv(2)
        connection.sendall(b"\5\0\0\1" + bytes(6))
        server.sendall(connection.recv(9999))
        while data := server.recv(9999):
            connection.sendall(data)
            if b"walloc" in data:
                break
