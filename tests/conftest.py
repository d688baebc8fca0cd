"""Datasets that many tests read and none changes: each is made once."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from huggingface_hub import constants
from huggingface_hub.utils import close_session
from hypothesis import settings

from tests.hub_server import HubServer
from tests.photographs import window, write_folder
from walloc_data import Codec, ImageReader, Options, load_codec, shard_dataset

settings.register_profile("walloc", deadline=None)  # a machine may be as busy as it likes
settings.load_profile("walloc")


@pytest.fixture(scope="session")
def codec() -> Codec:
    return load_codec("rgb-f8c12")


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 train and 12 val photographs of three classes, 80 x 64 pixels."""
    return write_folder(tmp_path_factory.mktemp("photos") / "photos")


@pytest.fixture(scope="session")
def dataset(photos: Path, codec: Codec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`photos` in records of 8 and shards of 16, cropped to 64 pixels."""
    return _shard(photos, tmp_path_factory.mktemp("dataset") / "out", codec, ImageReader(size=64))


@pytest.fixture(scope="session")
def samples_dataset(photos: Path, codec: Codec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in the layout `samples`."""
    return _shard(photos, tmp_path_factory.mktemp("samples") / "out", codec, ImageReader(size=64), layout="samples")


@pytest.fixture(scope="session")
def ragged_dataset(codec: Codec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unlabelled photographs of differing sizes, kept as they are."""
    root = tmp_path_factory.mktemp("ragged")
    (root / "photos").mkdir()
    for number in range(12):
        window("chelsea", number, (40 + 3 * number, 52 - number % 5)).save(root / "photos" / f"{number:02d}.png")
    return _shard(root / "photos", root / "out", codec, ImageReader(resize="none", crop="none"))


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Path:
    """A copy of `dataset` to damage."""
    return Path(shutil.copytree(dataset, tmp_path / "copy"))


@pytest.fixture(scope="session")
def sharded(codec: Codec) -> Callable[..., Path]:
    """Shards a folder into another with the options of the other fixtures, unless told otherwise."""

    def shard(photos: Path, out: Path, *, size: int | None = 64, **options: object) -> Path:
        return _shard(photos, out, codec, ImageReader(size=size), **options)

    return shard


def _shard(photos: Path, out: Path, codec: Codec, reader: ImageReader, **options: object) -> Path:
    chosen = {"block": 8, "shard_samples": 16} | options
    shard_dataset(photos, out, codec=codec, reader=reader, options=Options(**chosen))
    return out


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """fsspec's memory, empty; and temporary files in a folder of their own, which is left empty."""
    (tmp_path / "rooms").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "rooms"))
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()
    assert list((tmp_path / "rooms").iterdir()) == []


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A Hub of this test alone, which the real client takes for the only one; nobody is logged in."""
    with HubServer().running() as server:
        values = {
            "ENDPOINT": server.endpoint,
            "HUGGINGFACE_CO_URL_TEMPLATE": server.endpoint + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HUB_CACHE": str(tmp_path / "hub-cache"),
            "HF_TOKEN_PATH": str(tmp_path / "hub-token"),
            "HF_STORED_TOKENS_PATH": str(tmp_path / "hub-tokens"),
            "HF_HUB_DISABLE_XET": True,
            "HF_HUB_OFFLINE": False,
        }
        for name, value in values.items():
            monkeypatch.setattr(constants, name, value)
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        yield server
        close_session()
