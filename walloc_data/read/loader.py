"""torchdata's loader over the steps of a stream. Workers keep no state: none is lost, and any number will do."""

import sys
import warnings
from collections.abc import Iterator
from typing import Any, Protocol

from torch.utils.data import Dataset
from torchdata.stateful_dataloader import StatefulDataLoader

from walloc_data.read.payloads import Empty, new_array
from walloc_data.read.slots import Packed, Slots

__all__ = ["Stream", "StreamingLoader"]

_HELD = 2  # batches that one trains on and may keep, before further ones are sent another way


class Stream(Protocol):
    """What a loader needs of `Steps`."""

    def begin(self) -> tuple[int, range]:
        """The epoch to give now, and how many of its samples are done before each step that is left of it."""

    def reach(self, epoch: int, done: int) -> None:
        """Note that the step that follows `done` samples of the epoch has been given."""

    def batch(self, epoch: int, done: int, empty: Empty = new_array) -> Any:
        """The batch of the step that follows `done` samples of the epoch, its latents where `empty` says if it may."""

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
        none = Slots(0)
        self._order, self._steps = _Order(none), _Steps(stream, none)
        options = {"snapshot_every_n_steps": sys.maxsize, **options}  # the state is the stream's, not the workers'
        with warnings.catch_warnings():  # torchdata 0.11 calls what torch 2.13 deprecates
            warnings.filterwarnings("ignore", message=".*set_vital", category=UserWarning)
            super().__init__(self._steps, batch_size=None, sampler=self._order, collate_fn=_as_it_is, **options)

    def __iter__(self) -> Any:
        epoch, left = self._order.epoch, self._order.left = self.stream.begin()
        if self.num_workers and not (self.persistent_workers and self._iterator):
            most = self.num_workers * (self.prefetch_factor or 1) + _HELD
            self._order.slots = self._steps.slots = Slots(most)
        try:
            for done, batch in zip(left, super().__iter__(), strict=True):
                self.stream.reach(epoch, done)
                yield batch.unpack() if isinstance(batch, Packed) else batch
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
    """Steps as a map: (epoch, samples done, slot that the batch is to be put in) to batch."""

    def __init__(self, stream: Stream, slots: Slots) -> None:
        self.stream, self.slots = stream, slots

    def __getitem__(self, step: tuple[int, int, int | None]) -> Any:
        epoch, done, slot = step
        if slot is None:
            return self.stream.batch(epoch, done)
        return self.slots.put(slot, self.stream.batch(epoch, done, self.slots.room(slot)))


class _Order:
    """The sampler: the steps that are left."""

    def __init__(self, slots: Slots) -> None:
        self.epoch, self.left, self.slots = 0, range(0), slots

    def __iter__(self) -> Iterator[tuple[int, int, int | None]]:
        epoch, slots = self.epoch, self.slots
        slots.reclaim()  # by now, no worker is at what an iteration that was broken off asked for
        for done in self.left:
            yield epoch, done, slots.take()

    def __len__(self) -> int:
        return len(self.left)


def _as_it_is(batch: Any) -> Any:
    return batch
