"""What is counted of a dataset from the headers and columns of its records, and what is wrong with any of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import FormatError, MissingError, WallocError
from walloc_data.format import MANIFEST_FILE
from walloc_data.read.opened import OpenedDataset
from walloc_data.read.reader import SplitReader
from walloc_data.read.records import OpenedRecord
from walloc_data.read.samples import as_list
from walloc_data.report.kinds import evenly

__all__ = ["Scan", "is_damage", "scan_records"]

_MOST_RECORDS = 4096  # that are opened


@dataclass
class Scan:
    """Of `samples` in `records` that were opened: bytes of each payload, samples by value of each column of classes,
    and what is `damaged`: shard by shard, what was said of it. `whole` says whether all records were."""

    samples: int = 0
    records: int = 0
    payloads: list[NDArray[np.float64]] = field(default_factory=list)
    classes: dict[str, Counter[Any]] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)
    whole: bool = True

    @property
    def bytes(self) -> NDArray[np.float64]:
        """Bytes of payload a sample, `[samples]`."""
        return np.concatenate(self.payloads) if self.payloads else np.zeros(0)


def is_damage(opened: OpenedDataset, error: WallocError) -> bool:
    """Whether an error is of the data, not of a network that may answer the next time."""
    local = opened.storage.path(MANIFEST_FILE) is not None
    return local or isinstance(error, FormatError | MissingError)


def scan_records(opened: OpenedDataset, drawn: Mapping[str, Sequence[int]]) -> Scan:
    """Open the records of a dataset here, all of them or 4,096 evenly from all; of a remote one those that hold the
    samples `drawn`, by split. Raises `DatasetError` where they cannot be reached."""
    found = Scan(classes={name: Counter() for name in opened.manifest.classes})
    local, views = opened.storage.path(MANIFEST_FILE) is not None, opened.manifest.views
    total = sum(shard.records for shards in opened.manifest.splits.values() for shard in shards)

    def use(one: OpenedRecord) -> tuple[int, NDArray[np.float64], dict[str, list[Any]]]:
        sizes = one.record.segments[:, 1].astype(np.float64)
        view = one.column("view") if views > 1 else None
        if view is not None and view[0] != 0:
            return 0, sizes, {}  # samples that are counted in the record of their first views
        values = {name: as_list(column) for name in found.classes if (column := one.column(name)) is not None}
        return len(one.record), sizes, values

    for split in opened.manifest.splits:
        reader = SplitReader([opened], split)
        try:
            if local:
                here = sum(shard.records for shard in opened.manifest.splits[split])
                wanted = set(evenly(max(1, here * min(total, _MOST_RECORDS) // max(1, total)), here))
                places = [place for number, place in enumerate(reader.places.records()) if number in wanted]
            else:
                numbers = reader.places.stored(np.array(drawn.get(split, ()), np.int64) * views)
                places = (
                    [(group.shard, group.number) for group in reader.places.groups(numbers)] if len(numbers) else []
                )
        except WallocError as error:  # an index that is needed to know where records are
            if not is_damage(opened, error):
                raise
            found.damaged.append(str(error))
            found.whole = False
            continue
        for place in places:
            try:
                samples, sizes, values = reader.records.reading(*place, use)
            except WallocError as error:
                if not is_damage(opened, error):
                    raise
                found.damaged.append(str(error))
                continue
            found.samples, found.records = found.samples + samples, found.records + 1
            found.payloads.append(sizes)
            for name, each in values.items():
                found.classes[name].update(value for value in each if isinstance(value, int))
    found.damaged = list(dict.fromkeys(found.damaged))
    found.whole = found.whole and found.samples == opened.manifest.summary.samples
    return found
