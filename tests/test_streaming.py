"""Streams in one process and in workers: one order, exact resume, columns, damage."""

import json
import logging
import os
import pickle
import re
import signal

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

from walloc_data import LatentDataset, StreamingLatentDataset
from walloc_data.errors import DatasetError, FormatError
from walloc_data.read.step_batches import Step
from walloc_data.transforms import RandomFlip

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*set_vital:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*worker processes in total:UserWarning"),
]


def stream(root, *, batch_size=7, **options):
    return StreamingLatentDataset(root, batch_size=batch_size, columns=("label", "key"), seed=3, **options)


def keys(batches):
    return [key for batch in batches for key in batch[2]]


@pytest.fixture(scope="module")
def order(dataset):
    """Keys of two epochs."""
    one = stream(dataset)
    return [keys(one), keys(one)]


def test_batches_are_those_of_the_map_style_dataset(dataset, order):
    samples = LatentDataset(dataset)
    where = {samples.fields(i)["key"]: i for i in range(len(samples))}
    assert sorted(order[0]) == sorted(order[1]) == sorted(where)
    assert order[0] != order[1]
    one = stream(dataset)
    batches = list(one)
    assert len(batches) == len(one) == 9
    assert [len(x) for x, _, _ in batches] == [7] * 8 + [4]
    for x, y, names in batches:
        assert (x.dtype, y.dtype) == (torch.int8, torch.int64)
        for latents, label, key in zip(x, y, names, strict=True):
            assert torch.equal(latents, samples[where[key]][0])
            assert label == samples[where[key]][1]


@pytest.mark.parametrize("workers", [0, 1, 2, 4])
def test_any_number_of_workers_gives_the_same_list(dataset, order, workers):
    loader = stream(dataset).loader(num_workers=workers)
    assert isinstance(loader, StatefulDataLoader)
    assert len(loader) == 9
    assert [keys(loader), keys(loader)] == order
    plain = stream(dataset)
    for epoch in (0, 1):
        plain.set_epoch(epoch)
        assert keys(DataLoader(plain, batch_size=None, num_workers=workers)) == order[epoch]


def test_workers_that_stay(dataset, order):
    loader = stream(dataset).loader(num_workers=2, persistent_workers=True)
    assert [keys(loader), keys(loader)] == order
    loader.stream.set_epoch(0)
    assert keys(loader) == order[0]


def test_spawned_workers_and_pickling(dataset, order):
    one = stream(dataset)
    next(iter(one))
    again = pickle.loads(pickle.dumps(one))
    again.set_epoch(1)
    assert keys(again) == order[1]
    assert keys(stream(dataset).loader(num_workers=1, multiprocessing_context="spawn")) == order[0]


@pytest.mark.parametrize("workers", [(0, 0), (0, 2), (2, 0), (2, 2)])
def test_stopped_after_any_step_and_resumed_and_again(dataset, order, workers):
    everything = order[0] + order[1]
    for first in range(0, 12, 1 if workers == (0, 0) else 5):
        got, state = [], None
        for steps, count in ((first, workers[0]), (2, workers[1])):
            loader = stream(dataset).loader(num_workers=count)
            if state is not None:
                loader.load_state_dict(state)
                assert loader.state_dict() == state
            got += take(loader, steps)
            state = json.loads(json.dumps(loader.state_dict()))
        loader = stream(dataset).loader(num_workers=workers[0])
        loader.load_state_dict(state)
        while loader.state_dict()["epoch"] < 2:
            got += keys(loader)
        assert got == everything


def take(loader, steps):
    """Keys of so many steps, over the ends of epochs."""
    got = []
    while steps:
        for batch in loader:
            got += batch[2]
            steps -= 1
            if not steps:
                break
    return got


def test_a_loader_by_hand_resumes_with_as_many_workers(dataset, order):
    for steps in (1, 4, 5):
        loader = StatefulDataLoader(stream(dataset), batch_size=None, num_workers=2)
        got = take(loader, steps)
        state = loader.state_dict()
        again = StatefulDataLoader(stream(dataset), batch_size=None, num_workers=2)
        again.load_state_dict(state)
        assert got + keys(again) == order[0]


def test_an_iteration_that_is_broken_off_begins_again(dataset, order):
    one = stream(dataset)
    next(iter(one))
    assert one.state_dict()["samples"] == 7
    assert keys(one) == order[0]
    assert one.state_dict()["epoch"] == 1


