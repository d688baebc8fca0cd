"""Files of a web server: whole, or by ranges, checked and retried; redirects followed by hand."""

import base64
import codecs
import os
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import urllib3

from walloc_data.errors import DatasetError, MissingError
from walloc_data.storage.answer import Answer, read_body
from walloc_data.storage.options import StorageOptions
from walloc_data.storage.remote import Fetched
from walloc_data.storage.retry import TransientError, UnreachableError, retry, retry_after
from walloc_data.storage.routes import Route, open_route
from walloc_data.storage.urls import origin, redirected, shown, trusted
from walloc_data.storage.work import check

__all__ = ["HttpSource"]

# Connecting looks this up and imports it; a child forked while a thread does so would wait for ever for that thread.
codecs.lookup("idna")

_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "walloc-data"}
_HOPS = 10
_STRANGER = 2  # failures to connect, of a host that never answered, that may pass
_NO_CONNECTION = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
_REDIRECTS = (301, 302, 303, 307, 308)
_REMEMBERED = 1 << 14  # targets of redirects: of as many shards
_REMEMBER = 600.0  # seconds: signed addresses live longer, as a rule, and one that does not is resolved again
_STAY = (408, 416, 425, 429)  # refusals that do not say that an address has expired, as 400, 403 and 404 may


