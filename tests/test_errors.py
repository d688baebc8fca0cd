"""Errors are one sentence, from whichever process."""

import pytest
import torch
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

from tests.test_streaming import stream
from walloc_data import LatentDataset
from walloc_data.errors import DatasetError, FormatError, WallocError

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*set_vital:UserWarning"),
]


def test_an_error_of_a_worker_is_the_one_sentence_that_it_is_here(copy):
    path = copy / "train-00000.tar"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FormatError) as here:
        list(stream(copy))
    for loader in (
        stream(copy).loader(num_workers=2),
        stream(copy).loader(num_workers=1, persistent_workers=True),
        DataLoader(stream(copy), batch_size=None, num_workers=2),
        StatefulDataLoader(stream(copy), batch_size=None, num_workers=1),
        DataLoader(LatentDataset(copy), batch_size=5, num_workers=2),
    ):
        with pytest.raises(FormatError) as there:
            list(loader)
        assert str(there.value) == str(here.value)
        assert str(there.value).count("\n") == 0


def test_what_torch_makes_of_an_error():
    for kind in (DatasetError, FormatError, WallocError):
        try:
            try:
                raise OSError("DatasetError: no")
            except OSError as error:
                raise kind("a/b: cannot be read; copy it again") from error
        except WallocError:
            wrapped = torch._utils.ExceptionWrapper(where="in DataLoader worker process 3")
        with pytest.raises(kind) as found:
            wrapped.reraise()
        assert str(found.value) == "a/b: cannot be read; copy it again"
