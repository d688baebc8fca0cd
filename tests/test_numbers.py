"""Whole numbers at every door: those of Python, numpy and torch are alike, and all else is one sentence."""

import json

import numpy as np
import pytest
import torch

from walloc_data import LatentDataset, Options, StorageOptions, shard_dataset
from walloc_data.errors import CodecError, DatasetError, WallocError
from walloc_data.numbers import is_number, whole_number
from walloc_data.order import Cut, MixedOrder, SplitOrder
from walloc_data.transforms import CenterCrop

WHOLE = [3, np.int64(3), np.uint8(3), torch.tensor(3), np.array(3)]
NONE = [3.0, "3", True, np.float64(3), np.array([1, 2]), torch.tensor(0.5), [3]]


@pytest.mark.parametrize("value", WHOLE)
def test_whole_numbers_become_plain_ones(value):
    assert type(whole_number("n", value)) is int
    assert json.dumps(Options(block=value, limit=value, seed=value).config()) == json.dumps(
        Options(block=3, limit=3, seed=3).config()
    )
    assert type(StorageOptions(retries=value).retries) is int
    assert type(Cut(length=value, batch=value).batch) is int
    order = SplitOrder([9], value, seed=value, window=value)
    assert order.samples(0, 9).tolist() == SplitOrder([9], 3, seed=3, window=3).samples(0, 9).tolist()


@pytest.mark.parametrize("value", NONE, ids=repr)
def test_what_is_no_whole_number(value, codec, dataset, tmp_path):
    doors = (
        lambda: Options(block=value),
        lambda: Options(seed=value),
        lambda: Options(limit=value),
        lambda: StorageOptions(cache_bytes=value),
        lambda: StorageOptions(retries=value),
        lambda: Cut(length=9, batch=value),
        lambda: SplitOrder([9], value, seed=0),
        lambda: SplitOrder([9], 3, seed=value),
        lambda: MixedOrder([SplitOrder([9], 3, seed=3)], [1], seed=value),
        lambda: shard_dataset("nowhere", tmp_path / "out", workers=value),
        lambda: CenterCrop(codec, (value, 3)),
        lambda: LatentDataset(dataset)[value],
    )
    for door in doors:
        with pytest.raises(WallocError, match="whole number"):
            door()


def test_numbers_out_of_range(codec):
    for name in ("block", "shard_samples", "limit"):
        with pytest.raises(DatasetError, match=rf"^{name}=0 is below 1"):
            Options(**{name: 0})
    with pytest.raises(DatasetError, match="block=5000"):
        Options(block=5000)
    with pytest.raises(DatasetError, match=r"^retries=-1 is below 0"):
        StorageOptions(retries=-1)
    with pytest.raises(CodecError, match=r"^size=0 is below 1"):
        CenterCrop(codec, np.int64(0))
    assert CenterCrop(codec, np.int64(4)).size == (4, 4)


def test_samples_by_numbers_of_any_kind(dataset):
    samples = LatentDataset(dataset)
    for number in WHOLE:
        assert torch.equal(samples[number][0], samples[3][0])
    with pytest.raises(DatasetError, match="whole numbers"):
        samples.__getitems__([True, False])


def test_numbers_are_finite_and_real(codec):
    assert all(map(is_number, (2, 2.5, np.float32(2), np.int8(2))))
    for value in ("2", None, True, 2j, np.complex64(2), np.inf, np.nan, [2]):
        assert not is_number(value)
        with pytest.raises(CodecError, match="a number from 1 on"):
            codec.coarser(value)
    assert codec.coarser(np.float32(2)).name == codec.coarser(2).name
