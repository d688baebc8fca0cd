import pickle
import pwd
import sys
from pathlib import Path

import pytest

from walloc_data.errors import DatasetError
from walloc_data.storage import StorageOptions, cache, open_storage


def test_local_folders_by_path_and_url(folder, monkeypatch):
    data = (folder / "a b.tar").read_bytes()
    monkeypatch.chdir(folder.parent)
    for url in (folder, str(folder), f"{folder}/", folder.as_uri(), f"file://localhost{folder}", "data", Path("data")):
        storage = pickle.loads(pickle.dumps(open_storage(url)))
        assert storage.path("a b.tar").samefile(folder / "a b.tar")
        assert storage.read("walloc.json") == (folder / "walloc.json").read_bytes()
        assert storage.read_range("a b.tar", 100, 5000, version="x", anew=True) == data[100:5000]
        assert storage.requests == 0
    assert str(folder) in repr(open_storage(folder))


def test_a_file_url_is_quoted(tmp_path):
    inside = tmp_path / "my data #1"
    inside.mkdir()
    (inside / "walloc.json").write_bytes(b"{}")
    assert open_storage(inside.as_uri()).read("walloc.json") == b"{}"
    assert open_storage(str(inside)).read("walloc.json") == b"{}"


def test_local_files_that_are_not_there_or_short(folder):
    storage = open_storage(folder)
    with pytest.raises(DatasetError, match=r"none\.tar: cannot be read \(No such file"):
        storage.read("none.tar")
    with pytest.raises(DatasetError, match=r"none\.tar: cannot be read \(No such file"):
        storage.read_range("none.tar", 0, 5)
    with pytest.raises(DatasetError, match=r"a b\.tar has 300000 bytes, and bytes 299999 to 300001"):
        storage.read_range("a b.tar", 299_999, 300_001)
    with pytest.raises(ValueError, match="no range"):
        storage.read_range("a b.tar", 5, 3)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://", "names its host"),
        ("https:///data", "names its host"),
        ("http://me:SECRET@/data", "names its host"),
        ("http://me:SECRET@host:port/data", "cannot be right"),
        ("http://[::1/data", "cannot be right"),
        ("file://host/data", "names no other machine"),
        ("nonsense://me:SECRET@host/data?token=SECRET", "cannot be opened.*check the URL"),
    ],
)
def test_urls_that_cannot_be_right(url, says):
    with pytest.raises(DatasetError, match=says) as caught:
        open_storage(url)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"cache_bytes": -1}, "cache_bytes=-1"),
        ({"cache_bytes": 1.5}, "cache_bytes=1.5"),
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": float("nan")}, "timeout=nan"),
        ({"timeout": "long"}, "timeout='long'"),
        ({"retries": -1}, "retries=-1"),
        ({"retries": None}, "retries=None"),
        ({"revision": ""}, "revision must be text"),
        ({"token": b"SECRET"}, "token must be text"),
        ({"token": "hf_SECRET\n"}, "token must be a line of ASCII"),
        ({"token": "hf_SECRÉT"}, "token must be a line of ASCII"),
    ],
)
def test_options_out_of_range(options, says):
    with pytest.raises(DatasetError, match=says) as caught:
        StorageOptions(**options)
    assert "SECRET" not in str(caught.value)


def test_tokens_are_not_shown_and_pickle():
    options = StorageOptions(token="SECRET")
    assert "SECRET" not in repr(options)
    assert pickle.loads(pickle.dumps(options)) == options


def test_where_the_cache_is(monkeypatch, tmp_path):
    for name in ("WALLOC_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert StorageOptions().cache_folder in (
        tmp_path / ".cache" / "walloc_data",
        tmp_path / "Library" / "Caches" / "walloc_data",
    )
    monkeypatch.setenv("WALLOC_CACHE", "~/here")
    assert StorageOptions().cache_folder == tmp_path / "here"
    assert StorageOptions(cache_dir=tmp_path / "there").cache_folder == tmp_path / "there"
    monkeypatch.chdir(tmp_path)
    assert StorageOptions(cache_dir="relative").cache_folder == tmp_path / "relative"


@pytest.fixture
def no_home(monkeypatch):
    """No $HOME, and a user whom the system does not know: as in many containers."""
    for name in ("HOME", "WALLOC_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def unknown(_):
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(cache, "_WARNED", {})


def test_nobody_s_home_is_no_folder_of_that_name(no_home, tmp_path, monkeypatch, caplog, server):
    monkeypatch.chdir(tmp_path)
    assert StorageOptions().cache_folder is None
    for _ in range(2):
        assert open_storage(server.url).read("walloc.json") == b'{"format": "walloc"}'
    assert server.requests == 2
    assert list(tmp_path.iterdir()) == []
    (record,) = caplog.records
    assert "Choose a folder for the disk cache with cache_dir or $WALLOC_CACHE" in record.getMessage()
    with pytest.raises(DatasetError, match=r"the disk cache in ~/here: that home is not known"):
        open_storage(server.url, StorageOptions(cache_dir="~/here"))


def test_without_a_home_the_folder_for_caches_serves(no_home, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert StorageOptions().cache_folder == tmp_path / "walloc_data"
    monkeypatch.setenv("XDG_CACHE_HOME", "caches")  # a relative one is to be passed over, says its specification
    assert StorageOptions().cache_folder is None
