"""A rank's steps: which samples each has, where a run is among them, and their batches, made ahead."""

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import get_worker_info

from walloc_data.errors import DatasetError
from walloc_data.numbers import whole_number
from walloc_data.order import Cut, FilteredOrder, MixedOrder, SplitOrder
from walloc_data.read.ahead import Ahead
from walloc_data.read.batches import Batches
from walloc_data.read.payloads import Empty, new_array
from walloc_data.read.place import Place
from walloc_data.read.ranks import Ranks
from walloc_data.read.samples import Samples

__all__ = ["Pass", "Step", "Steps"]

_LOG = logging.getLogger("walloc_data")
_BY_HAND = -1  # no number of an iteration: those of a worker of a `DataLoader` made by hand go on till it ends


class Step(NamedTuple):
    """The step that follows `done` samples of an epoch, of one rank: all that a worker needs to know."""

    epoch: int
    done: int
    rank: int
    world: int
    iteration: int = _BY_HAND


class Pass(NamedTuple):
    """One iteration: the steps that are left of an epoch; `left` are the samples done before each."""

    epoch: int
    rank: int
    cut: Cut
    left: range
    iteration: int = _BY_HAND

    def step(self, done: int) -> Step:
        """The step that follows `done` samples."""
        return Step(self.epoch, done, self.rank, self.cut.world, self.iteration)


