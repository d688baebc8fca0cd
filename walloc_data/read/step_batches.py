"""The batch of a step: which samples it has, read ahead, with random draws of its own."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import get_worker_info

from walloc_data.order import Cut, Order
from walloc_data.read.ahead import Ahead
from walloc_data.read.batches import Batches
from walloc_data.read.grown import Grown
from walloc_data.read.payloads import Empty, new_array
from walloc_data.read.samples import Samples

__all__ = ["BY_HAND", "Step", "StepBatches"]

BY_HAND = -1  # no number of an iteration: those of a worker of a `DataLoader` made by hand go on till it ends


class Step(NamedTuple):
    """The step that follows `done` samples of an epoch, of one rank: all that a worker needs to know. The epoch is of
    the first `shards` (0: all)."""

    epoch: int
    done: int
    rank: int
    world: int
    iteration: int = BY_HAND
    shards: int = 0


class StepBatches:
    """Batches of the steps of an order, which `cut` deals to a number of ranks; or of one that it was, as `grown` says.

    What a process gives next is read ahead in `threads` threads (`worker_threads` in a worker; 0: it is not), up to
    `ahead_bytes`, as long as the iteration is `wanted`. What transforms draw from torch's generator is a function of
    `seed`, epoch, step and rank, and leaves the generator as it was: neither workers, nor what training draws, nor a
    resume change it.
    """

    def __init__(
        self,
        order: Order,
        cut: Callable[[int], Cut],
        batches: Batches,
        *,
        seed: int,
        threads: int,
        worker_threads: int,
        ahead_bytes: int,
        grown: Grown | None = None,
    ) -> None:
        self.order, self.batches, self.seed = order, batches, seed
        self.threads, self.worker_threads, self.ahead_bytes = threads, worker_threads, ahead_bytes
        self._cut, self.grown = cut, grown
        self._remember()
        self._ahead: tuple[Step, Ahead[int, Samples]] | None = None  # and the first step of what it is for

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_ahead": None, "_cut_for": None, "_order_of": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._remember()

    def _remember(self) -> None:
        self._cut_for = lru_cache(maxsize=4)(self._cut_anew)
        self._order_of = lru_cache(maxsize=1)(self._ordered)

    def cut(self, world: int, shards: int = 0) -> Cut:
        """How the order, of all or the first shards, is cut for so many ranks. Raises `DatasetError` where that cannot
        be."""
        return self._cut_for(world, shards)

    def _cut_anew(self, world: int, shards: int) -> Cut:
        if self.grown is None or not shards:
            return self._cut(world)
        return self.grown.cut(self.grown.length(shards), world)

    def _ordered(self, shards: int) -> Order:
        return self.order if self.grown is None or not shards else self.grown.order(shards)

    def get(self, step: Step, wanted: Callable[[int], bool], empty: Empty = new_array) -> Any:
        """The batch of a step. What is not read ahead has its latents in an array that `empty` makes."""
        worker, cut = get_worker_info(), self.cut(step.world, step.shards)
        threads = self.worker_threads if worker else self.threads
        if not threads:
            return self._finished(step, self.batches.read(self.numbers(step), empty))
        first = step._replace(done=0)
        if self._ahead is None or self._ahead[0] != first:
            self.close()
            read, go_on = partial(self._read, first), partial(wanted, step.iteration)
            self._ahead = first, Ahead(read, _nbytes, threads=threads, most=self.ahead_bytes, wanted=go_on)
        stride = cut.batch * (worker.num_workers if worker else 1)
        following = range(step.done + stride, step.done + cut.batch * cut.steps(step.done), stride)
        return self._finished(step, self._ahead[1].get(step.done, following))

    def numbers(self, step: Step) -> NDArray[np.int64]:
        """Samples of a step, numbered as in `LatentDataset`, int64; of such with views, their entries."""
        cut, order = self.cut(step.world, step.shards), self._order_of(step.shards)
        offset = step.epoch * cut.length
        spans = cut.spans(step.done, step.rank)
        return np.concatenate([order.samples(offset + start, offset + stop) for start, stop in spans])

    def close(self) -> None:
        """End what is read ahead."""
        if self._ahead is not None:
            self._ahead[1].close()
            self._ahead = None

    def _read(self, first: Step, done: int) -> Samples:
        return self.batches.read(self.numbers(first._replace(done=done)))

    def _finished(self, step: Step, found: Samples) -> Any:
        if self.batches.choice.transform is None:
            return self.batches.finish(found)
        with _draws(f"{self.seed} {step.epoch} {step.done} {step.rank}"):
            return self.batches.finish(found)


@contextmanager
def _draws(of: str) -> Iterator[None]:
    """Have torch's generator give numbers that are a function of a text."""
    generator = torch.default_generator
    before = generator.get_state()
    generator.manual_seed(int.from_bytes(hashlib.blake2b(of.encode(), digest_size=8).digest(), "little"))
    try:
        yield
    finally:
        generator.set_state(before)


def _nbytes(found: Samples) -> int:
    latents = found.latents
    return latents.nbytes if isinstance(latents, np.ndarray) else sum(one.nbytes for one in latents)
