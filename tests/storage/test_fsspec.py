import importlib.util
import pickle

import fsspec
import pytest

from walloc_data.errors import DatasetError
from walloc_data.storage import open_storage

NAME = "a b.tar"


@pytest.fixture
def memory(folder):
    """The folder in fsspec's memory."""
    system = fsspec.filesystem("memory")
    for name in (NAME, "walloc.json"):
        system.pipe_file(f"/bucket/data/{name}", (folder / name).read_bytes())
    yield system
    system.rm("/bucket", recursive=True)


def test_files_and_ranges_come_whole(memory, folder, opened):
    data = (folder / NAME).read_bytes()
    storage = pickle.loads(pickle.dumps(opened("memory://bucket/data/")))
    assert (storage.url, storage.path(NAME)) == ("memory://bucket/data", None)
    assert storage.read("walloc.json") == (folder / "walloc.json").read_bytes()
    for _ in range(2):
        assert storage.read_range(NAME, 10, 90_000, version="1") == data[10:90_000]
    assert storage.read_range(NAME, 299_999, 300_000) == data[-1:]
    assert storage.read(NAME, version="1") == data
    assert storage.requests == 4


def test_what_is_kept_outlives_the_original(memory, folder, opened):
    storage = opened("memory://bucket/data")
    data = storage.read_range(NAME, 0, 100, version="1")
    memory.rm(f"/bucket/data/{NAME}")
    assert storage.read_range(NAME, 0, 100, version="1") == data
    with pytest.raises(DatasetError, match=r"^memory://bucket/data/a b\.tar: not found; check the URL"):
        storage.read_range(NAME, 0, 100, version="1", anew=True)


def test_short_answers_are_found(memory, opened):
    with pytest.raises(DatasetError, match="1 bytes came instead of 2"):
        opened("memory://bucket/data", retries=0).read_range(NAME, 299_999, 300_001)


def test_archives_open(folder, opened, tmp_path):
    system = fsspec.filesystem("zip", fo=str(tmp_path / "data.zip"), mode="w")
    system.pipe_file("data/walloc.json", b"{}")
    system.close()
    assert opened(f"zip://data::{(tmp_path / 'data.zip').as_uri()}").read("walloc.json") == b"{}"


def test_a_missing_driver_is_named():
    found = [
        (scheme, package)
        for scheme, package in (("s3", "s3fs"), ("gs", "gcsfs"), ("abfs", "adlfs"))
        if importlib.util.find_spec(package) is None
    ]
    assert found or importlib.util.find_spec("s3fs")
    for scheme, package in found:
        with pytest.raises(DatasetError, match=rf"^{scheme}://bucket/data: its driver is not installed.*{package}"):
            open_storage(f"{scheme}://bucket/data")
