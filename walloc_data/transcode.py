"""A dataset of another dataset, or of several: coded and cut otherwise, merged, filtered; the source is not needed."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import DatasetError
from walloc_data.numbers import whole_number
from walloc_data.read.opened import OpenedDataset, open_dataset
from walloc_data.read.reader import SplitReader
from walloc_data.read.records import Records
from walloc_data.read.selection import select
from walloc_data.rewrite import ChangeOptions, Changes, Rewriting, Rewritten, rewrite
from walloc_data.storage import StorageOptions
from walloc_data.write.classes import joined_classes

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["filter_dataset", "merge_datasets", "transcode_dataset"]


def transcode_dataset(
    root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    workers: int = 1,
    storage: StorageOptions | None = None,
    progress: bool = False,
    **changes: "Unpack[ChangeOptions]",
) -> Rewritten:
    """Store the dataset in a folder or at a URL otherwise, in the folder or at the URL `out`, without its source.

    Of the `changes`, `coder`, `layout`, `block` and `shard_samples` are as in `Options`, and stay as they are where
    they are not given; of the latents the first `channels` are kept, and their steps are `coarser` times as large (1.0;
    rounded once more). Run again after an interruption, it goes on where it stopped. `workers` processes share the
    shards.

    Raises `FormatError`, `CodecError` or `CoderError` for a dataset that is damaged, naming shard, record and sample,
    and `DatasetError` for one out of reach, for options that cannot be, and where `out` holds something else or cannot
    be written. What is finished stays.
    """
    stored = Changes(**changes)
    opened = open_dataset(root, storage)
    plan = Rewriting(verb="transcode", datasets=[opened], changes=stored, classes=opened.manifest.classes)
    return rewrite(plan, out, workers=whole_number("workers", workers, least=1), progress=progress)


def filter_dataset(
    root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    where: str | Callable[[Mapping[str, Any]], Any],
    *,
    workers: int = 1,
    storage: StorageOptions | None = None,
    progress: bool = False,
    **changes: "Unpack[ChangeOptions]",
) -> Rewritten:
    """Store the samples of a dataset of which `where` holds, as in `LatentDataset`; all else as `transcode_dataset`.

    Shards are cut anew. Splits of which nothing is kept are left out. Raises `DatasetError` where nothing is kept.
    """
    stored = Changes(**changes)
    opened = open_dataset(root, storage)
    kept: dict[str, NDArray[np.int64]] = {}
    for split in opened.manifest.splits:
        kept[split] = select(Records([opened], split), where, [opened], none=True).numbers
    if not any(map(len, kept.values())):
        raise DatasetError(f"where={where!r} keeps none of the samples of {opened.storage.url}")
    plan = Rewriting(
        verb="filter",
        datasets=[opened],
        changes=stored,
        options={"where": where if isinstance(where, str) else getattr(where, "__name__", "a function")},
        kept=kept,
        classes=opened.manifest.classes,
    )
    return rewrite(plan, out, workers=whole_number("workers", workers, least=1), progress=progress)


def merge_datasets(
    roots: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    workers: int = 1,
    storage: StorageOptions | None = None,
    progress: bool = False,
    **changes: "Unpack[ChangeOptions]",
) -> Rewritten:
    """Store the samples of several datasets of one codec in one; what is not given is as in the first of them.

    Splits of one name are joined, in the order of `roots`. Classes are mapped by name: those of the first keep their
    numbers. Columns that only some have are null in the others. All else is as in `transcode_dataset`.

    Raises `DatasetError` for datasets of other codecs, with samples of one key, or with classes in one alone.
    """
    stored = Changes(**changes)
    if not isinstance(roots, Sequence) or isinstance(roots, str) or len(roots) < 2:
        raise DatasetError(f"several datasets are merged, and these are not: {roots!r}")
    datasets = [open_dataset(root, storage) for root in roots]
    first = datasets[0]
    for other in datasets[1:]:
        if other.manifest.fingerprint != first.manifest.fingerprint:
            raise DatasetError(
                f"{other.storage.url} was made by codec {other.codec.name} ({other.manifest.fingerprint}), and "
                f"{first.storage.url} by {first.codec.name} ({first.manifest.fingerprint}): only latents of one codec "
                "go into one dataset"
            )
    _refuse_nameless_classes(datasets)
    _refuse_same_keys(datasets)
    plan = Rewriting(
        verb="merge",
        datasets=datasets,
        changes=stored,
        classes=joined_classes(one.manifest.classes for one in datasets),
        notes=_lacking_columns(datasets),
    )
    return rewrite(plan, out, workers=whole_number("workers", workers, least=1), progress=progress)


def _refuse_same_keys(datasets: Sequence[OpenedDataset]) -> None:
    """Raise `DatasetError` where two samples could not be told apart."""
    seen: dict[str, str] = {}
    for dataset in datasets:
        for split in dataset.manifest.splits:
            for key in SplitReader([dataset], split).column("key"):
                if key in seen:
                    raise DatasetError(
                        f"a sample of {dataset.storage.url} is called {key!r}, as one of {seen[key]} is: filter one of "
                        "them first, or give the files names of their own"
                    )
                seen[key] = dataset.storage.url


def _refuse_nameless_classes(datasets: Sequence[OpenedDataset]) -> None:
    """Raise `DatasetError` where numbers of classes would be mixed with others that have no names."""
    for column in dict.fromkeys(column for one in datasets for column in one.manifest.classes):
        for one in datasets:
            if column in one.manifest.columns and column not in one.manifest.classes:
                raise DatasetError(
                    f"{one.storage.url} has no names of the classes in {column!r}, which others have: they cannot be "
                    "mapped to one another"
                )


def _lacking_columns(datasets: Sequence[OpenedDataset]) -> list[str]:
    names = dict.fromkeys(name for one in datasets for name in one.manifest.columns)
    return [
        f"column {name!r} is not in {one.storage.url}: its samples have null there"
        for name in names
        for one in datasets
        if one.manifest.columns and name not in one.manifest.columns
    ]
