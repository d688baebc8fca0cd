"""Batches through shared memory that is used again: what comes out is what went in, and nobody's is overwritten."""

import gc
import multiprocessing
import os
import pickle
from collections import namedtuple
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.test_streaming import keys, stream
from walloc_data.read.slots import Slots

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*set_vital:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*worker processes in total:UserWarning"),
]

Pair = namedtuple("Pair", "x, y")
DTYPES = [torch.int8, torch.bool, torch.int64, torch.float32, torch.bfloat16, torch.complex64]
tensors = st.builds(
    lambda shape, dtype, turned: torch.randint(-9, 9, shape).to(dtype).transpose(0, -1 if turned else 0),
    st.lists(st.integers(0, 5), min_size=1, max_size=4),
    st.sampled_from(DTYPES),
    st.booleans(),
)
batches = st.recursive(
    tensors | st.text(max_size=3) | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=2), inner, max_size=3)
        | st.builds(Pair, inner, inner)
    ),
    max_leaves=6,
)


def same(one, two):
    if isinstance(one, torch.Tensor):
        return one.dtype == two.dtype and torch.equal(one, two)
    if isinstance(one, dict):
        return list(one) == list(two) and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple):
        return type(one) is type(two) and len(one) == len(two) and all(map(same, one, two))
    return one == two


@given(st.lists(batches, max_size=4))
def test_what_is_put_is_got(given_batches):
    slots = Slots(1)
    for batch in given_batches:
        slot = slots.take()
        got = slots.put(slot, batch).unpack()
        assert same(batch, got)
        del got
        gc.collect(0)


def test_what_lies_in_the_slot_is_not_copied():
    slots = Slots(1)
    slot = slots.take()
    empty = slots.room(slot)
    x = torch.from_numpy(empty((3, 100)))
    x.copy_(torch.arange(300).reshape(3, 100) % 100)
    other = torch.from_numpy(empty((2, 5))).fill_(7)
    batch = (x, x[1:], x[:, :10], x.view(torch.int32), torch.ones(100_000), other)
    want = [tensor.clone() for tensor in batch]
    packed = slots.put(slot, batch)
    assert [where.start for where in packed.batch[:2]] == [0, 100]
    assert packed.batch[3].start == 0
    x.fill_(5)
    got = packed.unpack()
    assert (got[0] == 5).all()
    assert (got[1] == 5).all()
    assert same(want[2], got[2])
    assert same(want[4:], list(got[4:]))


def test_a_slot_is_free_when_the_last_tensor_of_it_is_gone():
    slots = Slots(2)
    slot = slots.take()
    x, y = slots.put(slot, (torch.arange(12).reshape(3, 4), torch.ones(2))).unpack()
    other = slots.take()
    assert slots.take() is None
    part, array = x[1:, 2], y.numpy()
    del x, y
    assert slots.take() is None
    assert part.tolist() == [6, 10]
    del part
    assert slots.take() is None
    assert array.tolist() == [1, 1]
    del array
    assert slots.take() == slot
    slots.reclaim()
    assert {slots.take(), slots.take()} == {slot, other}


def test_tensors_outlive_their_slots():
    slots = Slots(1)
    x = slots.put(slots.take(), torch.arange(100_000)).unpack()
    del slots
    gc.collect()
    assert torch.equal(x, torch.arange(100_000))


def _put(slots, slot, size, sent):
    torch.set_num_threads(1)  # as in the workers of a loader: threads do not outlive a fork
    batch = {"x": torch.arange(size), "names": ["a", "b"]}
    sent.put(slots.put(slot, batch))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_put_and_slots_grow(method):
    context = multiprocessing.get_context(method)
    slots, sent = Slots(1), context.SimpleQueue()
    for size in (10, 100_000):
        slot = slots.take()
        worker = context.Process(target=_put, args=(slots, slot, size, sent))
        worker.start()
        got = sent.get().unpack()
        worker.join()
        assert torch.equal(got["x"], torch.arange(size))
        assert got["names"] == ["a", "b"]
        del got