@dataclass
class _Client:
    """What belongs to one process: connections must not be shared with a forked child."""

    routes: dict[tuple[str, str, int], Route] = field(default_factory=dict)  # by origin
    targets: dict[str, tuple[str, float]] = field(
        default_factory=dict
    )  # by name: where it was redirected to, till when
    requests: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class HttpSource:
    """A `Source` of the files under an `http(s)://` URL.

    A query string is sent for each file; `user:password@` in the URL becomes an Authorization header. Both stay out of
    messages and of requests to other hosts. A subclass may say other URLs on the same host (`file_url`), headers
    (`headers`), and what a status means to its users (`refusal`).
    """

    def __init__(self, url: str, options: StorageOptions) -> None:
        try:
            parts = urlsplit(url)
            port = f":{parts.port}" if parts.port else ""
        except ValueError as error:
            raise DatasetError(f"{shown(url)}: its host or port cannot be right; check the URL") from error
        if not parts.hostname:
            raise DatasetError(f"{shown(url)}: a URL names its host: {parts.scheme}://host/folder")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        folder = quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~-._")
        self.url = urlunsplit((parts.scheme, host + port, folder, "", ""))
        self.place = self.url
        self._query = parts.query
        self._login = ""
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._login = "Basic " + base64.b64encode(login.encode()).decode()
        self._timeout, self._retries = options.timeout, options.retries
        self._clients: dict[int, _Client] = {}
        self._answered, self._refused = False, 0  # of connections; workers get the first from their parent

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_clients": {}}

    @property
    def requests(self) -> int:
        """Requests that this process has sent so far."""
        return self._client.requests

    @property
    def revision(self) -> str:
        """None: a web server has one of each file."""
        return ""

    def key(self, name: str) -> str:
        """The full URL of a file, with the query."""
        return self.file_url(name)

    def file_url(self, name: str) -> str:
        """The full URL that is asked for a file."""
        query = f"?{self._query}" if self._query else ""
        return f"{self.url}/{quote(name)}{query}"

    def headers(self, name: str) -> dict[str, str]:
        """Headers for the host of `file_url` alone: credentials."""
        return {"Authorization": self._login} if self._login else {}

    def refusal(self, name: str, answer: Answer) -> DatasetError:
        """What a status that no retry helps means to the user, and what to do."""
        where = f"{self.url}/{name}"
        if answer.status in (404, 410):
            return MissingError(f"{where}: not found ({answer.status}); check the URL, which names a dataset's folder")
        if answer.status == 416:
            return MissingError(f"{where} is shorter than its index says: cut short or replaced; upload it again")
        if answer.status in (401, 403):
            return DatasetError(
                f"{where}: access refused ({answer.status}); check the credentials or the signature in the URL, "
                "which may have expired"
            )
        return DatasetError(f"{where}: the server answered {answer.status}; check the URL")

    def fetch(self, name: str, span: tuple[int, int] | None = None, *, etag: str = "") -> Fetched:
        """A file, or a range of exactly `span[1] - span[0]` bytes; unchanged where it still has this `etag`."""
        return retry(lambda: self._attempt(name, span, etag), retries=self._retries, where=f"{self.url}/{name}")

    def size(self, name: str) -> int | None:
        """Bytes of a file, as the server says with the first of them: many that sign addresses refuse HEAD."""

        def first_byte() -> int | None:
            answer = self._follow(name, {**_HEADERS, "Range": "bytes=0-0"})
            self._receive(name, (0, 1), answer, "")
            return answer.total

        return retry(first_byte, retries=self._retries, where=f"{self.url}/{name}")

    @property
    def _client(self) -> _Client:
        # A forked child leaves its parent's client untouched: a lock in it may be held by a thread that is not there.
        found = self._clients.get(os.getpid())
        return found or self._clients.setdefault(os.getpid(), _Client())

    def _attempt(self, name: str, span: tuple[int, int] | None, etag: str) -> Fetched:
        wanted = dict(_HEADERS)
        if span is not None:
            wanted["Range"] = f"bytes={span[0]}-{span[1] - 1}"
        if etag:
            wanted["If-None-Match"] = etag
        target, deadline = self._client.targets.get(name, ("", 0.0))
        if span is not None and time.monotonic() < deadline:
            try:
                answer = self._send(name, target, wanted)
            except TransientError:
                self._remember(name, None)
                raise
            if answer.status not in _REDIRECTS and (answer.status in _STAY or answer.status // 100 != 4):
                return self._receive(name, span, answer, etag)
            answer.close()
            self._remember(name, None)
        return self._receive(name, span, self._follow(name, wanted), etag)

    def _follow(self, name: str, wanted: dict[str, str]) -> Answer:
        """The answer at the end of all redirects."""
        url = self.file_url(name)
        for hop in range(_HOPS):
            answer = self._send(name, url, wanted)
            if answer.status not in _REDIRECTS:
                if hop and answer.status == 206:
                    self._remember(name, url)
                return answer
            answer.close()
            try:
                url = redirected(url, answer.header("Location"))
            except ValueError as error:
                raise DatasetError(
                    f"{self.url}/{name}: redirected to {error}; check the URL, or ask its host"
                ) from error
        raise DatasetError(f"{self.url}/{name}: more than {_HOPS} redirects; check the URL")

    def _remember(self, name: str, target: str | None) -> None:
        """Ask this address for the next ranges of a file; None: the file's own URL again."""
        client = self._client
        with client.lock:
            client.targets.pop(name, None)
            if target is not None:
                client.targets[name] = target, time.monotonic() + _REMEMBER
            if len(client.targets) > _REMEMBERED:
                del client.targets[next(iter(client.targets))]

    def _receive(self, name: str, span: tuple[int, int] | None, answer: Answer, etag: str) -> Fetched:
        """Read and check the body, and give the connection back; or raise what the status means."""
        try:
            if answer.status in (408, 425, 429) or answer.status >= 500:
                after = retry_after(answer.header("Retry-After"))
                raise TransientError(f"the server answered {answer.status}", after)
            if answer.status == 304 and etag:
                return Fetched(b"", etag, changed=False)
            if answer.status not in (200, 206):
                raise self.refusal(name, answer)
            return Fetched(read_body(answer, span, where=f"{self.url}/{name}"), answer.header("ETag"))
        finally:
            answer.close()

    def _send(self, name: str, url: str, wanted: dict[str, str]) -> Answer:
        """One request. Credentials go to the host they were given for, and no other."""
        check()
        own = trusted(url, self.place)
        client = self._client
        with client.lock:
            client.requests += 1
            route = client.routes.get(origin(url))
            if route is None:
                route = client.routes[origin(url)] = open_route(url)
        try:
            response = route.connections.request(
                "GET",
                url,
                headers={**wanted, **self.headers(name)} if own else wanted,
                timeout=urllib3.Timeout(connect=self._timeout, read=self._timeout),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except urllib3.exceptions.LocationValueError as error:
            raise DatasetError(f"{self.url}/{name}: not a URL that can be asked; check it") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._failure(name, error, route) from error
        self._answered = True
        if response.status == 407:
            response.close()
            raise route.refused()
        return Answer(response)

    def _failure(self, name: str, error: Exception, route: Route) -> Exception:
        """What an exchange that came to no answer means."""
        causes = (error, *error.args)
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
            return DatasetError(
                f"{self.url}/{name}: the server's certificate does not verify ({error}); "
                "name your authority's certificates in $SSL_CERT_FILE"
            )
        reason = route.reason(error)
        if not self._answered and any(isinstance(cause, _NO_CONNECTION) for cause in causes):
            self._refused += 1
            if self._refused > _STRANGER:
                return UnreachableError(f"{self.url}: {reason}; check the address, and the network")
        return TransientError(reason)
