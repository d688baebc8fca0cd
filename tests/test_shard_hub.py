"""Datasets that are written to the Hub shard by shard, by its real client and to a server that speaks its protocol."""

import pytest

from tests.photographs import contents, made
from tests.test_shard import JOURNAL, run
from walloc_data import LatentDataset, StorageOptions
from walloc_data.errors import DatasetError

# The client gives files to its HTTP library in a way that the latter would like to see the end of.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

REPO = "ann/latents"
URL = f"hf://{REPO}"


@pytest.fixture(autouse=True)
def _ann(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.token("ann"))
    monkeypatch.setattr("walloc_data.hub.repo._WAITS", (0.01, 0.01))


def stored(hub):
    files = hub.dataset(REPO).files()
    return {name: entry.data for name, entry in files.items() if name != ".gitattributes"}


def test_the_bytes_are_those_of_a_folder_and_commits_are_few(hub, photos, codec, tmp_path):
    run(photos, tmp_path / "out", codec)
    assert run(photos, URL, codec).samples == 72
    local, there = contents(tmp_path / "out"), stored(hub)
    assert REPO in there.pop("README.md").decode()
    del local["README.md"]
    assert there == local
    assert hub.dataset(REPO).messages[1:] == [
        ".walloc-journal.jsonl, codec.safetensors",
        "5 shards",
        "README.md, walloc.json",
    ]
    assert len(LatentDataset(URL, split="val", storage=StorageOptions(cache_bytes=0))) == 12
    commits = len(hub.dataset(REPO).messages)
    assert run(photos, URL, codec).written == 0
    assert len(hub.dataset(REPO).messages) == commits


def test_a_run_that_stops_is_gone_on_with_and_the_card_keeps_what_was_added(
    hub, photos, codec, dataset, tmp_path, monkeypatch
):
    hub.put("datasets", REPO, {"README.md": b"Of my own."})
    monkeypatch.setattr("walloc_data.hub.folder.HubFolder.patience", 0.0)
    hub.fail("POST .*/commit/", 403, after=2)
    with pytest.raises(DatasetError, match="the token may not do this"):
        run(photos, URL, codec)
    assert {JOURNAL, "train-00000.tar", "train-00000.idx"} <= stored(hub).keys()
    assert "walloc.json" not in stored(hub)
    assert run(photos, URL, codec).written == 40  # two were sent; the second commit of them was made at the end
    assert stored(hub).pop("README.md").endswith(b"Of my own.\n")
    (tmp_path / "out").mkdir()
    for name, data in stored(hub).items():
        (tmp_path / "out" / name).write_bytes(data)
    found, wanted = made(tmp_path / "out"), made(dataset)
    del found["README.md"], wanted["README.md"]
    assert found == wanted


def test_what_another_writes_meanwhile_ends_a_run(hub, photos, codec, monkeypatch):
    def meanwhile(*arguments):
        hub.put("datasets", REPO, {"other.txt": b"other"})
        return real(*arguments)

    from walloc_data import shard

    real = shard.write_shard
    monkeypatch.setattr(shard, "write_shard", meanwhile)
    with pytest.raises(DatasetError, match=f"{REPO} was written to meanwhile, by another run or a person"):
        run(photos, URL, codec)
    assert "train-00000.tar" not in stored(hub)


def test_who_may_not_write_is_told_before_anything_is_made(hub, photos, codec, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.token("bob", "read"))
    with pytest.raises(DatasetError, match="the token may only read"):
        run(photos, URL, codec)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(DatasetError, match="without a token: log in"):
        run(photos, URL, codec)
    assert hub.repos == {}