def test_batches_that_are_kept_stay_as_they_are(dataset):
    for workers, prefetch in ((1, 1), (2, 3)):
        loader = stream(dataset, batch_size=2).loader(num_workers=workers, prefetch_factor=prefetch)
        kept = list(loader)
        one = stream(dataset, batch_size=2)
        for (x, y, names), (want_x, want_y, want_names) in zip(kept, one, strict=True):
            assert torch.equal(x, want_x)
            assert torch.equal(y, want_y)
            assert names == want_names
            x += 1  # it belongs to whoever has it


def test_ragged_batches_and_transforms_travel_too(ragged_dataset, dataset, codec):
    for options in ({}, {"buckets": True}):
        one = stream(ragged_dataset, batch_size=5, **options)
        for got, want in zip(one.loader(num_workers=2), stream(ragged_dataset, batch_size=5, **options), strict=True):
            assert same(got, want)
    halves = {"transform": lambda x: {"half": x[:, ::2], "whole": x, "float": codec.dequantize(x)}}
    for got, want in zip(stream(dataset, **halves).loader(num_workers=1), stream(dataset, **halves), strict=True):
        assert same(got, want)


def test_workers_that_stay_lose_no_slot_to_an_iteration_that_is_broken_off(dataset):
    one = stream(dataset, batch_size=4)
    want = [keys(stream(dataset, batch_size=4))]
    loader = one.loader(num_workers=2, persistent_workers=True)
    for _ in range(4):
        assert len(list(islice(loader, 4))) == 4
    assert [keys(loader)] == want
    gc.collect()
    slots = loader._steps.slots
    slots.reclaim()
    assert len({slots.take() for _ in range(6)} - {None}) == 6
    assert slots.take() is None


def test_no_file_stays_open(dataset):
    def files():
        gc.collect()
        names = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
        return sum("memfd:walloc_data" in os.readlink(name) for name in names if os.path.lexists(name))

    before = files()
    loader = stream(dataset).loader(num_workers=2)
    for _ in range(3):
        list(loader)
    assert files() <= before + 2 * 6  # of one epoch: each slot's, and that of its map
    del loader
    assert files() == before


def test_labels_alone_need_no_room():
    slots = Slots(1)
    got = slots.put(slots.take(), (["a"], None, np.arange(3))).unpack()
    assert got[:2] == (["a"], None)
    assert slots.take() == 0


@given(st.lists(batches, max_size=4))
def test_what_is_put_nowhere_travels_in_the_message(given_batches):
    slots = Slots(0)
    for batch in given_batches:
        got = pickle.loads(pickle.dumps(slots.put(None, batch))).unpack()
        assert same(batch, got)
    x = pickle.loads(pickle.dumps(slots.put(None, torch.zeros(3)))).unpack()
    x += 1  # it belongs to whoever has it


@pytest.mark.parametrize("nameless", [True, False])
def test_no_memory_with_a_name_is_needed_however_many_batches_are_kept(dataset, monkeypatch, nameless):
    """Where /dev/shm is small, as the 64 MB of Docker, what torch sends would fill it, and the run hung."""
    if not nameless:
        monkeypatch.delattr(os, "memfd_create")
    loader = stream(dataset, batch_size=2).loader(num_workers=2)

    def full(*given):
        raise RuntimeError("unable to allocate shared memory(shm)")

    monkeypatch.setattr(torch.UntypedStorage, "_share_fd_cpu_", full)
    monkeypatch.setattr(torch.UntypedStorage, "_share_filename_cpu_", full)
    kept = list(loader)
    assert keys(kept) == keys(stream(dataset, batch_size=2))
    assert all(same(got[:2], want[:2]) for got, want in zip(kept, stream(dataset, batch_size=2), strict=True))
