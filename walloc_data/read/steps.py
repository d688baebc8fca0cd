"""A rank's steps: which samples each has, where a run is among them, and their batches, made ahead."""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import get_worker_info

from walloc_data.errors import DatasetError
from walloc_data.order import Cut, MixedOrder, SplitOrder
from walloc_data.read.ahead import Ahead
from walloc_data.read.payloads import Empty, new_array

__all__ = ["Steps"]


class Steps:
    """Steps of epochs of an order, cut for one of its ranks; `make` turns samples, int64 `[B]`, into a batch.

    The state is `(epoch, step)`: nothing else is kept between batches. `identity` says of what order it is.
    """

    def __init__(
        self,
        order: SplitOrder | MixedOrder,
        cut: Cut,
        rank: int,
        make: Callable[[NDArray[np.int64], Empty], Any],
        *,
        identity: Mapping[str, Any],
        threads: int,
        worker_threads: int,
        ahead_bytes: int,
    ) -> None:
        self.order, self.cut, self.rank, self.make = order, cut, rank, make
        self.threads, self.worker_threads, self.ahead_bytes = threads, worker_threads, ahead_bytes
        self.identity = dict(identity)
        self.epoch = self._start = self._done = self._given = 0
        self._ahead: tuple[int, Ahead[tuple[int, int], Any]] | None = None  # and the process it is of

    def __len__(self) -> int:
        """Steps of a whole epoch."""
        return self.cut.steps(0)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_ahead": None}

    def __iter__(self) -> Iterator[Any]:
        """What is left of the epoch; of a worker, every so many steps of it."""
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        given = self._given
        epoch, left = self.begin()
        for done in left[number + given * workers :: workers]:
            batch = self.batch(epoch, done)
            if worker:
                given += 1
                self._done, self._given = left.start, given  # each worker's own; see state_dict
            else:
                self.reach(epoch, done)
            yield batch
        if worker:
            self.epoch, self._done, self._given = epoch + 1, 0, 0

    def set_epoch(self, epoch: int) -> None:
        """Give that epoch next, from its start; or, if it is the present one, go on as planned."""
        if epoch != self.epoch:
            self.epoch, self._start, self._done, self._given = epoch, 0, 0, 0

    def state_dict(self) -> dict[str, Any]:
        """See `StreamingLatentDataset.state_dict`."""
        state = {"epoch": self.epoch, "step": self._done // self.cut.batch, "samples": self._done}
        worker = get_worker_info()
        if worker:
            state |= {"given": self._given, "workers": worker.num_workers}
        return {**state, "order": dict(self.identity)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `StreamingLatentDataset.load_state_dict`."""
        try:
            epoch, samples, order = int(state["epoch"]), int(state["samples"]), dict(state["order"])
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"this is not the state of a StreamingLatentDataset ({error!r} is wrong)") from error
        other = [name for name, value in self.identity.items() if order.get(name) != value]
        if other:
            said = ", ".join(f"{name} {order.get(name)!r}, not {self.identity[name]!r}" for name in other)
            raise DatasetError(
                f"the state is of another run ({said}): resume with the data and options it was made with"
            )
        if not 0 <= samples < self.cut.length or epoch < 0:
            raise DatasetError(f"the state is {samples} samples into an epoch of {self.cut.length}")
        worker, given = get_worker_info(), int(state.get("given", 0))
        if given and (worker.num_workers if worker else 1) != state["workers"]:
            raise DatasetError(
                f"the state is that of one of {state['workers']} workers of a StatefulDataLoader: use as many, or "
                "StreamingLatentDataset.loader, whose state loads into any number"
            )
        self.epoch, self._start, self._done, self._given = epoch, samples, samples, given

    def begin(self) -> tuple[int, range]:
        """The epoch to give now, and how many of its samples are done before each step that is left of it.

        What a `load_state_dict` said counts once; after it, epochs begin at their start.
        """
        start, self._start, self._given = self._start, 0, 0
        self._done = start
        return self.epoch, range(start, start + self.cut.steps(start) * self.cut.batch, self.cut.batch)

    def reach(self, epoch: int, done: int) -> None:
        """Note that the step that follows `done` samples of the epoch has been given."""
        taken = self.cut.taken(done)
        ended = not self.cut.steps(taken)
        self.epoch, self._done = (epoch + 1, 0) if ended else (epoch, taken)

    def batch(self, epoch: int, done: int, empty: Empty = new_array) -> Any:
        """The batch of the step that follows `done` samples. Those that this process gives next are made ahead.

        What is not made ahead has its latents in an array that `empty` makes.
        """
        worker, size = get_worker_info(), self.cut.batch
        threads = self.worker_threads if worker else self.threads
        if not threads:
            return self.make(self.numbers(epoch, done), empty)
        if self._ahead is None or self._ahead[0] != os.getpid():
            ahead = Ahead(self._made, _nbytes, threads=threads, most=self.ahead_bytes)
            self._ahead = (os.getpid(), ahead)
        stride = size * (worker.num_workers if worker else 1)
        following = range(done + stride, done + size * self.cut.steps(done), stride)
        return self._ahead[1].get((epoch, done), ((epoch, later) for later in following))

    def numbers(self, epoch: int, done: int) -> NDArray[np.int64]:
        """Samples, numbered as in `LatentDataset`, of this rank in the step that follows `done` samples, int64."""
        offset = epoch * self.cut.length
        spans = self.cut.spans(done, self.rank)
        return np.concatenate([self.order.samples(offset + start, offset + stop) for start, stop in spans])

    def _made(self, step: tuple[int, int]) -> Any:
        return self.make(self.numbers(*step), new_array)


def _nbytes(batch: Any) -> int:
    """Bytes of the tensors of a batch, or of a list of batches."""
    if isinstance(batch, list | tuple):
        return sum(map(_nbytes, batch))
    return batch.nbytes if isinstance(batch, Tensor) else 0
