"""A folder of files, a server of it, and storage that is quick to give up."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.http_server import FileServer
from walloc_data.storage import Storage, StorageOptions, open_storage

SIZE = 300_000


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`walloc.json`, `a b.tar` (300,000 random bytes) and `other.tar`."""
    root = tmp_path_factory.mktemp("served") / "data"
    root.mkdir()
    (root / "walloc.json").write_text('{"format": "walloc"}')
    for seed, name in enumerate(("a b.tar", "other.tar")):
        (root / name).write_bytes(random.Random(seed).randbytes(SIZE))
    return root


@pytest.fixture
def server(folder: Path) -> Iterator[FileServer]:
    with FileServer(folder) as running:
        yield running


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Storage]:
    """Opens a URL with a cache of its own."""

    def open_with(url: str, **options: object) -> Storage:
        return open_storage(url, StorageOptions(**{"cache_dir": tmp_path / "cache", "timeout": 5.0} | options))

    return open_with
