"""What `on_damage="skip"` leaves out, and what it must not."""

import errno
import shutil

import pytest

from tests.http_server import FileServer
from tests.test_streaming import damage, keys, stream
from walloc_data import StorageOptions
from walloc_data.errors import DatasetError
from walloc_data.read.record_files import RecordFiles

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@pytest.fixture(scope="module")
def order(dataset):
    return keys(stream(dataset))


@pytest.mark.parametrize("part", [None, "payload"])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_batch_of_nothing_but_damage_has_others_in_its_place(copy, order, part, workers):
    damage(copy, part)
    one = stream(copy, batch_size=1, on_damage="skip")
    found = keys(one.loader(num_workers=workers))
    lost = 1 if part else 8
    assert len(found) == len(one) == 60
    assert one.damaged == lost
    assert [key for key, whole in zip(found, order, strict=True) if key == whole] == [
        k for k in order if k in set(found)
    ]
    assert len(set(found)) == 60 - lost
    again = stream(copy, batch_size=1, on_damage="skip")
    assert keys(again) == found  # what stands in is no luck


def test_a_lost_shard_in_order(copy):
    (copy / "train-00001.tar").unlink()
    with pytest.raises(DatasetError, match=r"train-00001\.tar: cannot be read"):
        list(stream(copy, shuffle=False))
    one = stream(copy, batch_size=8, shuffle=False, on_damage="skip")
    batches = list(one)
    assert [len(x) for x, *_ in batches] == [8] * 7 + [4]
    assert one.damaged == 16


def test_nothing_is_left(copy):
    for path in copy.glob("*.tar"):
        path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(DatasetError, match="every sample of a batch is damaged, and what comes later"):
        next(iter(stream(copy, on_damage="skip")))


def test_a_dataset_that_goes_away_is_not_damaged(copy):
    one = stream(copy, batch_size=4, shuffle=False, on_damage="skip")
    batches = iter(one)
    next(batches)
    shutil.rmtree(copy)
    with pytest.raises(DatasetError, match="cannot be read"):
        list(batches)
    assert one.damaged == 0


def test_what_may_pass_stops(dataset, monkeypatch):
    """Too many open files, say: 957 of 3,000 intact samples were once left out."""
    whole = RecordFiles.find

    def find(self, shard, record, *, anew=False):
        if shard == 2:
            raise DatasetError("too many open files") from OSError(errno.EMFILE, "Too many open files")
        return whole(self, shard, record, anew=anew)

    monkeypatch.setattr(RecordFiles, "find", find)
    one = stream(dataset, on_damage="skip")
    with pytest.raises(DatasetError, match="too many open files"):
        list(one)
    assert one.damaged == 0


def test_a_server_that_fails_stops_and_one_that_lost_a_shard_does_not(dataset, tmp_path):
    options = StorageOptions(cache_dir=tmp_path / "cache", retries=1)
    with FileServer(dataset) as server:
        one = stream(server.url, batch_size=4, on_damage="skip", storage=options)
        server.script = ["503"] * 1000
        with pytest.raises(DatasetError, match="503"):
            list(one)
        assert one.damaged == 0
    lacking = shutil.copytree(dataset, tmp_path / "lacking")
    (lacking / "train-00001.tar").unlink()
    with FileServer(lacking) as server:
        one = stream(server.url, batch_size=4, shuffle=False, on_damage="skip", storage=options)
        assert len(list(one)) == 15
        assert one.damaged == 16
