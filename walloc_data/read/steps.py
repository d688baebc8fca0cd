"""A rank's steps, and where a run is among them: iterations, epochs, the state."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch.utils.data import get_worker_info

from walloc_data.errors import DatasetError
from walloc_data.numbers import whole_number
from walloc_data.order import Cut
from walloc_data.read.payloads import Empty, new_array
from walloc_data.read.place import Place
from walloc_data.read.ranks import Ranks, UnknownRank
from walloc_data.read.step_batches import BY_HAND, Step, StepBatches

__all__ = ["Pass", "Steps"]

_LOG = logging.getLogger("walloc_data")


class Pass(NamedTuple):
    """One iteration: the steps that are left of an epoch; `left` are the samples done before each. See `Step`."""

    epoch: int
    rank: int
    cut: Cut
    left: range
    iteration: int = BY_HAND
    shards: int = 0

    def step(self, done: int) -> Step:
        """The step that follows `done` samples."""
        return Step(self.epoch, done, self.rank, self.cut.world, self.iteration, self.shards)


class Steps:
    """Steps of epochs: those that the rank gives which this process is.

    The state is `(epoch, samples done)`: nothing else is kept between batches. `identity` says of what order it is,
    `commits` of which commits of the Hub. An epoch that began before the dataset has grown ends in the order that it
    had; the next is of all samples.
    """

    def __init__(self, batches: StepBatches, ranks: Ranks, *, identity: Mapping[str, Any], commits: list[str]) -> None:
        self.batches, self.ranks, self.identity, self.commits = batches, ranks, dict(identity), commits
        self.place = Place()
        self._done = 0  # in the epoch of `place`: after the last step given
        self._pass: Pass | None = None  # of this process, of which steps are given
        self._given: tuple[int, range] | None = (
            None  # an epoch, and what was left of it, since somebody said where to be
        )
        self._loaded: tuple[int, int, int, int] | None = None  # by a worker: epoch, samples done, steps given since,
        # shards
        self._at = (0, 0, 0, 0)  # of a worker, likewise
        self._awaited = False  # a state that was loaded said to go on within an epoch, and no iteration has

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pass": None}

    def __len__(self) -> int:
        """Steps of a whole epoch."""
        return self.dealt()[1].steps(0)

    def dealt(self) -> tuple[int, Cut]:
        """The rank that this process is now, and how the epoch is cut. Raises `DatasetError` where that is unknown."""
        return self._dealt(self.place.shards)

    def _dealt(self, shards: int) -> tuple[int, Cut]:
        rank, world = self.ranks.now()
        return rank, self.batches.cut(world, shards)

    def _next(self, epoch: int, done: int, shards: int) -> tuple[int, int, int]:
        """Where to go on: an epoch of which no step is left, as it is cut now, has ended."""
        return (epoch, done, shards) if self._dealt(shards)[1].steps(done) else (epoch + 1, 0, 0)

    def begin(self) -> Pass:
        """What is left of the epoch, as an iteration that begins now.

        What a `load_state_dict` said counts once; after it, epochs begin at their start.
        """
        epoch, done, shards = self._next(self.place.epoch, self.place.done, self.place.shards)
        rank, cut = self._dealt(shards)
        self.ranks.agree(epoch, {**self._order(cut, shards), "batch": cut.batch}, self.commits)
        self.place.set(epoch, 0, shards)
        self._awaited = False
        self.batches.close()
        self._done = done
        self._pass = _pass(epoch, rank, cut, done)._replace(iteration=self.place.turn(), shards=shards)
        return self._pass

    def end(self, of: Pass) -> None:
        """End what is under way for an iteration, in workers too, unless another has begun and ended it."""
        if self._pass is of:
            self.place.turn()
            self.batches.close()

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
        of = self.begin()
        if by_hand and self._given == (of.epoch, of.left):
            _tell_again(of.epoch)
        self._given = of.epoch, of.left
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
        if number == 0:
            if self.place.begun and not self._loaded:
                _tell_again(self.place.epoch)
            self.place.begin()
        epoch, start, given, shards = self._loaded or (self.place.epoch, self.place.done, 0, self.place.shards)
        self._loaded = None
        epoch, start, shards = self._next(epoch, start, shards)
        rank, cut = self._dealt(shards)
        of = _pass(epoch, rank, cut, start)._replace(shards=shards)
        self._at = (epoch, start, given, shards)
        try:
            for done in of.left[number + given * workers :: workers]:
                batch = self.batch(of.step(done))
                given += 1
                self._at = (epoch, start, given, shards)
                yield batch
        finally:
            self.batches.close()

    def set_epoch(self, epoch: int) -> None:
        """Give that epoch next, from its start; or, if it is the present one, go on as planned."""
        epoch, self._given = whole_number("epoch", epoch, least=0), None
        if epoch != self.place.epoch or self.place.begun:
            if self._awaited:
                _LOG.warning(
                    "set_epoch(%d): the state that was loaded is %d samples into epoch %d, whose rest is left out. "
                    "Lightning counts an epoch that max_steps or a limit has ended as done: let ModelCheckpoint write "
                    "every_n_train_steps to go on within one",
                    epoch,
                    self._done,
                    self.place.epoch,
                )
            self._done, self._awaited = 0, False
            self.place.set(epoch, 0)
        else:
            self.place.set(epoch, self.place.done, self.place.shards)

    def state_dict(self) -> dict[str, Any]:
        """See `StreamingLatentDataset.state_dict`."""
        worker, shards = get_worker_info(), self.place.shards
        more: dict[str, Any] = {"commits": list(self.commits)} if self.commits else {}
        if worker:
            epoch, done, given, shards = self._at
            more |= {"given": given, "workers": worker.num_workers}
        elif self.place.begun:
            raise DatasetError(
                "workers of a DataLoader made by hand read this stream, and only they know where they are: iterate "
                "StreamingLatentDataset.loader() and take its state, or that of a StatefulDataLoader"
            )
        else:
            epoch, done = self.place.epoch, self._done
        cut = self._dealt(shards)[1]
        return {"epoch": epoch, "step": done // cut.batch, "samples": done, **more, "order": self._order(cut, shards)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `StreamingLatentDataset.load_state_dict`."""
        try:
            epoch, done = (whole_number(name, state[name], least=0) for name in ("epoch", "samples"))
            given, order = whole_number("given", state.get("given", 0), least=0), dict(state["order"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DatasetError(f"this is not the state of a StreamingLatentDataset ({error!r} is wrong)") from error
        grown = self.batches.grown
        shards = 0 if grown is None else grown.find(str(order.get("dataset")))
        try:
            cut = self._dealt(shards)[1]
        except UnknownRank:  # it is settled when an iteration begins
            cut = None
        own = self._identity(shards) if cut is None else self._order(cut, shards)
        other = [name for name, value in own.items() if order.get(name) != value]
        if other:
            said = ", ".join(f"{name} {order.get(name)!r}, not {own[name]!r}" for name in other)
            if "dataset" in other and state.get("commits", self.commits) != self.commits:
                said += f"; of commit {', '.join(state['commits'])}, not {', '.join(self.commits)}"
            raise DatasetError(
                f"the state is of another run ({said}): resume with the data and options it was made with"
            )
        if done >= own["epoch_samples"]:
            raise DatasetError(f"the state is {done} samples into an epoch of {own['epoch_samples']}")
        worker = get_worker_info()
        if given and (worker.num_workers if worker else 1) != state.get("workers"):
            raise DatasetError(
                f"the state is that of one of {state.get('workers')} workers of a StatefulDataLoader: use as many, or "
                "StreamingLatentDataset.loader, whose state loads into any number"
            )
        if worker:
            self._loaded = epoch, done, given, shards
        else:
            epoch, self._done, shards = self._next(epoch, done, shards) if cut else (epoch, done, shards)
            self.place.set(epoch, self._done, shards)
            self._given, self._awaited = None, self._done > 0
            if shards and grown:
                _tell_grown(epoch, grown.samples(shards), grown.samples(len(grown.shards)))

    def batch(self, step: Step, empty: Empty = new_array) -> Any:
        """The batch of a step, read ahead; or else with its latents in an array that `empty` makes."""
        return self.batches.get(step, self._wants, empty)

    def _wants(self, iteration: int) -> bool:
        return iteration in (BY_HAND, self.place.iteration)

    def _order(self, cut: Cut, shards: int) -> dict[str, Any]:
        """What says that two orders are one; lanes alone make it depend on how many samples a step has."""
        return {**self._identity(shards), "lanes_batch": cut.batch if cut.lanes > 1 else None}

    def _identity(self, shards: int) -> dict[str, Any]:
        grown = self.batches.grown
        return self.identity if grown is None or not shards else {**self.identity, **grown.identity(shards)}


def _pass(epoch: int, rank: int, cut: Cut, done: int) -> Pass:
    return Pass(epoch, rank, cut, range(done, done + cut.steps(done) * cut.batch, cut.batch))


def _tell_grown(epoch: int, began: int, now: int) -> None:
    _LOG.warning(
        "the dataset has grown since this state was taken: epoch %d ends among the %s samples that it began with, "
        "and the next one is of all %s",
        epoch,
        f"{began:,}",
        f"{now:,}",
    )


def _tell_again(epoch: int) -> None:
    _LOG.warning(
        "epoch %d is given again, in the same order: call set_epoch(epoch) of the StreamingLatentDataset before each "
        "epoch, or iterate its loader(), which goes on to the next one by itself",
        epoch,
    )
