"""Files of whatever fsspec opens: object stores, archives, other machines."""

import asyncio
import errno
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import fsspec

from walloc_data.errors import DatasetError, MissingError
from walloc_data.storage.options import StorageOptions
from walloc_data.storage.remote import Fetched
from walloc_data.storage.retry import TransientError, retry
from walloc_data.storage.urls import shown

__all__ = ["FsspecSource"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)

# Roots of the errors of drivers that are no OSError, looked up where their package is loaded.
_PASSING = (
    ("aiohttp", "ClientError"),
    ("azure.core.exceptions", "ServiceRequestError"),
    ("botocore.exceptions", "ConnectionError"),
    ("botocore.exceptions", "HTTPClientError"),
    ("google.auth.exceptions", "TransportError"),
)
_LASTING = (
    ("azure.core.exceptions", "AzureError"),
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("gcsfs.retry", "HttpError"),
    ("google.auth.exceptions", "GoogleAuthError"),
)


@dataclass
class _Opened:
    """What belongs to one process: connections, and a lock that no thread of another can hold."""

    system: Any
    folder: str
    requests: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class FsspecSource:
    """A `Source` of the files under a URL that fsspec knows, such as `s3://bucket/folder`.

    Credentials are found as its driver finds them. Raises `DatasetError` where the driver is not installed.
    """

    def __init__(self, url: str, options: StorageOptions) -> None:
        self.url = self.place = shown(url)
        self._url = url
        self._retries = options.retries
        self._opened: dict[int, _Opened] = {}
        self._open()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": {}}

    @property
    def requests(self) -> int:
        """Files and ranges that this process has asked the driver for so far."""
        return self._open().requests

    @property
    def revision(self) -> str:
        """None: of what fsspec opens, the last version is read."""
        return ""

    def key(self, name: str) -> str:
        """The full URL of a file."""
        return f"{self._url.rstrip('/')}/{name}"

    def fetch(self, name: str, span: tuple[int, int] | None = None, *, etag: str = "") -> Fetched:
        """A file, or a range of exactly `span[1] - span[0]` bytes."""
        return retry(lambda: self._cut_out(name, span), retries=self._retries, where=f"{self.url}/{name}")

    def size(self, name: str) -> int | None:
        """Bytes of a file."""
        ask = partial(self._ask, name, lambda system, path: system.size(path))
        found: int | None = retry(ask, retries=self._retries, where=f"{self.url}/{name}")
        return found

    def _cut_out(self, name: str, span: tuple[int, int] | None) -> Fetched:
        start, stop = span or (None, None)
        data = bytes(self._ask(name, lambda system, path: system.cat_file(path, start=start, end=stop)))
        if span is not None and len(data) != span[1] - span[0]:
            raise TransientError(f"{len(data)} bytes came instead of {span[1] - span[0]}")
        return Fetched(data)

    def _ask(self, name: str, work: Callable[[Any, str], Any]) -> Any:
        """What the driver answers about a file."""
        where = f"{self.url}/{name}".rstrip("/")
        opened = self._open()
        with opened.lock:
            opened.requests += 1
        try:
            return work(opened.system, f"{opened.folder}/{name}")
        except FileNotFoundError as error:
            raise MissingError(f"{where}: not found; check the URL, which names a dataset's folder") from error
        except PermissionError as error:
            raise DatasetError(f"{where}: access refused ({error}); check the credentials of its driver") from error
        except _loaded(_PASSING, OSError, EOFError, asyncio.TimeoutError) as error:
            if isinstance(error, OSError) and error.errno in _FULL:
                raise DatasetError(
                    f"{where}: cannot be written ({error.strerror or error}): make room there"
                ) from error
            raise TransientError(f"{type(error).__name__}: {error}") from error
        except _loaded(_LASTING, ValueError, RuntimeError) as error:
            raise DatasetError(
                f"{where}: its driver failed ({type(error).__name__}: {error}); check URL and credentials"
            ) from error

    def _open(self) -> _Opened:
        found = self._opened.get(os.getpid())
        if found is not None:
            return found
        try:
            system, folder = fsspec.core.url_to_fs(self._url)
        except ImportError as error:
            raise DatasetError(f"{self.url}: its driver is not installed ({error})") from error
        except _loaded(_PASSING + _LASTING, OSError, ValueError, TypeError) as error:
            raise DatasetError(f"{self.url}: cannot be opened ({error}); check the URL") from error
        return self._opened.setdefault(os.getpid(), _Opened(system, str(folder).rstrip("/")))


def _loaded(names: tuple[tuple[str, str], ...], *others: type[Exception]) -> tuple[type[Exception], ...]:
    """These errors and `others`; a package that is not loaded has raised none."""
    found = [getattr(sys.modules[module], name) for module, name in names if module in sys.modules]
    return (*others, *found)
