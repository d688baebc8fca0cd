"""The order and how it is cut: pure functions, so properties over many sizes."""

import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from walloc_data.errors import DatasetError
from walloc_data.order import Cut, MixedOrder, SplitOrder
from walloc_data.order.permutation import Permutation, scramble

GOLDEN = [1, 0, 8, 7, 4, 9, 10, 5, 11, 6, 2, 3, 2, 3, 8, 7, 4, 5, 1, 0, 10, 11, 9, 6]
GOLDEN_MIXED = [3, 6, 4, 8, 14, 12, 15, 2, 13, 14, 3, 4]
shards = st.lists(st.integers(0, 40), min_size=1, max_size=9).filter(any)


@given(st.integers(1, 3000), st.integers(0, 2**64))
def test_permutations_are_permutations_and_turn_back(size, key):
    permutation = Permutation(size, key=key)
    places = permutation(np.arange(size))
    assert sorted(places.tolist()) == list(range(size))
    assert (permutation.inverse(places) == np.arange(size)).all()


def test_permutations_are_as_good_as_random():
    counts = np.zeros((12, 12))
    for key in range(5000):
        counts[np.arange(12), Permutation(12, key=key)(np.arange(12))] += 1
    expected = 5000 / 12
    assert ((counts - expected) ** 2 / expected).sum() < 180  # chi-squared, 121 degrees of freedom: 1 in 2,000 beyond
    assert len({tuple(Permutation(4, key=key)(np.arange(4))) for key in range(1000)}) == 24


def test_neighbours_do_not_stay_neighbours():
    places = Permutation(10**12, key=7)(np.arange(10_000))
    assert abs(np.corrcoef(places[:-1], places[1:])[0, 1]) < 0.05
    assert abs(places.mean() / 10**12 - 0.5) < 0.02


def test_hashes_are_the_same_on_every_machine():
    assert scramble(0, [0, 1, 2**64 - 1]).tolist() == [16294208416658607535, 10451216379200822465, 16490336266968443936]
    assert int(scramble(2**64 - 1, 3)) == int(scramble(2**64 - 1, [3])[0])


def test_the_order_stays_what_it_is():
    """Golden: a later version must resume the runs of this one."""
    assert SplitOrder([7, 5], 2, seed=3, window=4).samples(0, 24).tolist() == GOLDEN
    mixed = MixedOrder([SplitOrder([7, 5], 2, seed=3), SplitOrder([4], 2, seed=4)], [3, 1], seed=5)
    assert mixed.samples(4090, 4102).tolist() == GOLDEN_MIXED


@given(
    shards, st.sampled_from([1, 2, 8, 64]), st.integers(0, 99), st.sampled_from([1, 16, 50]), st.booleans(), st.data()
)
def test_every_epoch_has_every_sample_once_and_any_stretch_is_the_same(counts, block, seed, window, shuffle, data):
    order = SplitOrder(counts, block, seed=seed, window=window, shuffle=shuffle)
    length = sum(counts)
    assert order.length == length
    whole = order.samples(0, 3 * length)
    for epoch in range(3):
        assert sorted(whole[epoch * length : (epoch + 1) * length].tolist()) == list(range(length))
    start = data.draw(st.integers(0, 3 * length))
    stop = data.draw(st.integers(start, 3 * length))
    again = pickle.loads(pickle.dumps(order))
    assert (again.samples(start, stop) == whole[start:stop]).all()


def test_epochs_and_seeds_differ_and_files_in_order_do_not():
    one, other = (SplitOrder([500, 500], 8, seed=seed) for seed in (0, 1))
    lists = [one.samples(0, 1000), one.samples(1000, 2000), other.samples(0, 1000)]
    assert len({tuple(order) for order in lists}) == 3
    plain = SplitOrder([500, 500], 8, seed=0, shuffle=False)
    assert (plain.samples(0, 2000) == np.tile(np.arange(1000), 2)).all()