class Steps:
    """Steps of epochs of an order, which `cut` deals to a number of ranks.

    The state is `(epoch, samples done)`: nothing else is kept between batches. `identity` says of what order it is,
    `commits` of which commits of the Hub.
    """

    def __init__(
        self,
        order: SplitOrder | FilteredOrder | MixedOrder,
        cut: Callable[[int], Cut],
        ranks: Ranks,
        batches: Batches,
        *,
        identity: Mapping[str, Any],
        commits: list[str],
        threads: int,
        worker_threads: int,
        ahead_bytes: int,
    ) -> None:
        self.order, self.ranks, self.batches = order, ranks, batches
        self.threads, self.worker_threads, self.ahead_bytes = threads, worker_threads, ahead_bytes
        self.identity, self.commits, self.place = dict(identity), commits, Place()
        self._cut, self._cut_for = cut, lru_cache(maxsize=4)(cut)
        self._done = 0  # in the epoch of `place`: after the last step given
        self._pass: Pass | None = None  # of this process, of which steps are given
        self._loaded: tuple[int, int, int] | None = None  # by a worker: epoch, samples done, steps given since
        self._at = (0, 0, 0)  # of a worker, likewise
        self._ahead: tuple[int, Ahead[Step, Samples]] | None = None  # and the iteration it is for

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_ahead": None, "_cut_for": None, "_pass": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._cut_for = lru_cache(maxsize=4)(self._cut)

    def __len__(self) -> int:
        """Steps of a whole epoch."""
        return self.dealt()[1].steps(0)

    def dealt(self) -> tuple[int, Cut]:
        """The rank that this process is now, and how the order is cut. Raises `DatasetError` where that is unknown."""
        rank, world = self.ranks.now()
        return rank, self._cut_for(world)

    def begin(self) -> Pass:
        """What is left of the epoch, as an iteration that begins now.

        What a `load_state_dict` said counts once; after it, epochs begin at their start.
        """
        rank, cut = self.dealt()
        epoch, done = _ended(cut, self.place.epoch, self.place.done)
        self.ranks.agree(epoch, {**self._order(cut), "batch": cut.batch}, self.commits)
        self.place.set(epoch, 0)
        self._close_ahead()
        self._done, self._pass = done, _pass(epoch, rank, cut, done)._replace(iteration=self.place.turn())
        return self._pass

    def end(self, of: Pass) -> None:
        """End what is under way for an iteration, in workers too, unless another has begun and ended it."""
        if self._pass is of:
            self.place.turn()
            self._close_ahead()

    def reach(self, of: Pass, done: int) -> None:
        """Note that the step of an iteration that follows `done` samples is given."""
        self.check(of)
        taken = of.cut.taken(done)
        if of.cut.steps(taken):
            self._done = taken
        else:
            self.place.set(of.epoch + 1, 0)
            self._done = 0

    def check(self, of: Pass) -> None:
        """Raise `DatasetError` where another iteration has begun since."""
        if self._pass is not of:
            raise DatasetError(
                "this stream was iterated anew, which ended the earlier iteration: have one at a time, or two streams"
            )

    def is_at(self, of: Pass) -> bool:
        """Whether that iteration is the last that began."""
        return self._pass is of

    def iterate(self, *, by_hand: bool) -> Iterator[Any]:
        """What is left of the epoch; of a worker of a `DataLoader` made by hand, every so many steps of it."""
        worker = get_worker_info()
        if worker:
            yield from self._of_worker(worker.id, worker.num_workers)
            return
        before = self._pass
        of = self.begin()
        if by_hand and before and (before.epoch, before.left) == (of.epoch, of.left):
            _tell_again(of.epoch)
        try:
            for done in of.left:
                batch = self.batch(of.step(done))
                self.reach(of, done)
                yield batch
                self.check(of)
        finally:
            self.end(of)

    def _of_worker(self, number: int, workers: int) -> Iterator[Any]:
        """The part of a worker of a `DataLoader` made by hand. Only `set_epoch` in its parent takes it further."""
        rank, cut = self.dealt()
        if number == 0:
            if self.place.begun and not self._loaded:
                _tell_again(self.place.epoch)
            self.place.begin()
        epoch, start, given = self._loaded or (self.place.epoch, self.place.done, 0)
        self._loaded = None
        epoch, start = _ended(cut, epoch, start)
        of = _pass(epoch, rank, cut, start)
        self._at = (epoch, start, given)
        try:
            for done in of.left[number + given * workers :: workers]:
                batch = self.batch(of.step(done))
                given += 1
                self._at = (epoch, start, given)
                yield batch
        finally:
            self._close_ahead()

    def set_epoch(self, epoch: int) -> None:
        """Give that epoch next, from its start; or, if it is the present one, go on as planned."""
        epoch = whole_number("epoch", epoch, least=0)
        if epoch != self.place.epoch or self.place.begun:
            self._done = 0
            self.place.set(epoch, 0)
        else:
            self.place.set(epoch, self.place.done)

    def state_dict(self) -> dict[str, Any]:
        """See `StreamingLatentDataset.state_dict`."""
        worker, cut = get_worker_info(), self.dealt()[1]
        more: dict[str, Any] = {"commits": list(self.commits)} if self.commits else {}
        if worker:
            epoch, done, given = self._at
            more |= {"given": given, "workers": worker.num_workers}
        elif self.place.begun:
            raise DatasetError(
                "workers of a DataLoader made by hand read this stream, and only they know where they are: iterate "
                "StreamingLatentDataset.loader() and take its state, or that of a StatefulDataLoader"
            )
        else:
            epoch, done = self.place.epoch, self._done
        return {"epoch": epoch, "step": done // cut.batch, "samples": done, **more, "order": self._order(cut)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `StreamingLatentDataset.load_state_dict`."""
        try:
            epoch, done = (whole_number(name, state[name], least=0) for name in ("epoch", "samples"))
            given, order = whole_number("given", state.get("given", 0), least=0), dict(state["order"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DatasetError(f"this is not the state of a StreamingLatentDataset ({error!r} is wrong)") from error
        cut = self.dealt()[1]
        own = self._order(cut)
        other = [name for name, value in own.items() if order.get(name) != value]
        if other:
            said = ", ".join(f"{name} {order.get(name)!r}, not {own[name]!r}" for name in other)
            if "dataset" in other and state.get("commits", self.commits) != self.commits:
                said += f"; of commit {', '.join(state['commits'])}, not {', '.join(self.commits)}"
            raise DatasetError(
                f"the state is of another run ({said}): resume with the data and options it was made with"
            )
        if done >= cut.length:
            raise DatasetError(f"the state is {done} samples into an epoch of {cut.length}")
        worker = get_worker_info()
        if given and (worker.num_workers if worker else 1) != state.get("workers"):
            raise DatasetError(
                f"the state is that of one of {state.get('workers')} workers of a StatefulDataLoader: use as many, or "
                "StreamingLatentDataset.loader, whose state loads into any number"
            )
        if worker:
            self._loaded = epoch, done, given
        else:
            epoch, self._done = _ended(cut, epoch, done)
            self.place.set(epoch, self._done)

    def batch(self, step: Step, empty: Empty = new_array) -> Any:
        """The batch of a step. Those that this process gives next are read ahead.

        What is not read ahead has its latents in an array that `empty` makes. Transforms draw here, in the thread that
        asks, so that their draws come in one order.
        """
        worker = get_worker_info()
        threads = self.worker_threads if worker else self.threads
        if not threads:
            return self.batches.finish(self.batches.read(self.numbers(step), empty))
        if self._ahead is None or self._ahead[0] != step.iteration:
            self._close_ahead()
            wanted = partial(self._wants, step.iteration)
            ahead = Ahead(self._read, _nbytes, threads=threads, most=self.ahead_bytes, wanted=wanted)
            self._ahead = step.iteration, ahead
        cut = self._cut_for(step.world)
        stride = cut.batch * (worker.num_workers if worker else 1)
        following = range(step.done + stride, step.done + cut.batch * cut.steps(step.done), stride)
        found = self._ahead[1].get(step, (step._replace(done=later) for later in following))
        return self.batches.finish(found)

    def numbers(self, step: Step) -> NDArray[np.int64]:
        """Samples of a step, numbered as in `LatentDataset`, int64."""
        cut = self._cut_for(step.world)
        offset = step.epoch * cut.length
        spans = cut.spans(step.done, step.rank)
        return np.concatenate([self.order.samples(offset + start, offset + stop) for start, stop in spans])

    def _close_ahead(self) -> None:
        if self._ahead is not None:
            self._ahead[1].close()
            self._ahead = None

    def _wants(self, iteration: int) -> bool:
        return iteration in (_BY_HAND, self.place.iteration)

    def _read(self, step: Step) -> Samples:
        return self.batches.read(self.numbers(step))

    def _order(self, cut: Cut) -> dict[str, Any]:
        """What says that two orders are one; lanes alone make it depend on how many samples a step has."""
        return {**self.identity, "lanes_batch": cut.batch if cut.lanes > 1 else None}


def _pass(epoch: int, rank: int, cut: Cut, done: int) -> Pass:
    return Pass(epoch, rank, cut, range(done, done + cut.steps(done) * cut.batch, cut.batch))


def _ended(cut: Cut, epoch: int, done: int) -> tuple[int, int]:
    """Where to go on: an epoch of which no step is left, as it is cut now, has ended."""
    return (epoch, done) if cut.steps(done) else (epoch + 1, 0)


def _tell_again(epoch: int) -> None:
    _LOG.warning(
        "epoch %d is given again, in the same order: call set_epoch(epoch) of the StreamingLatentDataset before each "
        "epoch, or iterate its loader(), which goes on to the next one by itself",
        epoch,
    )


def _nbytes(found: Samples) -> int:
    latents = found.latents
    return latents.nbytes if isinstance(latents, np.ndarray) else sum(one.nbytes for one in latents)
