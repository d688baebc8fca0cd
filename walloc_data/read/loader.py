"""torchdata's loader over the steps of a stream. Workers keep no state: none is lost, and any number will do."""

import warnings
from collections.abc import Iterator
from typing import Any, Protocol

from torch.utils.data import Dataset
from torchdata.stateful_dataloader import StatefulDataLoader

__all__ = ["Stream", "StreamingLoader"]


class Stream(Protocol):
    """What a loader needs of `Steps`."""

    def begin(self) -> tuple[int, range]:
        """The epoch to give now, and how many of its samples are done before each step that is left of it."""

    def reach(self, epoch: int, done: int) -> None:
        """Note that the step that follows `done` samples of the epoch has been given."""

    def batch(self, epoch: int, done: int) -> Any:
        """The batch of the step that follows `done` samples of the epoch."""

    def state_dict(self) -> dict[str, Any]:
        """Where the stream is."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""

    def __len__(self) -> int: ...


class StreamingLoader(StatefulDataLoader[Any]):
    """A `StatefulDataLoader` whose state is that of its stream: steps count as they are given, not as they are made.

    So a state loads into any number of workers, and a worker that is killed takes nothing with it.
    """

    def __init__(self, stream: Stream, **options: Any) -> None:
        """`options` are those of `DataLoader`, but for what the stream settles itself (batches and their order)."""
        self.stream = stream
        self._order = _Order()
        with warnings.catch_warnings():  # torchdata 0.11 calls what torch 2.13 deprecates
            warnings.filterwarnings("ignore", message=".*set_vital", category=UserWarning)
            super().__init__(_Steps(stream), batch_size=None, sampler=self._order, collate_fn=_as_it_is, **options)

    def __iter__(self) -> Any:
        epoch, left = self._order.epoch, self._order.left = self.stream.begin()
        try:
            for done, batch in zip(left, super().__iter__(), strict=True):
                self.stream.reach(epoch, done)
                yield batch
        except ConnectionError as error:  # of a worker that ends between saying that it has a batch and giving it
            if not self.num_workers:
                raise
            workers: Any = self._iterator
            workers._shutdown_workers()  # or torch reports the dead one in the midst of other work
            self._iterator = None
            raise RuntimeError(f"a worker was killed before its batch was taken ({error})") from error
        finally:
            if not self.persistent_workers:
                self._iterator = None  # or its workers would stay until the next iteration, and be forked with it

    def __len__(self) -> int:
        return len(self.stream)

    def state_dict(self) -> dict[str, Any]:
        """`StreamingLatentDataset.state_dict`, after the last batch that this loader gave."""
        return self.stream.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """`StreamingLatentDataset.load_state_dict`; the next iteration goes on from there."""
        self.stream.load_state_dict(state_dict)


class _Steps(Dataset[Any]):
    """Steps as a map: (epoch, samples done) to batch."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def __getitem__(self, step: tuple[int, int]) -> Any:
        return self.stream.batch(*step)


class _Order:
    """The sampler: the steps that are left."""

    epoch, left = 0, range(0)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((self.epoch, done) for done in self.left)

    def __len__(self) -> int:
        return len(self.left)


def _as_it_is(batch: Any) -> Any:
    return batch