def test_resume_with_another_number_of_ranks(dataset, order):
    halted = [stream(dataset, batch_size=4, rank=rank, world_size=2) for rank in (0, 1)]
    taken = [take(one, 3) for one in halted]
    got = [key for step in range(0, 12, 4) for rank in taken for key in rank[step : step + 4]]
    state = halted[0].state_dict()
    assert state == halted[1].state_dict()
    for world, batch in ((1, 8), (1, 5), (4, 2), (4, 4)):
        rest = [stream(dataset, batch_size=batch, rank=rank, world_size=world) for rank in range(world)]
        for one in rest:
            one.load_state_dict(state)
        steps = zip(*rest, strict=True)
        assert got + [key for step in steps for part in step for key in part[2]] == order[0]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # torchdata, in a forked child
def test_a_killed_worker_takes_nothing_with_it(dataset, order):
    loader = stream(dataset).loader(num_workers=2)
    batches = iter(loader)
    got = [key for _ in range(3) for key in next(batches)[2]]
    os.kill(loader._iterator._workers[1].pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="worker"):
        drain(batches, got)
    again = stream(dataset).loader(num_workers=1)
    again.load_state_dict(loader.state_dict())
    assert got + keys(again) == order[0]


def drain(batches, got):
    for batch in batches:
        got += batch[2]


def test_states_of_other_runs(dataset, samples_dataset):
    state = stream(dataset).state_dict()
    for other, word in (
        (stream(samples_dataset), "dataset"),
        (StreamingLatentDataset(dataset, "val", batch_size=7, seed=3), "dataset"),
        (StreamingLatentDataset(dataset, batch_size=7, seed=4), "seed 3, not 4"),
        (stream(dataset, window=16), "window"),
        (stream(dataset, epoch_samples=50), "epoch_samples"),
    ):
        with pytest.raises(DatasetError, match=rf"state is of another run \(.*{word}"):
            other.load_state_dict(state)
    for wrong in ({}, {**state, "epoch": None}, {**state, "samples": 60}, {**state, "epoch": -1}):
        with pytest.raises(DatasetError, match="state"):
            stream(dataset).load_state_dict(wrong)
    with pytest.raises(DatasetError, match="one of 2 workers"):
        stream(dataset).load_state_dict({**state, "given": 1, "workers": 2})


def test_files_in_order_without_a_shuffle(dataset):
    samples = LatentDataset(dataset)
    found = keys(stream(dataset, shuffle=False))
    assert found == [samples.fields(i)["key"] for i in range(60)]


def test_epochs_of_a_given_length_go_on_where_the_last_ended(dataset, order):
    one = stream(dataset, epoch_samples=40)
    assert len(one) == 6
    assert keys(one) + keys(one) + keys(one) == order[0] + order[1]


def test_drop_last(dataset, order):
    one = stream(dataset, drop_last=True)
    assert len(one) == 8
    assert keys(one) == order[0][:56]


def test_datasets_are_mixed_by_weight(dataset, samples_dataset):
    one = StreamingLatentDataset({dataset: 1, samples_dataset: 3}, batch_size=16, seed=3, epoch_samples=4096)
    assert len(one) == 256
    numbers = np.concatenate([one._steps.batches.numbers(Step(0, done, 0, 1)) for done in range(0, 4096, 16)])
    assert (numbers < 60).sum() == 1024
    plain, again = LatentDataset(dataset), LatentDataset(samples_dataset)
    for x, y in list(one)[:3]:
        assert x.shape == (16, 12, 8, 8)
        assert y.shape == (16,)
    x, y = next(iter(one))
    for latents, label, number in zip(x, y, one._steps.batches.numbers(Step(1, 0, 0, 1)), strict=True):
        known = plain[number] if number < 60 else again[number - 60]
        assert torch.equal(latents, known[0])
        assert label == known[1]


def test_what_cannot_be_mixed(dataset, ragged_dataset, photos, tmp_path, sharded):
    with pytest.raises(DatasetError, match="other classes"):
        StreamingLatentDataset({dataset: 1, ragged_dataset: 1}, batch_size=4)
    assert StreamingLatentDataset({dataset: 1, ragged_dataset: 1}, batch_size=4, columns=["key"])
    with pytest.raises(DatasetError, match="weights"):
        StreamingLatentDataset({dataset: 0}, batch_size=4)


def test_columns(dataset, ragged_dataset):
    x, size, key = next(iter(StreamingLatentDataset(dataset, batch_size=5, columns=("size", "key"))))
    assert x.shape == (5, 12, 8, 8)
    assert size.tolist() == [[64, 64]] * 5
    assert all(isinstance(name, str) for name in key)
    latents, labels = next(iter(StreamingLatentDataset(ragged_dataset, batch_size=12)))
    assert labels.tolist() == [-1] * 12
    assert len({tuple(z.shape) for z in latents}) > 3


