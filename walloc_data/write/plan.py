"""The plan of a dataset: which sample goes to which shard and record, before any is read."""

import hashlib
import heapq
import json
import random
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from walloc_data.errors import DatasetError
from walloc_data.sources import ImageFolder, ImageReader, Item

__all__ = ["Options", "ShardTask", "coder_sample", "describe", "identity", "measured_keys", "plan_shards"]

_SHARD_SAMPLES = (256, 8192)  # of a shard, where none are asked for: fewest and most
_SHARDS_WANTED = 16  # of a split, within those bounds, so that small datasets too can be spread over workers
_MEASURED = 128  # samples that are decoded and compared
_CODER_SAMPLES = (32, 512)  # what a coder is fitted to: fewest and most, a tenth of the dataset between them


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a dataset is written; every one of these changes its bytes, and nothing else does.

    `block` samples a record, `shard_samples` samples a shard (None: by the size of the split),
    `shuffle` with `seed` or not, `layout` `"records"` or `"samples"`, `limit` samples of each split at most.
    """

    coder: str = "rans"
    layout: str = "records"
    block: int = 64
    shard_samples: int | None = None
    shuffle: bool = True
    seed: int = 0
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.layout not in ("records", "samples"):
            raise DatasetError(f"layout {self.layout!r} is not 'records' or 'samples'")
        if not 1 <= self.block <= 4096:
            raise DatasetError(f"block={self.block} is not in 1 to 4096 samples a record")
        if any(n is not None and n < 1 for n in (self.shard_samples, self.limit)):
            raise DatasetError("shard_samples and limit are whole numbers from 1 on")


@dataclass(frozen=True)
class ShardTask:
    """One shard to write: its split, name and samples, in order."""

    split: str
    name: str
    items: list[Item]


def plan_shards(source: ImageFolder, options: Options) -> list[ShardTask]:
    """All shards of a dataset, in order: each split shuffled by seed, then cut."""
    tasks = []
    for split, listed in source.splits.items():
        items = list(listed)
        if options.shuffle:
            random.Random(f"{options.seed}/{split}").shuffle(items)
        items = items[: options.limit]
        size = options.shard_samples or _shard_samples(len(items), options.block)
        for number, start in enumerate(range(0, len(items), size)):
            tasks.append(ShardTask(split, f"{split}-{number:05d}", items[start : start + size]))
    return tasks


def coder_sample(tasks: Sequence[ShardTask]) -> list[Item]:
    """The samples that the coder's tables are fitted to, evenly from the first split."""
    items = [item for task in tasks if task.split == tasks[0].split for item in task.items]
    fewest, most = _CODER_SAMPLES
    count = min(len(items), most, max(fewest, len(items) // 10))
    return [items[index * len(items) // count] for index in range(count)]


def measured_keys(tasks: Sequence[ShardTask]) -> frozenset[str]:
    """Keys of the samples that are decoded and compared: as good as random, and the same however shards are cut."""
    keys = (item.key for task in tasks for item in task.items)
    return frozenset(
        heapq.nsmallest(_MEASURED, keys, key=lambda key: zlib.crc32(key.encode("utf-8", "surrogateescape")))
    )


def identity(
    tasks: Sequence[ShardTask], classes: list[str] | None, reader: ImageReader, fingerprint: str, options: Options
) -> str:
    """16 hex digits that two runs share exactly if they write the same bytes from the same files."""
    digest = hashlib.sha256(json.dumps([describe(reader, options), fingerprint, classes], sort_keys=True).encode())
    for task in tasks:
        for item in task.items:
            digest.update(f"{task.name}\0{item.key}\0{item.label}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def describe(reader: ImageReader, options: Options) -> dict[str, Any]:
    """The options of reading and writing, for the manifest."""
    return {"read": asdict(reader), "write": asdict(options)}


def _shard_samples(samples: int, block: int) -> int:
    fewest, most = _SHARD_SAMPLES
    size = min(most, max(fewest, -(-samples // _SHARDS_WANTED)))
    return -(-size // block) * block
