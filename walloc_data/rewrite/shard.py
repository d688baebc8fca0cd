"""One shard of samples that are stored already: read and checked, made coarser if asked, coded and packed anew."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy import Coder
from walloc_data.format import Column
from walloc_data.read.reader import SplitReader
from walloc_data.read.records import OpenedRecord
from walloc_data.write.classes import renumbered
from walloc_data.write.encode_shard import ShardReport, empty_report, pack_shard
from walloc_data.write.plan import ShardTask

__all__ = ["Recoding", "Stored", "coarser", "rewrite_shard"]

_AT_ONCE, _LATENTS = 64, 1 << 22  # samples, or as many as have so many latents, that are decoded together


@dataclass(frozen=True)
class Stored:
    """A split of one dataset or several, by sample. `renumbered` says of each dataset, by columns that hold the numbers
    of classes, what each number is now."""

    reader: SplitReader
    renumbered: Sequence[Mapping[str, Sequence[int]]]

    def samples(self, numbers: Sequence[int]) -> Iterator[tuple[NDArray[np.int8], dict[str, Any]]]:
        """Latents int8 `[c, *space]`, held against their CRC, and rows with every column as it is stored; of a sample
        with several views all of them.

        Raises an error that names shard, record and sample where something is damaged.
        """
        done, most, views = 0, 1, np.arange(self.reader.views)
        while done < len(numbers):
            some = np.asarray(numbers[done : (done // most + 1) * most], np.int64)  # by whole records, where it can be
            entries = (some[:, None] * len(views) + views).ravel()
            latents = self.reader.read(entries, ()).latents
            yield from zip(latents, self._rows(self.reader.places.stored(entries)), strict=True)
            done += len(some)
            most = max(1, min(_AT_ONCE, _LATENTS // max(1, *(one.size for one in latents))))

    def _rows(self, stored: NDArray[np.int64]) -> list[dict[str, Any]]:
        rows: dict[int, dict[str, Any]] = {}
        for group in self.reader.places.groups(stored):
            columns = self.reader.records.reading(group.shard, group.number, _all_columns)
            now = self.renumbered[self.reader.places.at(group.shard)[0]]
            for place, slot in zip(group.places.tolist(), group.slots.tolist(), strict=True):
                rows[place] = renumbered({name: column[slot] for name, column in columns.items()}, now)
        return [rows[place] for place in range(len(stored))]


@dataclass(frozen=True)
class Recoding:
    """What all tasks of a run share: samples by split, and how they are stored from now on.

    Of their latents the first `channels` are kept, `times` as coarse; the columns `without` are not. `sizes` as in
    `pack_shard`. `stamps` are `ShardInfo.source` by the names of shards that hold what others held before.
    """

    splits: Mapping[str, Stored]
    coder: Coder
    fingerprint: str
    layout: str
    block: int
    views: int
    channels: int
    times: float
    without: frozenset[str]
    sizes: bool
    stamps: Mapping[str, str]


def rewrite_shard(job: Recoding, out: Path, task: ShardTask, tick: Callable[[int], None]) -> ShardReport:
    """Write one shard in a folder and say what became of it; `tick` is told of samples as they are done.

    Raises an error that names shard, record and sample of what is damaged, and `DatasetError` where the shard cannot
    be written.
    """
    report = empty_report(task)

    def samples() -> Iterator[tuple[NDArray[np.int8], dict[str, Any]]]:
        for done, (latents, row) in enumerate(job.splits[task.split].samples(task.indices), 1):
            kept = {name: value for name, value in row.items() if name not in job.without}
            yield coarser(latents[: job.channels], job.times), kept
            if done % job.views == 0:
                tick(1)

    pack_shard(
        report,
        out,
        samples(),
        coder=job.coder,
        fingerprint=job.fingerprint,
        layout=job.layout,
        block=job.block,
        views=job.views,
        sizes=job.sizes,
    )
    report.shard = replace(report.shard, source=job.stamps.get(task.name, ""))
    return report


def coarser(latents: NDArray[np.int8], times: float) -> NDArray[np.int8]:
    """Latents of steps `times` as large: divided, and rounded to even."""
    return latents if times == 1 else np.rint(latents / times).astype(np.int8)


def _all_columns(opened: OpenedRecord) -> dict[str, Column]:
    """As they are stored, labels too."""
    return opened.record.columns(opened.buffer, where=opened.where)
