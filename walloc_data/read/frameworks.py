"""What others make of a stream that is handed to them, which nothing shows but the frames of their calls."""

from types import FrameType

from walloc_data.errors import DatasetError
from walloc_data.read.ranks import Ranks

__all__ = ["in_data_loader", "refuse_second_dealing"]

_LOADER = "iterate stream.loader(num_workers=4) of the StreamingLatentDataset"


def in_data_loader(caller: FrameType) -> bool:
    """Whether a `DataLoader` asks for an iterator. Raises `DatasetError` where it would make batches of batches."""
    if caller.f_globals.get("__name__", "").split(".")[0] not in ("torch", "torchdata"):
        return False
    collates = caller.f_locals.get("auto_collation")
    if collates:
        raise DatasetError(
            f"a StreamingLatentDataset makes the batches itself, and this DataLoader would make batches of them: "
            f"{_LOADER}, or DataLoader(stream, batch_size=None); for Transformers' Trainer, return that loader from "
            "get_train_dataloader"
        )
    return collates is not None


def refuse_second_dealing(caller: FrameType, ranks: Ranks) -> None:
    """Raise `DatasetError` where Accelerate is to deal batches that are those of one rank of several already."""
    if caller.f_globals.get("__name__") == "accelerate.data_loader" and (world := ranks.now()[1]) > 1:
        raise DatasetError(
            f"Accelerate would deal the batches of each of {world} ranks once more, so that samples are lost: "
            f"{_LOADER}, which accelerator.prepare leaves as it is; for Transformers' Trainer, return that loader from "
            "get_train_dataloader"
        )
