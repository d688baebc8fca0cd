"""Sources that are not on this machine."""

import pickle

import fsspec
import huggingface_hub
import pytest

from tests.http_server import FileServer
from tests.sources.archives import members_of, write_tar
from tests.sources.as_tables import as_parquet
from walloc_data.errors import SourceError
from walloc_data.sources import open_source

JPG = frozenset((".jpg",))


def opened(address):
    return pickle.loads(pickle.dumps(open_source(address, suffixes=JPG)))


def listed(source):
    return {
        name: [(split.key(index), split[index].data, split[index].fields) for index in range(len(split))]
        for name, split in source.splits.items()
    }


@pytest.fixture
def tars(photos, tmp_path, monkeypatch):
    """The photographs in three tars."""
    monkeypatch.setenv("WALLOC_CACHE", str(tmp_path / "cache"))
    train = members_of(photos, "train")
    write_tar(tmp_path / "tars" / "train-000.tar", train[:80])
    write_tar(tmp_path / "tars" / "train-001.tar", train[80:])
    write_tar(tmp_path / "tars" / "val-000.tar", members_of(photos, "val"))
    return tmp_path / "tars"


def test_tars_of_a_web_server(tars, photos):
    with FileServer(tars) as server:
        source = opened(f"{server.url}/{{train-{{000..001}},val-000}}.tar?signature=secret")
        assert listed(source) == listed(opened(photos))
        assert "secret" not in source.name + source.splits["train"][0].name
        assert {path.partition("?")[2] for path, _ in server.seen} == {"signature=secret"}


def test_a_web_server_lists_no_folder(tars):
    with FileServer(tars) as server:
        with pytest.raises(SourceError, match=r"a web server lists no folders; name the files, as in .*/train-\{000"):
            opened(f"{server.url}/data")
        with pytest.raises(SourceError, match=r"train-009\.tar is not there: check the address"):
            opened(f"{server.url}/train-009.tar")


@pytest.mark.parametrize(
    "address",
    ["hf://ann/photos", "hf://datasets/ann/photos@main", "hf://ann/photos/data", "hf://ann/photos/data/*.tar"],
)
def test_tars_of_the_hub(hub, tars, photos, address):
    files = {f"data/{path.name}": path.read_bytes() for path in tars.iterdir()}
    hub.put("datasets", "ann/photos", files | {"README.md": b"# Photographs"})
    source = opened(address)
    assert listed(source) == listed(opened(photos))
    assert source.splits["train"].stamp(0) != ""
    assert hub.leaks == []


@pytest.mark.parametrize(
    "address", ["hf://datasets/ann/photos", "hf://ann/photos/{train-{00000..00001},val-00000}.parquet"]
)
def test_parquet_of_the_hub(hub, photos, tmp_path, monkeypatch, address):
    monkeypatch.setenv("WALLOC_CACHE", str(tmp_path / "cache"))
    tables = as_parquet(photos, tmp_path / "tables")
    hub.put("datasets", "ann/photos", {path.name: path.read_bytes() for path in tables.iterdir()})
    source = opened(address)
    assert listed(source) == listed(opened(photos))
    assert hub.leaks == []


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("hf://ann/nothing", "does not exist or is private"),
        ("hf://ann/photos@v9", "has no revision 'v9'"),
        ("hf://ann/photos", r"holds no files of \.parquet or \.tar: download it"),
        ("hf://ann/photos/x.tar", r"hf://ann/photos/x\.tar is not there"),
        ("hf://ann", "cannot be listed|write hf://user/name"),
    ],
)
def test_nothing_on_the_hub(hub, tars, address, reason):
    hub.put("datasets", "ann/photos", {"README.md": b""})
    with pytest.raises(SourceError, match=reason):
        opened(address)


@pytest.mark.parametrize("address", ["memory://bucket/tars", "memory://bucket/tars/*.tar"])
def test_tars_of_an_object_store(tars, photos, address):
    system = fsspec.filesystem("memory")
    for path in tars.iterdir():
        system.pipe_file(f"/bucket/tars/{path.name}", path.read_bytes())
    try:
        assert listed(opened(address)) == listed(opened(photos))
    finally:
        system.rm("/bucket", recursive=True)
    with pytest.raises(SourceError, match="memory://bucket/tars"):
        opened(address)


def test_a_hub_that_is_not_to_be_asked(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(SourceError, match=r"^hf://ann/photos: not in the cache, and HF_HUB_OFFLINE is set: unset it$"):
        opened("hf://ann/photos/data")
