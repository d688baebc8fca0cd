"""torchdata's loader over the steps of a stream. Workers keep no state: none is lost, and any number will do."""

import multiprocessing
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

from torch.utils.data import BatchSampler, Dataset, DistributedSampler, get_worker_info
from torch.utils.data._utils import signal_handling
from torchdata.stateful_dataloader import StatefulDataLoader

from walloc_data.errors import DatasetError
from walloc_data.numbers import whole_number
from walloc_data.read.slots import Packed, Slots
from walloc_data.read.step_batches import Step
from walloc_data.read.steps import Pass, Steps

__all__ = ["StreamingLoader"]

_GRACE = 0.5  # seconds for workers to end by themselves; they keep nothing that could be lost
_HELD = 2  # batches that one trains on and may keep, before further ones come as messages
_OWN = ("batch_size", "shuffle", "sampler", "batch_sampler", "drop_last", "collate_fn")
_MESSAGE = -1  # in the place of a slot: the batch comes in the message that says it is there
_Asked = tuple[Step, int | None]  # and the slot that its batch is to be put in; None: it comes as it is


class StreamingLoader(StatefulDataLoader[Any]):
    """A `StatefulDataLoader` whose state is that of its stream: steps count as they are given, not as they are made.

    So a state loads into any number of workers, and a worker that is killed takes nothing with it. Its batches are
    those of one rank, and its `sampler` says so to Lightning, Accelerate and others that would deal them once more.
    """

    _is_accelerate_prepared = True  # Accelerate hands it on as it is
    use_stateful_dataloader = True  # and keeps its state in `save_state`

    def __init__(self, stream: Steps, **options: Any) -> None:
        """`options` are those of `DataLoader`, but for what the stream settles itself (batches and their order).

        Raises `DatasetError` for those.
        """
        own = [name for name in _OWN if name in options]
        if own:
            raise DatasetError(
                f"{', '.join(own)} cannot be given to the loader: StreamingLatentDataset makes the batches and their "
                "order (Lightning gives them for predict and overfit_batches: use LatentDataset there)"
            )
        for name in ("num_workers", "prefetch_factor"):
            if options.get(name) is not None:
                options[name] = whole_number(name, options[name], least=0)
        self.stream = stream
        none = Slots(0)
        self._order, self._steps = _Order(stream), _Steps(stream, none)
        options = {"snapshot_every_n_steps": sys.maxsize, **options}  # the state is the stream's, not the workers'
        with warnings.catch_warnings():  # torchdata 0.11 calls what torch 2.13 deprecates
            warnings.filterwarnings("ignore", message=".*set_vital", category=UserWarning)
            super().__init__(self._steps, batch_size=None, sampler=self._order, collate_fn=_as_it_is, **options)

    def __iter__(self) -> Any:
        if self.num_workers and getattr(multiprocessing.current_process(), "_inheriting", False):
            raise SystemExit(1)  # a worker that runs the script of its parent anew, which will say so
        if self.num_workers and not (self.persistent_workers and self._iterator):
            most = self.num_workers * (self.prefetch_factor or 1) + _HELD
            self._steps.slots = Slots(most)
        of = self.stream.begin()
        self._order.asked = of, self._steps.slots
        batches: Any = None
        try:
            batches = self._started()
            for done, batch in zip(of.left, batches, strict=True):
                self.stream.reach(of, done)
                yield batch.unpack() if isinstance(batch, Packed) else batch
                self.stream.check(of)
        except ConnectionError as error:  # of a worker that ends between saying that it has a batch and giving it
            if not self.num_workers:
                raise
            raise RuntimeError(f"a worker was killed before its batch was taken ({error})") from error
        finally:
            if self.stream.is_at(of):  # and none has begun since
                self._order.asked = None
            self.stream.end(of)
            workers = getattr(batches, "_workers", [])
            if not (self.persistent_workers and all(worker.is_alive() for worker in workers)):
                if self._iterator is batches:
                    self._iterator = None  # or its workers would be forked with the next ones
                _dismiss(batches)

    def _started(self) -> Any:
        """The iterator of `StatefulDataLoader`, with its workers."""
        try:
            return super().__iter__()
        except RuntimeError as error:
            method = (self.multiprocessing_context or multiprocessing).get_start_method()
            if not self.num_workers or method == "fork":
                raise
            raise DatasetError(
                f"a worker ended as it began; workers that start by {method!r} run the script anew, so what it does "
                'belongs under `if __name__ == "__main__":`'
            ) from error

    def __len__(self) -> int:
        return len(self.stream)

    def set_epoch(self, epoch: int) -> None:
        """`StreamingLatentDataset.set_epoch`."""
        self.stream.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        """`StreamingLatentDataset.state_dict`, after the last batch that this loader gave."""
        return self.stream.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """`StreamingLatentDataset.load_state_dict`; the next iteration goes on from there."""
        self.stream.load_state_dict(state_dict)


class _Steps(Dataset[Any]):
    """Steps as a map: a step, and the slot that the batch is to be put in, to batch."""

    def __init__(self, stream: Steps, slots: Slots) -> None:
        self.stream, self.slots = stream, slots

    def __getitem__(self, asked: _Asked) -> Any:
        step, slot = asked
        if slot is None or get_worker_info() is None:
            return self.stream.batch(step)
        if slot == _MESSAGE:
            return self.slots.put(None, self.stream.batch(step))
        return self.slots.put(slot, self.stream.batch(step, self.slots.room(slot)))

    __getitems__ = __getitem__  # for a loader made by Accelerate's skip_first_batches, which takes steps for batches


class _Order(DistributedSampler[_Asked], BatchSampler):
    """The sampler: the steps that are left, with slots where the `StreamingLoader` itself iterates.

    It is a sampler of batches, so Accelerate skips by it, and a distributed one, so others leave it in place.
    """

    def __init__(self, stream: Steps) -> None:
        self.stream = stream
        self.asked: tuple[Pass, Slots] | None = None

    def __iter__(self) -> Iterator[Any]:
        if self.asked is None:  # a loader of somebody else's takes batches as they are
            of = self.stream.begin()
            return ((of.step(done), None) for done in of.left)
        return self._packed(*self.asked)

    def _packed(self, of: Pass, slots: Slots) -> Iterator[_Asked]:
        slots.reclaim()  # by now, no worker is at what an iteration that was broken off asked for
        for done in of.left:
            slot = slots.take()
            yield of.step(done), _MESSAGE if slot is None else slot

    def __len__(self) -> int:
        return len(self.stream)

    def set_epoch(self, epoch: int) -> None:
        self.stream.set_epoch(epoch)


def _dismiss(batches: Any) -> None:
    """End the workers of a torch iterator, which by itself would wait 5 seconds for each that is busy."""
    if getattr(batches, "_shutdown", True) or sys.is_finalizing():  # by then they are ended, and no thread starts
        return
    impatience = threading.Timer(_GRACE, _terminate, [batches])
    impatience.daemon = True
    impatience.start()
    try:
        batches._shutdown_workers()
    finally:
        impatience.cancel()


def _terminate(batches: Any) -> None:
    if batches._worker_pids_set:  # or torch reports them as killed, in the midst of other work
        batches._worker_pids_set = False
        signal_handling._remove_worker_pids(id(batches))  # type: ignore[attr-defined]
    for worker in batches._workers:
        worker.terminate()


def _as_it_is(batch: Any) -> Any:
    return batch
