"""The door to a dataset's files: a local folder, a web server, the Hub, or anything that fsspec opens."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

from walloc_data.errors import DatasetError
from walloc_data.storage.fsspec_files import FsspecSource
from walloc_data.storage.http import HttpSource
from walloc_data.storage.hub import HubSource
from walloc_data.storage.local import LocalStorage
from walloc_data.storage.options import StorageOptions
from walloc_data.storage.remote import RemoteStorage, Source
from walloc_data.storage.urls import shown

__all__ = ["Storage", "open_storage"]


class Storage(Protocol):
    """The files of one dataset folder, wherever it is. Pickles, forks, and serves many threads at once.

    `url` is what messages name; it holds no credentials and no query. A `version` identifies the content of a file
    among those of its suffix (such as its sha256): what was kept under it is used without asking. Without one, the
    file is never stale by more than a minute, unless nobody answers: then a copy of any age is read, with a warning.
    All methods raise `DatasetError` with what to do where a file cannot be had.
    """

    url: str

    @property
    def requests(self) -> int:
        """Requests that this process has sent so far; 0 for a local folder."""

    @property
    def revision(self) -> str:
        """The commit that is read of a repository of the Hub, 40 hex digits, known once a file was; "" elsewhere."""

    def path(self, name: str) -> Path | None:
        """The local file of that name, to be opened; None where files are remote."""

    def size(self, name: str) -> int:
        """Bytes of a file as it is now, whatever is cached."""

    def read(self, name: str, *, version: str = "", anew: bool = False) -> bytes:
        """A whole small file; `anew` bypasses what is cached and replaces it."""

    def read_range(self, name: str, start: int, stop: int, *, version: str = "", anew: bool = False) -> bytes:
        """Bytes `start` up to `stop` of a file, exactly as many; `anew` bypasses what is cached and replaces it."""


_SOURCES: dict[str, Callable[[str, StorageOptions], Source]] = {
    "hf": HubSource,
    "http": HttpSource,
    "https": HttpSource,
}


def open_storage(url: str | os.PathLike[str], options: StorageOptions | None = None) -> Storage:
    """The files of the folder at a path, `file://`, `http(s)://` or `hf://` URL, or one that fsspec opens (`s3://`).

    Nothing is requested yet. A query string stays on the URL of each file, and out of messages. Raises
    `DatasetError` for a URL that cannot be right, or whose driver is not installed.

    >>> open_storage("https://me:password@example.org/data?signature=secret").url
    'https://example.org/data'
    """
    options = options or StorageOptions()
    text = os.fspath(url)
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)(://|::)", text)
    if not isinstance(url, str) or not found:
        return LocalStorage(text)
    scheme = found[1].lower()
    if scheme == "file" and found[2] == "://":
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost"):
            raise DatasetError(f"{shown(text)}: a file:// URL names no other machine; write file:///folder")
        return LocalStorage(url2pathname(parts.path))
    return RemoteStorage(_SOURCES.get(scheme, FsspecSource)(text, options), options)
