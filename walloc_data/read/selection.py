"""Which samples of a split a filter keeps, found on their columns alone."""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import DatasetError, WallocError
from walloc_data.read.opened import OpenedDataset
from walloc_data.read.records import OpenedRecord, Records, label_column
from walloc_data.read.samples import as_list
from walloc_data.read.where import Fields, Where, parse_where

__all__ = ["Selection", "select"]

_LOG = logging.getLogger("walloc_data")
_SEVERAL = (list, tuple, set, frozenset)


@dataclass(frozen=True)
class Selection:
    """The samples that are kept, in order: int64 numbers, and how many of each run of records (of those with any), by
    dataset. `digest` tells one selection from another.
    """

    numbers: NDArray[np.int64]
    runs: list[NDArray[np.int64]]
    digest: str


def select(
    records: Records,
    where: str | Callable[[Fields], Any],
    datasets: Sequence[OpenedDataset],
    *,
    skip: bool = False,
    none: bool = False,
) -> Selection:
    """The samples of which `where` holds, of the records of some datasets; where they have views, of every view.

    Reads the header and the columns of every record once: of large remote ones by two small requests each, many at a
    time, which the disk cache keeps. With `skip`, records whose columns are damaged are left out. Raises `DatasetError`
    where no record has a column of that name, a class is called by its name, or nothing is kept of a dataset, unless
    `none` of it may be.
    """
    wanted, there = parse_where(where), {"label"}
    for dataset in datasets:
        _refuse_names(wanted, dataset.manifest.classes)
    masks: list[NDArray[np.bool_]] = []
    for (shard, number), (_, found) in zip(
        records.places.records(), records.scan(lambda opened: _judged(opened, wanted)), strict=True
    ):
        if isinstance(found, WallocError):
            if not skip or not records.is_damage(shard, found):
                raise found
            _LOG.warning("left out, since nothing can be said of its samples: %s", found)
            masks.append(np.zeros(records.places.samples(shard, number), bool))
        else:
            masks.append(found[0])
            there |= found[1]
    missing = (wanted.names or set()) - there
    if missing:
        there.update(records.reading(*next(records.places.records()), OpenedRecord.columns))
        raise DatasetError(
            f"where={wanted.said!r}: no column {', '.join(sorted(missing))}: there are {', '.join(sorted(there))}"
        )
    mask = np.concatenate(masks)
    if records.places.views > 1:  # of a sample that is kept, every view is given
        entries = mask[records.places.stored(np.arange(len(mask)))].reshape(-1, records.places.views)
        mask = np.asarray(entries.all(1))
    numbers = np.flatnonzero(mask)
    runs = records.runs(numbers)
    for dataset, kept in zip(datasets, runs, strict=True):
        if not len(kept) and not none:
            whole = f"the {len(mask)} samples" if len(datasets) == 1 else f"the samples of {dataset.storage.url}"
            raise DatasetError(f"where={wanted.said!r} keeps none of {whole}")
    return Selection(numbers, runs, hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()[:16])


def _refuse_names(wanted: Where, classes: Mapping[str, list[str]]) -> None:
    """Raise `DatasetError` where a column of labels, which are numbers, is compared with the name of a class."""
    for column, constants in (wanted.compared or {}).items():
        for constant in constants if column in classes else ():
            texts = [text for text in (constant if isinstance(constant, _SEVERAL) else [constant]) if type(text) is str]
            if texts:
                text, names = texts[0], classes[column]
                what = f"{text!r} is {names.index(text)}" if text in names else f"no class is called {text!r}"
                number = names.index(text) if text in names else "its number"
                raise DatasetError(
                    f"where={wanted.said!r}: {column!r} holds the numbers of classes, and {what}: compare it with "
                    f"{number} (`classes` has their names in order)"
                )


def _judged(opened: OpenedRecord, wanted: Where) -> tuple[NDArray[np.bool_], set[str]]:
    """Of which samples of a record it holds, and the names of its columns."""
    samples, found = len(opened.record), opened.columns(wanted.names)
    columns = {name: as_list(column) for name, column in found.items()}
    if wanted.names is None or "label" in wanted.names:
        columns.setdefault("label", as_list(label_column(None, samples)))
    rows = zip(*columns.values(), strict=True) if columns else [()] * samples
    holds = [wanted(dict(zip(columns, row, strict=True))) for row in rows]
    return np.array(holds, bool), set(columns)