def test_buckets_are_batches_of_one_shape(dataset, ragged_dataset):
    samples = LatentDataset(ragged_dataset)
    where = {samples.fields(i)["key"]: i for i in range(len(samples))}
    seen = []
    for step in stream(ragged_dataset, buckets=True):
        assert len({x.shape[1:] for x, _, _ in step}) == len(step) > 1
        for x, _, names in step:
            seen += names
            assert all(torch.equal(z, samples[where[key]][0]) for z, key in zip(x, names, strict=True))
    assert sorted(seen) == sorted(where)
    assert all(len(step) == 1 for step in stream(dataset, buckets=True))


def test_transforms_take_batches(dataset, codec):
    flip = RandomFlip(codec, p=1.0)
    plain, flipped = stream(dataset), stream(dataset, transform=flip)
    for (x, *_), (y, *_) in zip(plain, flipped, strict=True):
        assert torch.equal(flip(x), y)


def damage(copy, samples=None):
    """Flip a bit in the payload of the second record of the first shard, or of its header."""
    path = copy / "train-00000.tar"
    data = bytearray(path.read_bytes())
    second = [found.start() for found in re.finditer(b"WLC1", data)][1]
    data[second + (20 if samples is None else 44 + 8 * 8 + 9)] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(("part", "lost"), [(None, 8), ("payload", 1)])
def test_damage_stops_or_is_skipped_and_counted(copy, order, caplog, part, lost):
    damage(copy, part)
    with pytest.raises(FormatError, match=r"train-00000\.tar, record at byte"):
        list(stream(copy))
    one = stream(copy, on_damage="skip")
    with caplog.at_level(logging.WARNING, "walloc_data"):
        found = keys(one)
    assert one.damaged == lost
    assert "train-00000.tar" in caplog.text
    assert len(found) == 60 - lost
    assert found == [key for key in order[0] if key in set(found)]


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 0},
        {"threads": 0},
        {"on_damage": "hope"},
        {"rank": 0},
        {"rank": 2, "world_size": 2},
        {"rank": 0, "world_size": 61},
        {"lanes": 2},
        {"epoch_samples": 0},
        {"split": "test"},
        {"drop_last": True, "batch_size": 61},
    ],
)
def test_options_that_do_not_go_together(dataset, options):
    with pytest.raises(DatasetError):
        stream(dataset, **options)


def test_a_relative_folder_is_that_of_the_start(dataset, order, tmp_path, monkeypatch):
    monkeypatch.chdir(dataset.parent)
    one, samples = stream(dataset.name), LatentDataset(dataset.name)
    monkeypatch.chdir(tmp_path)
    assert keys(one.loader(num_workers=1)) == order[0]
    assert samples[59]
    assert repr(one).startswith(f"StreamingLatentDataset({dataset.name}, ")


def test_errors_of_workers_are_one_sentence(copy):
    damage(copy)
    with pytest.raises(FormatError) as alone:
        list(stream(copy))
    with pytest.raises(FormatError) as found:
        list(stream(copy).loader(num_workers=2))
    assert str(found.value) == str(alone.value)
    assert "\n" not in str(found.value)


def test_one_column_is_no_list_of_letters(dataset):
    with pytest.raises(DatasetError, match=r"columns=\('label',\)"):
        StreamingLatentDataset(dataset, batch_size=7, columns="label")


def test_rank_and_world_from_the_environment(dataset, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    one = stream(dataset)
    assert (one.rank, one.world_size, len(one)) == (1, 2, 5)
    monkeypatch.setenv("RANK", "x")
    with pytest.raises(DatasetError, match="RANK"):
        stream(dataset)


def test_what_a_user_may_get_wrong(dataset):
    with pytest.raises(DatasetError, match=r"no column foo: there are label, size, original_size, key"):
        next(iter(StreamingLatentDataset(dataset, batch_size=3, columns=["foo", "label"])))
    with pytest.raises(DatasetError, match=r"shuffle cannot be given to the loader"):
        stream(dataset).loader(shuffle=True)
    with pytest.raises(DatasetError, match=r"several with their weights"):
        StreamingLatentDataset([dataset, dataset], batch_size=3)
    with pytest.raises(DatasetError, match="no samples by number: iterate it, or its loader"):
        stream(dataset)[0]
    assert "9 steps of 7, rank 0 of 1, codec rgb-f8c12" in repr(stream(dataset))
