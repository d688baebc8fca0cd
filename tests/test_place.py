"""Epochs: set from outside, broken off, of loaders made by hand, of workers that stay; and what ends one."""

import copy
import json
import logging
import pickle
from itertools import islice

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

from tests.test_streaming import keys, stream
from walloc_data import StreamingLatentDataset
from walloc_data.errors import DatasetError

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*set_vital:UserWarning"),
]

KINDS = {
    "DataLoader": DataLoader,
    "StatefulDataLoader": StatefulDataLoader,
}


@pytest.fixture(scope="module")
def epochs(dataset):
    """Keys of six epochs, in 12 steps of 5 each."""
    one = stream(dataset, batch_size=5)
    return [keys(one) for _ in range(6)]


@pytest.mark.parametrize("stay", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("workers", [0, 2])
def test_set_epoch_reaches_loaders_made_by_hand(dataset, epochs, kind, stay, workers):
    one = stream(dataset, batch_size=5)
    loader = KINDS[kind](one, batch_size=None, num_workers=workers, persistent_workers=stay and workers > 0)
    for epoch in (0, 1, 5, 2):
        one.set_epoch(epoch)
        assert keys(loader) == epochs[epoch]


@pytest.mark.parametrize("steps", [1, 4, 8, 9, 11])
@pytest.mark.parametrize("kind", KINDS)
def test_an_epoch_after_one_that_was_broken_off_is_whole(dataset, epochs, kind, steps):
    one = stream(dataset, batch_size=5)
    loader = KINDS[kind](one, batch_size=None, num_workers=2, persistent_workers=True)
    assert keys(islice(loader, steps)) == epochs[0][: 5 * steps]
    one.set_epoch(1)
    assert keys(loader) == epochs[1]
    one.set_epoch(1)
    assert keys(loader) == epochs[1]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_that_is_given_again_is_spoken_of(dataset, epochs, tmp_path, workers):
    one = stream(dataset, batch_size=5)
    loader = DataLoader(one, batch_size=None, num_workers=workers)
    handler = logging.FileHandler(tmp_path / "log")  # which a worker writes to as well
    logging.getLogger("walloc_data").addHandler(handler)
    try:
        list(islice(loader, 3))
        assert (tmp_path / "log").read_text() == ""
        one.set_epoch(0)  # as is wanted
        assert keys(islice(loader, 3)) == epochs[0][:15]
        assert (tmp_path / "log").read_text() == ""
        assert keys(loader) == epochs[0]
        assert "call set_epoch(epoch)" in (tmp_path / "log").read_text()
    finally:
        logging.getLogger("walloc_data").removeHandler(handler)
        handler.close()


def test_where_workers_of_a_loader_made_by_hand_are_only_they_know(dataset, epochs):
    one = stream(dataset, batch_size=5)
    loader = DataLoader(one, batch_size=None, num_workers=2)
    one.set_epoch(3)
    assert one.state_dict()["epoch"] == 3
    list(loader)
    with pytest.raises(DatasetError, match=r"only they know where they are: iterate StreamingLatentDataset.loader"):
        one.state_dict()
    one.set_epoch(4)
    assert (one.state_dict()["epoch"], one.epoch) == (4, 4)


@pytest.mark.parametrize("stay", [False, True])
def test_a_loader_by_hand_goes_on_after_a_resume(dataset, epochs, stay):
    def loader(one):
        return StatefulDataLoader(one, batch_size=None, num_workers=2, persistent_workers=stay)

    one = stream(dataset, batch_size=5)
    one.set_epoch(2)
    first = loader(one)
    batches = iter(first)
    got = keys(islice(batches, 7))
    state = first.state_dict()
    two = stream(dataset, batch_size=5)
    again = loader(two)
    again.load_state_dict(state)
    two.set_epoch(2)
    assert got + keys(again) == epochs[2]
    two.set_epoch(3)
    assert keys(again) == epochs[3]


def test_a_state_loaded_into_a_stream_reaches_workers_once(dataset, epochs):
    one = stream(dataset, batch_size=5)
    one.set_epoch(1)
    list(islice(one, 4))
    two = stream(dataset, batch_size=5)
    two.load_state_dict(one.state_dict())
    loader = DataLoader(two, batch_size=None, num_workers=2, persistent_workers=True)
    two.set_epoch(1)  # the present one: as planned
    assert keys(loader) == epochs[1][20:]
    two.set_epoch(2)
    assert keys(loader) == epochs[2]


def test_the_log_says_what_of_a_loaded_epoch_is_left_out(dataset, epochs, caplog):
    one = stream(dataset, batch_size=5)
    list(islice(one, 7))
    state = one.state_dict()
    for epoch, left in ((0, epochs[0][35:]), (1, epochs[1])):  # as Lightning says it, of a checkpoint written within
        two = stream(dataset, batch_size=5).loader()  # an epoch, and of one after `max_steps`
        two.load_state_dict(state)
        assert caplog.messages == []
        two.sampler.set_epoch(epoch)
        assert keys(two) == left
    [said] = caplog.messages
    assert "35 samples into epoch 0, whose rest is left out" in said


def test_copies_have_a_place_of_their_own(dataset, epochs):
    one = stream(dataset, batch_size=5)
    one.set_epoch(1)
    for other in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        other.set_epoch(2)
        assert keys(other) == epochs[2]
    assert keys(one) == epochs[1]


@pytest.mark.parametrize("batch_size", [7, 30])
def test_an_epoch_of_which_no_step_is_left_has_ended(dataset, batch_size):
    one = stream(dataset, batch_size=5, drop_last=True)
    list(islice(one, 11))
    state = one.state_dict()
    assert (state["epoch"], state["samples"]) == (0, 55)
    two = stream(dataset, batch_size=batch_size, drop_last=True)
    two.load_state_dict(state)
    assert (two.epoch, two.state_dict()["samples"]) == (1, 0)
    fresh = stream(dataset, batch_size=batch_size, drop_last=True)
    fresh.set_epoch(1)
    assert keys(two) == keys(fresh)


def test_too_little_for_more_ranks_has_ended(dataset):
    one = stream(dataset, batch_size=2)
    list(islice(one, 29))
    for rank in (0, 3):
        four = stream(dataset, batch_size=4, rank=rank, world_size=4)
        four.load_state_dict(one.state_dict())  # of which 2 samples are left
        assert four.epoch == 1
        assert len(list(four)) == 4
        assert four.epoch == 2


def nested(iterable):
    for _ in iterable:
        next(iter(iterable))


def test_one_iteration_at_a_time(dataset):
    for iterable in (stream(dataset), stream(dataset).loader(), stream(dataset).loader(num_workers=1)):
        with pytest.raises(DatasetError, match="one at a time"):
            list(zip(iterable, iterable, strict=True))
        with pytest.raises(DatasetError, match="one at a time"):
            nested(iterable)
        assert len(keys(iterable)) == 60


def test_batches_of_batches_are_refused(dataset):
    for workers in (0, 1):
        for kind in KINDS.values():
            with pytest.raises(DatasetError, match=r"iterate stream.loader\(num_workers=4\).*batch_size=None"):
                next(iter(kind(stream(dataset), batch_size=5, num_workers=workers)))


def noisy(x):
    return x + torch.randint(0, 9, (len(x), 1, 1, 1), dtype=torch.int8)


@pytest.mark.parametrize("options", [{}, {"num_workers": 1}, {"num_workers": 2, "persistent_workers": True}])
def test_transforms_draw_by_seed_epoch_and_step(dataset, options):
    """Whatever the training draws in between, such as dropout, whose draws they leave as they are."""

    def run(one, loader, epochs=2):
        torch.manual_seed(0)
        given = [(x.clone(), torch.rand(()).item()) for _ in range(epochs) for x, *_ in loader]
        return [x for x, _ in given], [number for _, number in given]

    one = stream(dataset, transform=noisy, threads=2)
    want, numbers = run(one, one.loader())
    plain = next(iter(stream(dataset)))[0]
    assert len(set((want[0] - plain).flatten().tolist())) > 2
    other = stream(dataset, transform=noisy)
    got, again = run(other, other.loader(**options))
    assert all(map(torch.equal, got, want))
    if not options:
        assert again == numbers
    third = stream(dataset, transform=noisy)
    list(islice(third, 4))
    resumed = stream(dataset, transform=noisy)
    resumed.load_state_dict(third.state_dict())
    rest, _ = run(resumed, resumed.loader(**options), 1)
    assert all(map(torch.equal, rest, want[4:9]))


def test_ranks_and_seeds_draw_otherwise(dataset):
    def drawn(seed, rank):
        one = StreamingLatentDataset(
            dataset, batch_size=9, seed=seed, transform=lambda x: torch.rand(4), rank=rank, world_size=2
        )
        return next(iter(one))[0].tolist()

    assert drawn(0, 0) == drawn(0, 0)
    assert len({tuple(drawn(seed, rank)) for seed in (0, 1) for rank in (0, 1)}) == 4


def test_numbers_of_numpy_are_plain_ones(dataset, epochs):
    numbers = {"seed": np.int64(3), "window": np.int32(2048), "epoch_samples": np.int64(60), "threads": np.int8(1)}
    one = stream(dataset, batch_size=np.int64(5), **{name: n for name, n in numbers.items() if name != "seed"})
    loader = one.loader(num_workers=np.int64(0))
    one.set_epoch(torch.tensor(2))
    list(islice(loader, 2))
    state = loader.state_dict()
    assert json.loads(json.dumps(state)) == state
    assert {type(value) for value in [*state.values(), *state["order"].values()]} <= {int, str, bool, dict, type(None)}
    assert keys(loader) == epochs[2]


@pytest.mark.parametrize("name", ["batch_size", "seed", "window", "epoch_samples", "lanes", "threads", "ahead_bytes"])
@pytest.mark.parametrize("value", [64.0, "64", True, np.array([1, 2]), torch.tensor(0.5)])
def test_what_is_no_whole_number_is_one_error(dataset, name, value):
    with pytest.raises(DatasetError, match=rf"^{name}=.* is not a whole number"):
        StreamingLatentDataset(dataset, **{"batch_size": 5, name: value})


def test_other_values_that_are_none(dataset):
    for epoch in (-1, 1.0, None):
        with pytest.raises(DatasetError, match=r"^epoch="):
            stream(dataset).set_epoch(epoch)
    with pytest.raises(DatasetError, match=r"^seed=None is not a whole number"):
        StreamingLatentDataset(dataset, batch_size=5, seed=None)
    for root in ({}, "", None):
        with pytest.raises(DatasetError, match="root is a folder"):
            StreamingLatentDataset(root, batch_size=5)
    for rank, world in ((0.0, 1), (0, None), (np.float32(1), 2)):
        with pytest.raises(DatasetError):
            stream(dataset, rank=rank, world_size=world)
    for weights in ({dataset: "much"}, {dataset: None}):
        with pytest.raises(DatasetError, match="weights"):
            StreamingLatentDataset(weights, batch_size=5)
    with pytest.raises(DatasetError, match=r"^num_workers="):
        stream(dataset).loader(num_workers=1.5)
    mixed = StreamingLatentDataset({dataset: np.float32(0.5)}, batch_size=np.uint8(5))
    assert mixed.state_dict()["order"]["weights"] == [0.5]
    assert type(mixed.state_dict()["order"]["weights"][0]) is float
