"""Shared memory that is used again: nothing is overwritten before it was taken, and nothing is lost."""

import gc

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from walloc_data.read.slots import Slots, map_tensors, opened

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
LARGE = 1 << 16


class Numbers(Dataset):
    """Batches of differing size and kind, through slots."""

    def __init__(self):
        self.slots = Slots()

    def __len__(self):
        return 40

    def __getitem__(self, number):
        large = torch.full((LARGE + 1000 * (number % 3),), number, dtype=torch.int16)
        batch = (large, torch.tensor([number]), [large.view(2, -1) + 1, "text"])
        return map_tensors(lambda part: self.slots.put(part) if isinstance(part, torch.Tensor) else part, batch)


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_every_batch_arrives_as_it_was(context):
    loader = DataLoader(Numbers(), batch_size=None, num_workers=2, multiprocessing_context=context, prefetch_factor=3)
    kept = [map_tensors(opened, batch) for batch in loader]
    assert len(kept) == 40
    for number, (large, small, (view, text)) in enumerate(kept):
        assert (large.dtype, large.shape) == (torch.int16, (LARGE + 1000 * (number % 3),))
        assert (large == number).all()
        assert small.tolist() == [number]
        assert view.shape == (2, len(large) // 2)
        assert (view == number + 1).all()
        assert text == "text"


def test_a_slot_is_free_again_once_it_is_opened_or_dropped():
    slots, x = Slots(), torch.arange(LARGE)
    for _ in range(3):
        part = slots.put(x)
        make, parts = part.__reduce__()
        assert torch.equal(opened(make(*parts)), x)
        make, parts = slots.put(x).__reduce__()
        received = make(*parts)
        del received
        gc.collect()
    assert len(slots._slots) == 1


def test_what_was_opened_lets_go_of_its_slot():
    slots, x = Slots(), torch.arange(LARGE)
    make, parts = slots.put(x).__reduce__()
    received = make(*parts)
    opened(received)
    slots.put(x + 1)
    del received
    gc.collect()
    slots.put(x + 2)
    assert len(slots._slots) == 2


def test_without_a_free_slot_tensors_go_as_they_are():
    slots, x = Slots(), torch.arange(LARGE)
    sent = [slots.put(x) for _ in range(20)]
    assert sum(part is x for part in sent) == 4


@pytest.mark.parametrize("x", [torch.zeros(3), torch.zeros(2, LARGE).t(), torch.nn.Parameter(torch.zeros(LARGE))])
def test_what_is_small_or_special_goes_as_it_is(x):
    assert Slots().put(x) is x
