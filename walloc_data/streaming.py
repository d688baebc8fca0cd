"""The read path at scale: batches in one order that ranks and workers only cut, from anywhere, with an exact resume."""

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from walloc_data.errors import DatasetError
from walloc_data.format import StorageOptions
from walloc_data.order import Cut, MixedOrder, SplitOrder
from walloc_data.read.ahead import Ahead
from walloc_data.read.loader import StreamingLoader
from walloc_data.read.opened import OpenedDataset, open_dataset
from walloc_data.read.ranks import rank_and_world
from walloc_data.read.reader import Samples, SplitReader

__all__ = ["StreamingLatentDataset"]

_log = logging.getLogger("walloc_data")


class StreamingLatentDataset(IterableDataset[Any]):
    """Batches `(x, y)` of a split, made whole: x is int8 `[B, c, *space / f]`, y int64 `[B]` (-1 without labels).

    `root` is a folder or a URL (`hf://user/name`, `https://`, `s3://`), or maps several to the weights they are mixed
    by. Iterate over `loader(num_workers=4)`; or over this itself; or over `DataLoader(dataset, batch_size=None,
    num_workers=4)`, which needs `set_epoch` before each epoch.

    The order is a function of the data and these options: `seed`, `shuffle`, `window` (samples that are mixed with
    one another, from records in random order), `epoch_samples` (None: all samples), `lanes` (see `Cut`; of use to
    many nodes, which then read a part of the data each). Ranks and workers only cut it. `batch_size` is of one rank;
    ranks get equally many batches, and with `drop_last=False` the last may be smaller, or larger by one. `rank` and
    `world_size` come from torch.distributed or the environment, unless given.

    `columns` are given behind x, in their order: numbers as tensors, all else as lists. `transform` is applied to
    each x. Where samples differ in shape, x is a list of tensors `[c, *space / f]`; or, with `buckets`, each step is a
    list of batches, one for each shape there is in it. `on_damage` is `"stop"`, or `"skip"`, which leaves damaged
    samples out, logs them and counts them in `damaged` (of this process). Each process makes batches ahead in
    `threads` threads, up to `ahead_bytes`. `storage` says how what is remote is fetched and cached.

    Raises `FormatError`, `CodecError` or `CoderError` for a dataset that is damaged or of another version,
    `DatasetError` for one that cannot be reached, and for options that do not go together.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | Mapping[str, float],
        split: str = "train",
        *,
        batch_size: int,
        shuffle: bool = True,
        seed: int = 0,
        columns: Sequence[str] = ("label",),
        transform: Callable[[Any], Any] | None = None,
        drop_last: bool = False,
        buckets: bool = False,
        epoch_samples: int | None = None,
        window: int = 2048,
        lanes: int = 1,
        rank: int | None = None,
        world_size: int | None = None,
        on_damage: str = "stop",
        threads: int = 1,
        ahead_bytes: int = 1 << 26,
        storage: StorageOptions | None = None,
    ) -> None:
        if on_damage not in ("stop", "skip"):
            raise DatasetError(f"on_damage={on_damage!r} is not 'stop' or 'skip'")
        if min(batch_size, window, threads, ahead_bytes) < 1 or (epoch_samples is not None and epoch_samples < 1):
            raise DatasetError("batch_size, window, threads, ahead_bytes and epoch_samples are whole numbers from 1 on")
        self.rank, self.world_size = rank_and_world(rank, world_size)
        self.split, self.columns, self.transform, self.buckets = split, tuple(columns), transform, buckets
        self.on_damage, self.threads, self.ahead_bytes, self.damaged = on_damage, threads, ahead_bytes, 0
        roots, weights = (list(root), list(root.values())) if isinstance(root, Mapping) else ([root], None)
        datasets = [open_dataset(each, storage) for each in roots]
        _check_alike(datasets, self.columns)
        self.codec, self.classes = datasets[0].codec, list(datasets[0].manifest.classes or [])
        self._reader = SplitReader(datasets, split)
        orders = [
            SplitOrder(
                [shard.samples for shard in dataset.shards(split)],
                dataset.manifest.block,
                seed=seed + 7919 * number,
                shuffle=shuffle,
                window=window,
            )
            for number, dataset in enumerate(datasets)
        ]
        self._order = orders[0] if weights is None else MixedOrder(orders, weights, seed=seed, shuffle=shuffle)
        self._cut = Cut(
            length=epoch_samples or self._order.length,
            batch=batch_size * self.world_size,
            world=self.world_size,
            lanes=lanes,
            drop_last=drop_last,
        )
        self._identity = {
            "dataset": _digest(datasets, split),
            "seed": seed,
            "shuffle": shuffle,
            "window": window,
            "epoch_samples": self._cut.length,
            "weights": weights,
            "lanes": lanes,
            "lanes_batch": self._cut.batch if lanes > 1 else None,
        }
        self._epoch = self._start = self._done = self._given = 0
        self._ahead: tuple[int, Ahead[tuple[int, int], Any]] | None = None  # and the process it is of

    def __len__(self) -> int:
        """Steps of an epoch, and batches of every rank."""
        return self._cut.steps(0)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_ahead": None}

    def __iter__(self) -> Iterator[Any]:
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
            self._epoch, self._done, self._given = epoch + 1, 0, 0

    def loader(self, *, num_workers: int = 0, **options: Any) -> StreamingLoader:
        """A `StatefulDataLoader` of this stream's batches; `options` are further ones of `DataLoader`.

        Its `state_dict` and `load_state_dict` are those of this stream. It goes on to the next epoch by itself.
        """
        return StreamingLoader(self, num_workers=num_workers, **options)

    @property
    def epoch(self) -> int:
        """The epoch that is being given, or is given next."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Give that epoch next, from its start; or, if it is the present one, go on as planned."""
        if epoch != self._epoch:
            self._epoch, self._start, self._done, self._given = epoch, 0, 0, 0

    def state_dict(self) -> dict[str, Any]:
        """Where this stream is: `epoch`, `step` and `samples` done in it, and of what order. Small, and of plain types.

        It loads into a stream of the same data and options with any number of workers and ranks. (In the workers of
        a `StatefulDataLoader` made by hand, it is the worker's own and loads into as many.)
        """
        state = {"epoch": self._epoch, "step": self._done // self._cut.batch, "samples": self._done}
        worker = get_worker_info()
        if worker:
            state |= {"given": self._given, "workers": worker.num_workers}
        return {**state, "order": dict(self._identity)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`. Raises `DatasetError` for one of other data or of another order."""
        try:
            epoch, samples, order = int(state["epoch"]), int(state["samples"]), dict(state["order"])
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"this is not the state of a StreamingLatentDataset ({error!r} is wrong)") from error
        other = [name for name, value in self._identity.items() if order.get(name) != value]
        if other:
            said = ", ".join(f"{name} {order.get(name)!r}, not {self._identity[name]!r}" for name in other)
            raise DatasetError(
                f"the state is of another run ({said}): resume with the data and options it was made with"
            )
        if not 0 <= samples < self._cut.length or epoch < 0:
            raise DatasetError(f"the state is {samples} samples into an epoch of {self._cut.length}")
        worker, given = get_worker_info(), int(state.get("given", 0))
        if given and (worker.num_workers if worker else 1) != state["workers"]:
            raise DatasetError(
                f"the state is that of one of {state['workers']} workers of a StatefulDataLoader: use as many, or "
                "StreamingLatentDataset.loader, whose state loads into any number"
            )
        self._epoch, self._start, self._done, self._given = epoch, samples, samples, given

    def begin(self) -> tuple[int, range]:
        """See `Stream.begin`. What a `load_state_dict` said counts once; after it, epochs begin at their start."""
        start, self._start, self._given = self._start, 0, 0
        self._done = start
        return self._epoch, range(start, start + self._cut.steps(start) * self._cut.batch, self._cut.batch)

    def reach(self, epoch: int, done: int) -> None:
        """See `Stream.reach`."""
        taken = self._cut.taken(done)
        ended = not self._cut.steps(taken)
        self._epoch, self._done = (epoch + 1, 0) if ended else (epoch, taken)

    def batch(self, epoch: int, done: int) -> Any:
        """See `Stream.batch`. Makes those that this process will be asked for next ahead."""
        if self._ahead is None or self._ahead[0] != os.getpid():
            ahead = Ahead(self._make, _nbytes, threads=self.threads, most=self.ahead_bytes)
            self._ahead = (os.getpid(), ahead)
        worker, size = get_worker_info(), self._cut.batch
        stride = size * (worker.num_workers if worker else 1)
        following = range(done + stride, done + size * self._cut.steps(done), stride)
        return self._ahead[1].get((epoch, done), ((epoch, later) for later in following))

    def numbers(self, epoch: int, done: int) -> NDArray[np.int64]:
        """Samples, numbered as in `LatentDataset`, of this rank in the step that follows `done` samples, int64."""
        offset = epoch * self._cut.length
        spans = self._cut.spans(done, self.rank)
        return np.concatenate([self._order.samples(offset + start, offset + stop) for start, stop in spans])

    def _make(self, step: tuple[int, int]) -> Any:
        numbers = self.numbers(*step)
        found = self._reader.read(numbers, self.columns, skip=self.on_damage == "skip")
        if found.damaged:
            self.damaged += len(found.damaged)
            for message in dict.fromkeys(found.damaged):
                _log.warning("left out: %s", message)
            if not len(found.latents):
                raise DatasetError(f"every sample of a batch is damaged, such as {found.damaged[0]}")
        if self.buckets:
            return [self._finished(bucket) for bucket in found.by_shape()]
        return self._finished(found)

    def _finished(self, found: Samples) -> tuple[Any, ...]:
        latents = found.latents
        x: Any = (
            torch.from_numpy(latents) if isinstance(latents, np.ndarray) else [torch.from_numpy(z) for z in latents]
        )
        x = x if self.transform is None else self.transform(x)
        return (x, *(_column(name, found.columns[name]) for name in self.columns))


def _column(name: str, values: list[Any]) -> Any:
    if name == "label":
        return torch.tensor([-1 if value is None else value for value in values])
    numbers = all(isinstance(v, int | float) or (isinstance(v, list) and len(v) == len(values[0])) for v in values)
    return torch.tensor(values) if numbers and not isinstance(values[0], str) else values


def _nbytes(batch: Any) -> int:
    """Bytes of the tensors of a batch, or of a list of batches."""
    return (
        batch.nbytes
        if isinstance(batch, Tensor)
        else sum(map(_nbytes, batch))
        if isinstance(batch, list | tuple)
        else 0
    )


def _check_alike(datasets: Sequence[OpenedDataset], columns: Sequence[str]) -> None:
    first = datasets[0]
    for other in datasets[1:]:
        if other.manifest.fingerprint != first.manifest.fingerprint:
            raise DatasetError(
                f"{other.storage.url} was made by another codec than {first.storage.url}: mix like with like"
            )
        if "label" in columns and other.manifest.classes != first.manifest.classes:
            raise DatasetError(
                f"{other.storage.url} has other classes than {first.storage.url}, so labels cannot be mixed: give "
                "columns without 'label'"
            )


def _digest(datasets: Sequence[OpenedDataset], split: str) -> str:
    digest = hashlib.sha256()
    for dataset in datasets:
        digest.update(f"{dataset.manifest.fingerprint} {dataset.manifest.block}\n".encode())
        for shard in dataset.shards(split):
            digest.update(f"{shard.name} {shard.samples} {shard.sha256}\n".encode())
    return digest.hexdigest()[:16]
