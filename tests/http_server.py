"""A real web server of a folder, with ranges and ETags, that can be slow, fail by plan, and redirect."""

import functools
import hashlib
import random
import re
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Mapping
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

FAULTS = ("reset", "truncated", "503", "429", "wrong bytes", "html", "no ranges", "hang", "close")


class FileServer:
    """Serves a folder at `url` while it is entered.

    `latency` is in seconds, before each answer. `faults` gives the probability of each kind of `FAULTS`, drawn with
    `seed`; `script` lists kinds that the next requests get, one each ("" for none), before any is drawn. With
    `redirect` (the URL of another server) every request is answered by 302 to the same path there, with `signature`
    as its query, and with `signature` alone a request without that query gets 403. With `authorization` a request
    whose header is another gets 401. With `certificate` (a PEM file with its key) it speaks TLS. `extra` headers go
    with each file, in the place of those that are right. `counts` are requests by path; `seen` holds path and headers
    of each; `given` counts the faults, `statuses` the answers.
    """

    def __init__(
        self,
        folder: Path,
        *,
        latency: float = 0.0,
        faults: Mapping[str, float] | None = None,
        seed: int = 0,
        etags: bool = True,
        authorization: str = "",
        certificate: Path | None = None,
    ) -> None:
        assert set(faults or {}) <= set(FAULTS)
        self.folder, self.latency, self.faults, self.etags = folder, latency, dict(faults or {}), etags
        self.authorization, self.certificate = authorization, certificate
        self.redirect = self.signature = ""
        self.retry_after = "0"
        self.extra: dict[str, str] = {}
        self.script: list[str] = []
        self.counts: Counter[str] = Counter()
        self.given: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.connections = 0
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def __enter__(self) -> "FileServer":
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http{'s' if self.certificate else ''}://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()

    @property
    def requests(self) -> int:
        """Requests received so far."""
        return sum(self.counts.values())

    def note(self, target: str, headers: Mapping[str, str]) -> str:
        """Count a request, and draw its fault."""
        with self._lock:
            path = unquote(urlsplit(target).path).lstrip("/")
            self.counts[path] += 1
            self.seen.append((target, {name.title(): value for name, value in headers.items()}))
            if self.script:
                fault = self.script.pop(0)
            else:
                draw, fault = self._random.random(), ""
                for kind, probability in self.faults.items():
                    draw -= probability
                    if draw < 0:
                        fault = kind
                        break
            self.given[fault] += 1
            return fault


@functools.cache
def _etag(path: Path, changed: int, size: int) -> str:
    return f'"{hashlib.md5(path.read_bytes()).hexdigest()}"'


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, plan: FileServer) -> None:
        self.plan = plan
        self.open: set[socket.socket] = set()
        self.leaving = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)
        if plan.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(plan.certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def process_request(self, request: socket.socket, client_address: object) -> None:
        self.plan.connections += 1
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients hang up; that is theirs to do."""

    def hang_up(self) -> None:
        self.leaving.set()
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                self.open.discard(connection)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        """Tests read `seen`."""

    def do_GET(self) -> None:
        plan = self.server.plan
        fault = plan.note(self.path, self.headers)
        if plan.latency:
            time.sleep(plan.latency)
        parts = urlsplit(self.path)
        if fault == "close":
            self.close_connection = True
        elif fault == "hang":
            self.server.leaving.wait(30)
            self.close_connection = True
        elif fault in ("503", "429"):
            self._answer(int(fault), b"busy", {"Retry-After": plan.retry_after})
        elif fault == "html":
            self._answer(200, b"<html>log in</html>", {"Content-Type": "text/html; charset=utf-8"})
        elif plan.authorization and self.headers.get("Authorization") != plan.authorization:
            self._answer(401, b"who are you", {})
        elif plan.redirect:
            query = f"?{plan.signature}" if plan.signature else ""
            self._answer(302, b"there", {"Location": f"{plan.redirect}{parts.path}{query}"})
        elif plan.signature and parts.query != plan.signature:
            self._answer(403, b"expired", {})
        else:
            self._file(plan, fault, plan.folder / unquote(parts.path).lstrip("/"))

    def _file(self, plan: FileServer, fault: str, path: Path) -> None:
        if not path.is_file():
            self._answer(404, b"no such file", {"Content-Type": "text/html"})
            return
        status = path.stat()
        etag, size = _etag(path, status.st_mtime_ns, status.st_size), status.st_size
        headers = {"ETag": etag} if plan.etags else {}
        if plan.etags and self.headers.get("If-None-Match") == etag:
            self._answer(304, b"", headers)
            return
        code, start, stop = 200, 0, size
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if asked and fault != "no ranges":
            start, stop = int(asked[1]), min(int(asked[2]) + 1, size)
            if start >= size:
                self._answer(416, b"", {"Content-Range": f"bytes */{size}"})
                return
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
            code = 206
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(stop - start)
        if fault == "wrong bytes":
            data = bytes([data[0] ^ 0x41]) + data[1:]
        self._answer(code, data, {**headers, **plan.extra}, fault=fault)

    def _answer(self, status: int, data: bytes, headers: Mapping[str, str], *, fault: str = "") -> None:
        self.server.plan.statuses[status] += 1
        lines = {"Content-Type": "application/octet-stream", "Content-Length": str(len(data)), **headers}
        if status == 304:
            del lines["Content-Length"]
        self.send_response(status)
        self.send_header("Last-Modified", formatdate(0, usegmt=True))
        for name, value in lines.items():
            self.send_header(name, value)
        self.end_headers()
        if fault not in ("reset", "truncated"):
            self.wfile.write(data)
            return
        self.wfile.write(data[: len(data) // 2])
        self.close_connection = True
        if fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
