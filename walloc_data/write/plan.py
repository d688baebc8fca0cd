"""The plan of a dataset: which sample goes to which shard and record, before any is read."""

import hashlib
import heapq
import json
import random
import re
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from walloc_data.codec import Codec
from walloc_data.errors import DatasetError, SourceError
from walloc_data.numbers import whole_number
from walloc_data.signals import Reader, Viewing
from walloc_data.sources import Source, Split
from walloc_data.write.rows import text

__all__ = [
    "MEASURED",
    "Options",
    "Plan",
    "ShardTask",
    "check_keys",
    "check_splits",
    "coder_sample",
    "cut_shards",
    "describe",
    "identity",
    "measured_keys",
    "plan_shards",
    "shard_samples",
]

MEASURED = ("bytes", "psnr")  # figures of samples
_SPLIT = re.compile(r'[^\x00-\x1f\x7f/\\:*?"<>|\ud800-\udfff.][^\x00-\x1f\x7f/\\:*?"<>|\ud800-\udfff]*')
_LONGEST_SPLIT = 200  # bytes
_ALWAYS = ("coder", "layout", "block", "shard_samples", "shuffle", "seed", "limit")
_SHARD_SAMPLES = (256, 8192)  # of a shard, where none are asked for: fewest and most
_SHARDS_WANTED = 16  # of a split, within those bounds, so that small datasets too can be spread over workers
_MEASURED = 128  # samples that are decoded and compared
_MEASURED_DEEPLY, _DEEP = 4, 10_000_000  # the same by a decoder of more numbers than the second
_CODER_SAMPLES = (32, 512)  # what a coder is fitted to: fewest and most, a tenth of the dataset between them


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a dataset is written; every one of these changes its bytes, and nothing else does.

    `block` samples a record, `shard_samples` samples a shard (None: by the size of the split),
    `shuffle` with `seed` or not, `layout` `"records"` or `"samples"`, `limit` samples of each split at most,
    `columns` the fields of the source that are kept (None: all). `measure` figures that become columns of their own:
    `"bytes"` of each sample's payload, and its `"psnr"` in dB, for which every sample is decoded. Of `views`, random
    crops of each sample that `seed` and its key choose, a reader shows another one each epoch (images alone).
    """

    coder: str = "rans"
    layout: str = "records"
    block: int = 64
    shard_samples: int | None = None
    shuffle: bool = True
    seed: int = 0
    limit: int | None = None
    columns: tuple[str, ...] | None = None
    measure: tuple[str, ...] = ()
    views: int = 1

    def __post_init__(self) -> None:
        if self.layout not in ("records", "samples"):
            raise DatasetError(f"layout {self.layout!r} is not 'records' or 'samples'")
        for name, least in (("block", 1), ("shard_samples", 1), ("limit", 1), ("views", 1), ("seed", None)):
            value = getattr(self, name)
            if value is not None or name in (
                "block",
                "views",
                "seed",
            ):  # as plain numbers, for they go into the manifest
                object.__setattr__(self, name, whole_number(name, value, least=least))
        if self.block > 4096:
            raise DatasetError(f"block={self.block} is not in 1 to 4096 samples a record")
        if self.views > 256:
            raise DatasetError(f"views={self.views} is not in 1 to 256 views of a sample")
        if isinstance(self.columns, str):
            raise DatasetError(f"columns are several: columns=({self.columns!r},)")
        if self.columns is not None:
            if not isinstance(self.columns, Iterable):
                raise DatasetError(
                    f"columns are names of fields, ('label', 'caption'), or None for all, not {self.columns!r}"
                )
            object.__setattr__(self, "columns", tuple(self.columns))
        if not set(self.measure) <= set(MEASURED) or isinstance(self.measure, str):
            raise DatasetError(f"measure={self.measure!r} is not some of {MEASURED}")
        object.__setattr__(self, "measure", tuple(name for name in MEASURED if name in self.measure))

    def config(self) -> dict[str, Any]:
        """The options, for the manifest; what came after version 0.1 only where it differs from its default."""
        options = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: value for name, (value, default) in options.items() if name in _ALWAYS or value != default}


@dataclass(frozen=True)
class ShardTask:
    """One shard to write: its split, name, and samples by their numbers in the split, in order."""

    split: str
    name: str
    indices: Sequence[int]

    def __len__(self) -> int:
        return len(self.indices)


def plan_shards(lengths: Mapping[str, int], options: Options) -> list[ShardTask]:
    """All shards of a dataset, in order: each split, of so many samples, shuffled by seed, then cut."""
    return [task for split, length in lengths.items() for task in cut_shards(split, range(length), options)]


def cut_shards(split: str, samples: Iterable[int], options: Options, first: int = 0) -> Iterator[ShardTask]:
    """The shards of some samples of a split: shuffled by seed, then cut, and numbered from `first`."""
    indices = array("q", samples)  # a list takes five times the memory
    if options.shuffle:
        random.Random(f"{options.seed}/{split}").shuffle(indices)
    chosen = indices[: options.limit]
    size = options.shard_samples or shard_samples(len(chosen), options.block)
    for number, start in enumerate(range(0, len(chosen), size), first):
        yield ShardTask(split, f"{split}-{number:05d}", chosen[start : start + size])


@dataclass(frozen=True)
class Plan:
    """What is asked for: a source, read and encoded so, cut into `tasks`, a shard each."""

    source: Source
    reader: Reader
    codec: Codec
    options: Options
    tasks: list[ShardTask]

    @classmethod
    def of(cls, source: Source, reader: Reader, codec: Codec, options: Options) -> "Plan":
        """The plan of a source. Raises `SourceError` where two samples have one key, or no file can be called as a
        split is."""
        check_splits(source)
        check_keys(source)
        if options.views > 1 and (not isinstance(reader, Viewing) or getattr(reader, "size", None) is None):
            raise DatasetError(
                f"views={options.views}: views are crops of images, brought to one size; codec {codec.name!r} is for "
                f"{reader.kind}" + (", and no size is given (--read size=256)" if reader.kind == "image" else "")
            )
        tasks = plan_shards({name: len(split) for name, split in source.splits.items()}, options)
        return cls(source, reader, codec, options, tasks)

    @cached_property
    def identity(self) -> str:
        """See `identity`."""
        return identity(self.source, self.reader, self.codec.fingerprint, self.options)

    def split_of(self, task: ShardTask) -> Split:
        """The split that a shard is of."""
        return self.source.splits[task.split]


def check_splits(source: Source) -> None:
    """Raise `SourceError` for the name of a split that cannot begin the names of its shards, in OUT and on any system:
    all else that a source says stays within files."""
    for name in source.splits:
        if not isinstance(name, str) or not _SPLIT.fullmatch(name) or len(name.encode()) > _LONGEST_SPLIT:
            raise SourceError(
                f"no file can be called as the split {str(name)[:80]!r} is: give it a name without any of "
                '/ \\ : * ? " < > |, that begins with no dot, such as train'
            )


def check_keys(source: Source) -> None:
    """Raise `SourceError` where two samples have one key, which could not be told apart by it."""
    keys = (split.key(index) for split in source.splits.values() for index in range(len(split)))
    hashes = np.sort(np.fromiter(map(hash, keys), np.int64))  # a set of all keys would take more memory than the rest
    if not (hashes[1:] == hashes[:-1]).any():
        return
    seen: set[str] = set()
    for name, split in source.splits.items():
        for index in range(len(split)):
            key = split.key(index)
            if key in seen:
                raise SourceError(
                    f"{source.name}: two samples are called {key!r} (the second in {name}): give each a name of its own"
                )
            seen.add(key)


def coder_sample(tasks: Sequence[ShardTask]) -> tuple[int, Iterator[tuple[str, int]]]:
    """How many samples the coder's tables are fitted to, and all samples, by split and number, in the order in which
    they are taken: evenly from all shards, and then, as long as some cannot be read, the others."""
    total = sum(map(len, tasks))
    fewest, most = _CODER_SAMPLES
    count = min(total, most, max(fewest, total // 10))
    ends = np.cumsum([len(task) for task in tasks])
    even = np.arange(count) * total // max(1, count)
    others = np.setdiff1d(np.arange(total), even)

    def sample(number: int) -> tuple[str, int]:
        place = int(np.searchsorted(ends, number, side="right"))
        task = tasks[place]
        return task.split, task.indices[number - int(ends[place])]

    return count, map(sample, chain(even.tolist(), others.tolist()))


def measured_keys(plan: Plan) -> frozenset[str]:
    """Keys of the samples that are decoded and compared: as good as random, and the same however shards are cut.

    A deep decoder is given few, or they would take longer than all the rest.
    """
    count = _MEASURED_DEEPLY if plan.codec.network.parameters > _DEEP else _MEASURED
    keys = (plan.split_of(task).key(index) for task in plan.tasks for index in task.indices)
    first = heapq.nsmallest(count, keys, key=lambda key: zlib.crc32(key.encode("utf-8", "surrogateescape")))
    return frozenset(map(text, first))


def identity(source: Source, reader: Reader, fingerprint: str, options: Options) -> str:
    """16 hex digits that two runs share exactly if they write the same bytes from the same samples.

    `fingerprint` is the codec's. Options count only where they differ from their defaults.
    """
    content = [reader.kind, reader.config(), options.config(), fingerprint, source.classes, source.digest()]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def describe(reader: Reader, options: Options) -> dict[str, Any]:
    """The options of reading and writing, for the manifest."""
    return {"read": reader.config(), "write": options.config()}


def shard_samples(samples: int, block: int) -> int:
    """Samples of a shard of a split of so many, where none are asked for."""
    fewest, most = _SHARD_SAMPLES
    size = min(most, max(fewest, -(-samples // _SHARDS_WANTED)))
    return -(-size // block) * block