def test_a_window_mixes_records_from_everywhere():
    order = SplitOrder([6400] * 10, 64, seed=0, window=2048)
    first = order.samples(0, 256)
    assert len(set((first // 64).tolist())) > 25  # of the window's 32 records
    assert len(set((first // 6400).tolist())) > 5  # of 10 shards


def test_memory_does_not_grow_with_records():
    order = SplitOrder([10**8 + 7] * 100, 64, seed=0)
    tracemalloc.start()
    order.samples(5 * 10**9, 5 * 10**9 + 256)
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


@settings(max_examples=15)
@given(st.integers(1, 4), st.integers(0, 9), st.data())
def test_a_mixture_gives_each_its_share_in_its_own_order(count, seed, data):
    counts = data.draw(st.lists(st.integers(60, 900), min_size=count, max_size=count))
    weights = data.draw(st.lists(st.floats(0.1, 10), min_size=count, max_size=count))
    orders = [SplitOrder([n], 8, seed=seed + i) for i, n in enumerate(counts)]
    mixed = MixedOrder(orders, weights, seed=seed)
    assert mixed.length == sum(counts)
    found = mixed.samples(0, 2 * 4096)
    assert (mixed.samples(1000, 5000) == found[1000:5000]).all()
    first = np.cumsum([0, *counts])
    for which, order in enumerate(orders):
        mine = found[(first[which] <= found) & (found < first[which + 1])] - first[which]
        assert abs(len(mine) / len(found) - weights[which] / sum(weights)) < 1 / 4096
        assert (mine == order.samples(0, len(mine))).all()


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.0], [1.0, -1.0], [1.0, float("nan")], [1.0, 1e-9]])
def test_weights_that_cannot_be(weights):
    with pytest.raises(DatasetError, match="weights"):
        MixedOrder([SplitOrder([5], 1, seed=0), SplitOrder([5], 1, seed=0)], weights, seed=0)


def walk(cut):
    """The places of every rank, step by step, and the list that they make."""
    steps, done = [], 0
    while cut.steps(done):
        steps.append([[p for a, b in cut.spans(done, rank) for p in range(a, b)] for rank in range(cut.world)])
        assert cut.steps(cut.taken(done)) == cut.steps(done) - 1
        done = cut.taken(done)
    return steps


@given(st.integers(1, 300), st.integers(1, 8), st.sampled_from([1, 2, 3, 4, 8]), st.booleans())
def test_ranks_get_the_same_list_in_equally_many_steps(length, size, world, drop_last):
    batch = size * 24
    if length < (batch if drop_last else world):
        with pytest.raises(DatasetError, match="not one step"):
            Cut(length=length, batch=batch, world=world, drop_last=drop_last)
        return
    cut = Cut(length=length, batch=batch, world=world, drop_last=drop_last)
    steps = walk(cut)
    assert len(steps) == cut.steps(0)
    places = [place for step in steps for rank in step for place in rank]
    assert places == list(range(length - length % batch if drop_last else length))
    for number, step in enumerate(steps):
        sizes = [len(rank) for rank in step]
        assert min(sizes) > 0
        assert max(sizes) - min(sizes) <= 1
        assert drop_last is False or sum(sizes) == batch
        if number < len(steps) - 1:
            assert sum(sizes) == batch


@given(st.integers(50, 300), st.sampled_from([2, 4]), st.sampled_from([1, 2, 4]))
def test_lanes_give_each_rank_a_part_of_the_epoch(length, lanes, world):
    steps = walk(Cut(length=length, batch=16, world=world, lanes=lanes))
    assert sorted(place for step in steps for rank in step for place in rank) == list(range(length))
    if world == lanes:
        for rank in range(world):
            mine = {place for step in steps[:-1] for place in step[rank]}
            assert mine <= set(range(length * rank // lanes, length * (rank + 1) // lanes))


def test_cuts_that_cannot_be():
    for wrong in ({"batch": 0}, {"world": 0}, {"lanes": 3}, {"world": 9}, {"length": 3, "world": 4}):
        with pytest.raises(DatasetError):
            Cut(**{"length": 100, "batch": 8, "world": 4} | wrong)
