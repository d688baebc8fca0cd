"""The read path at scale: batches in one order that ranks and workers only cut, from anywhere, with an exact resume."""

import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from torch.utils.data import IterableDataset

from walloc_data.codec import Codec
from walloc_data.errors import DatasetError
from walloc_data.numbers import whole_number
from walloc_data.order import Cut, FilteredOrder, MixedOrder, Order, SplitOrder, ViewedOrder
from walloc_data.read.batches import Batches
from walloc_data.read.choice import Choice
from walloc_data.read.frameworks import in_data_loader, refuse_second_dealing
from walloc_data.read.grown import Grown, split_text
from walloc_data.read.loader import StreamingLoader
from walloc_data.read.opened import OpenedDataset, any_ragged, decoded_by, open_dataset
from walloc_data.read.ranks import Ranks, UnknownRank
from walloc_data.read.reader import SplitReader
from walloc_data.read.step_batches import StepBatches
from walloc_data.read.steps import Steps
from walloc_data.storage import StorageOptions

__all__ = ["StreamingLatentDataset"]


class StreamingLatentDataset(IterableDataset[Any]):
    """Batches `(x, y)` of a split, made whole: x is int8 `[B, c, *space / f]`, y int64 `[B]` (-1 without labels).

    `root` is a folder or a URL (`hf://user/name`, `https://`, `s3://`), or maps several to the weights they are mixed
    by. Iterate over `loader(num_workers=4)`; or over this itself; or over `DataLoader(dataset, batch_size=None,
    num_workers=4)`, which needs `set_epoch` before each epoch. One iteration at a time.

    The order is a function of the data and these options: `seed`, `shuffle`, `window` (samples that are mixed with
    one another, from records in random order), `epoch_samples` (None: as many as there are; else the next epoch goes
    on where this one ended) and `lanes` (stretches that the epoch is cut into, an equal part of each step from each:
    of as many nodes, each then reads its own part of the data). In a mixture each dataset is walked through in its
    own order by its share, over and over, so an epoch repeats the small and has a part of the large. Where samples have
    several views, each time through a dataset shows another one of each. Ranks and workers only cut the order.
    `batch_size` is of one rank; ranks get equally many batches, and with `drop_last=False` the last may be smaller, or
    larger by one. `rank` and `world_size`, unless given, are what
    torch.distributed says when an iteration starts, or else the environment of torchrun, Lightning, MPI or srun; ranks
    whose data or order differ are refused.

    `columns` are given behind x, in their order, or by name in a dict, `channels` are how many of the first are read,
    `where` says which samples there are, `decode` what x is, and `codec` by which decoder: as in `LatentDataset`, with
    numbers as tensors of their dtype and all else as lists. `transform` is applied to each x; what it draws from
    torch's generator is a function of `seed`, epoch, step and rank alone. Where samples of the datasets differ in
    shape, x is a list of tensors `[c, *space / f]`; or, with `buckets`, each step is a list of batches, one for each
    shape there is in it. `on_damage` is `"stop"`, or `"skip"`, which leaves damaged samples out, logs them and counts
    them in `damaged`; what may pass, such as a server that is down, stops in any case. Where all of a batch is damaged,
    samples that come later in the split stand in, so that every rank has its step. Each process reads batches ahead in
    `threads` threads, up to `ahead_bytes` (None: in one; but in none where workers read local files, since a loader has
    batches made ahead by itself). `storage` says how what is remote is fetched and cached.

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
        columns: Sequence[str] | Mapping[str, str] = ("label",),
        channels: int | None = None,
        where: str | Callable[[Mapping[str, Any]], Any] | None = None,
        decode: str = "latents",
        transform: Callable[[Any], Any] | None = None,
        drop_last: bool = False,
        buckets: bool = False,
        epoch_samples: int | None = None,
        window: int = 2048,
        lanes: int = 1,
        rank: int | None = None,
        world_size: int | None = None,
        on_damage: str = "stop",
        threads: int | None = None,
        ahead_bytes: int = 1 << 26,
        codec: Codec | str | os.PathLike[str] | None = None,
        storage: StorageOptions | None = None,
    ) -> None:
        if on_damage not in ("stop", "skip"):
            raise DatasetError(f"on_damage={on_damage!r} is not 'stop' or 'skip'")
        batch_size, window, lanes, ahead_bytes = (
            whole_number(name, value, least=1)
            for name, value in (
                ("batch_size", batch_size),
                ("window", window),
                ("lanes", lanes),
                ("ahead_bytes", ahead_bytes),
            )
        )
        seed, threads = (
            whole_number("seed", seed),
            None if threads is None else whole_number("threads", threads, least=1),
        )
        if epoch_samples is not None:
            epoch_samples = whole_number("epoch_samples", epoch_samples, least=1)
        self._ranks = Ranks(rank, world_size)
        if not isinstance(root, str | os.PathLike | Mapping) or not root:
            raise DatasetError("root is a folder, a URL, or several with their weights: {'a': 1, 'b': 1}")
        roots, weights = (list(root), _weights(root)) if isinstance(root, Mapping) else ([root], None)
        datasets = [decoded_by(open_dataset(each, storage), codec) for each in roots]
        own = datasets[0].codec if channels is None else datasets[0].codec.prefix(channels)
        choice = Choice(columns, decode, transform, own)
        _check_alike(datasets, choice.names)
        self.split, self.codec = split, own
        self.classes = list(datasets[0].manifest.classes.get("label", []))
        reader = SplitReader(datasets, split, channels=channels, where=where, skip=on_damage == "skip")
        orders: list[Order] = []
        mixing: dict[str, Any] = {"seed": seed, "shuffle": shuffle, "window": window}
        views = None
        for number, dataset in enumerate(datasets):
            mixing["seed"] = seed + number
            order: Order
            if reader.selection is None:
                shards = [shard.samples // reader.views for shard in dataset.shards(split)]
                order = SplitOrder(shards, dataset.manifest.block, **mixing)
            else:
                order = FilteredOrder(reader.selection.runs[number], **mixing)
            if reader.views > 1:
                views = reader.turns(number, seed=seed + number)
                order = ViewedOrder(order, views)
            orders.append(order)
        order = orders[0] if weights is None else MixedOrder(orders, weights, seed=seed, shuffle=shuffle)
        length = epoch_samples or order.length
        cut = partial(_cut, batch_size, lanes, drop_last)
        grown = None
        if weights is None and where is None:
            manifest, shards_now = datasets[0].manifest, datasets[0].shards(split)
            grown = Grown(manifest.fingerprint, manifest.block, shards_now, mixing, epoch_samples, cut, views)
        ragged = any_ragged(datasets, decoded=choice.decoded)
        self._batches = Batches(reader, choice, ragged=ragged, buckets=buckets, skip=on_damage == "skip")
        step_batches = StepBatches(
            order,
            partial(cut, length),
            self._batches,
            seed=seed,
            threads=threads or 1,
            worker_threads=threads or int(reader.remote),
            ahead_bytes=ahead_bytes,
            grown=grown,
        )
        self._steps = Steps(
            step_batches,
            self._ranks,
            identity={
                "dataset": _digest(datasets, split),
                "seed": seed,
                "shuffle": shuffle,
                "window": window,
                "epoch_samples": length,
                "weights": weights,
                "lanes": lanes,
                "where": None if reader.selection is None else reader.selection.digest,
            },
            commits=[dataset.storage.revision for dataset in datasets if dataset.storage.revision],
        )
        urls = [dataset.storage.url for dataset in datasets]
        self._said = f"StreamingLatentDataset({', '.join(urls)}, split={split!r})"
        self._batch_size = batch_size
        with suppress(UnknownRank):  # it may become known before iteration starts
            len(self)

    def __repr__(self) -> str:
        try:
            dealt = f"{len(self)} steps of {self._batch_size}, rank {self.rank} of {self.world_size}"
        except UnknownRank as error:
            dealt = str(error)
        return f"{self._said}: {dealt}, codec {self.codec.name}"

    @property
    def rank(self) -> int:
        """This process's rank, as it is now: until iteration starts, a launcher may still say another."""
        return self._ranks.now()[0]

    @property
    def world_size(self) -> int:
        """How many ranks there are, likewise."""
        return self._ranks.now()[1]

    def __len__(self) -> int:
        """Steps of an epoch, and batches of every rank."""
        return len(self._steps)

    def __iter__(self) -> Iterator[Any]:
        return self._steps.iterate(by_hand=in_data_loader(sys._getframe(1)))

    def __getitem__(self, index: Any) -> Any:
        """Raises `DatasetError`: a stream is iterated."""
        raise DatasetError("a stream has no samples by number: iterate it, or its loader(); LatentDataset has them")

    def loader(self, *, num_workers: int = 0, **options: Any) -> StreamingLoader:
        """A `StatefulDataLoader` of this stream's batches; `options` are further ones of `DataLoader`.

        Its `state_dict` and `load_state_dict` are those of this stream. It goes on to the next epoch by itself; an
        iteration that was broken off begins its epoch again. Raises `DatasetError` for options that are the stream's.
        """
        return StreamingLoader(self._steps, num_workers=num_workers, **options)

    @property
    def epoch(self) -> int:
        """The epoch that is being given, or is given next."""
        return self._steps.place.epoch

    @property
    def damaged(self) -> int:
        """Damaged samples that were left out, by this process and the workers of its loaders; the log names them."""
        return self._batches.damaged

    def set_epoch(self, epoch: int) -> None:
        """Give that epoch next, from its start; or, if it is the present one, go on as planned.

        Workers of a `DataLoader` that live on see it too. Raises `DatasetError` for what is no number from 0 on.
        """
        refuse_second_dealing(sys._getframe(1), self._ranks)
        self._steps.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        """Where this stream is: `epoch`, `step` and `samples` done in it, and of what order. Small, and of plain types.

        It loads into a stream of the same data and options with any number of workers and ranks. (In the workers of a
        `StatefulDataLoader` made by hand, it is the worker's own and loads into as many.)
        """
        return self._steps.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`. Raises `DatasetError` for one of other data or of another order."""
        self._steps.load_state_dict(state)


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


def _weights(root: Mapping[str, float]) -> list[float]:
    """Of a mixture, as plain Python numbers, which a state can hold."""
    try:
        weights = [float(weight) for weight in root.values()]
    except (TypeError, ValueError) as error:
        raise DatasetError(f"weights {list(root.values())} are not one number above 0 a dataset") from error
    return weights


def _cut(batch_size: int, lanes: int, drop_last: bool, length: int, world: int) -> Cut:
    """An epoch as it is cut for a number of ranks; `batch_size` is of one."""
    return Cut(length=length, batch=batch_size * world, world=world, lanes=lanes, drop_last=drop_last)


def _digest(datasets: Sequence[OpenedDataset], split: str) -> str:
    digest = hashlib.sha256()
    for dataset in datasets:
        digest.update(split_text(dataset.manifest.fingerprint, dataset.manifest.block, dataset.shards(split)))
    return digest.hexdigest()[:16]
