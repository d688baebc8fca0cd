"""Datasets of Hugging Face as sources: from `save_to_disk`, or the objects themselves; nothing is decoded."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SampleError, SourceError
from walloc_data.sources.listing import split_places
from walloc_data.sources.packed import Texts
from walloc_data.sources.source import Raw, Source
from walloc_data.sources.split_names import SPLITS
from walloc_data.sources.table_keys import keys_if_distinct, keys_of
from walloc_data.sources.table_labels import NamedLabels
from walloc_data.sources.table_rows import Columns, columns_of, joined_classes, raw_of

__all__ = ["HuggingFace", "is_hugging_face", "is_saved", "open_hugging_face", "open_saved"]

_ENDLESS = (
    "a dataset that is streamed has no length, and its samples no numbers: load it without streaming=True; or keep "
    "what you want of it: "
    "datasets.Dataset.from_generator(lambda: iter(stream.take(10_000)), features=stream.features)"
)


@dataclass(frozen=True)
class HuggingFace:
    """A `Split` of the rows of a `datasets.Dataset` that gives Arrow tables.

    Files that its rows name are read relative to `folder`. Without `keys`, a key is the split and the row's number;
    `labels` take the place of names in column `label`.
    """

    split: str
    dataset: Any
    columns: Columns
    fingerprint: str
    folder: str
    keys: Texts | None = None
    labels: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Raw:
        where = f"{self.split}, row {index + 1}"
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        try:
            table = self.dataset[index]
        except OSError as error:
            raise SourceError(f"{where}: cannot be read ({error}): see that the dataset's files are there") from error
        except ValueError as error:  # of pyarrow
            raise SampleError(f"{where}: is damaged ({error})") from error
        raw = raw_of(table, 0, self.columns, where, folder=self.folder, anywhere=True)
        if self.labels is not None:
            raw.fields["label"] = int(self.labels[index])
        return raw

    def key(self, index: int) -> str:
        """What the column of keys says; without one, the split and the number of the row."""
        return f"{self.split}/{index:08d}" if self.keys is None else str(self.keys[index])

    def stamp(self, index: int) -> str:
        """Nothing: the fingerprint of the dataset, in `digest`, says of all samples when they change."""
        return ""

    def digest(self) -> str:
        """Of the dataset's fingerprint, and of the keys."""
        digest = hashlib.sha256(self.fingerprint.encode())
        for content in self.keys.content() if self.keys is not None else ():
            digest.update(content)
        return digest.hexdigest()


def is_saved(folder: Path) -> bool:
    """Whether `save_to_disk` wrote a folder."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def is_hugging_face(value: Any) -> bool:
    """Whether an object is a dataset of Hugging Face; its package is not imported to tell."""
    return any(cls.__module__.partition(".")[0] == "datasets" for cls in type(value).__mro__)


def open_saved(folder: Path, *, suffixes: frozenset[str], data: str | None = None) -> Source:
    """What `save_to_disk` wrote. Raises `SourceError` where it cannot be read."""
    try:
        import datasets
    except ImportError as error:
        raise SourceError(
            f"{folder}: datasets of Hugging Face are read with their package, which is not here: "
            "pip install 'walloc-data[tables]'"
        ) from error
    try:
        found = datasets.load_from_disk(str(folder))
    except (OSError, ValueError, KeyError) as error:
        raise SourceError(f"{folder}: the dataset that was saved there cannot be read ({error})") from error
    return open_hugging_face(found, str(folder.resolve()), suffixes=suffixes, data=data)


def open_hugging_face(
    dataset: Any, name: str = "a dataset of Hugging Face", *, suffixes: frozenset[str], data: str | None = None
) -> Source:
    """The rows of a `datasets.Dataset`, or of each split of a `DatasetDict`; in any format, they are read undecoded.
    A column `split` of texts becomes the splits of one that has no others.

    Raises `SourceError` for a dataset that is streamed, and where no column, or no telling which, is of data.
    """
    given = dataset if isinstance(dataset, Mapping) else {_split(dataset): dataset}
    if not all(hasattr(one, "with_format") and hasattr(one, "__len__") for one in given.values()):
        raise SourceError(_ENDLESS)
    given = _parted(given, name)
    order = {split: place for place, split in enumerate(SPLITS)}
    splits: dict[str, HuggingFace] = {}
    for split in sorted(given, key=lambda split: (order.get(split, len(order)), split)):
        if not len(given[split]):
            continue
        table = given[split].with_format("arrow")
        columns = columns_of(table[:1].schema, f"{name}, {split}", suffixes=suffixes, data=data)
        splits[str(split)] = HuggingFace(str(split), table, columns, given[split]._fingerprint, os.getcwd())
    if not splits:
        raise SourceError(f"{name} holds no rows")
    classes = joined_classes({f"{name}, {split}": found.columns for split, found in splits.items()})
    named = any(found.columns.key for found in splits.values())
    keys, notes = keys_if_distinct({split: [_keys(splits[split])] for split in splits}) if named else ({}, [])
    names = NamedLabels()
    for split, found in splits.items():
        if all(one.columns.named for one in splits.values()):
            names.add(split, _column(found, "label"))
    labels, of_labels = names.numbered()
    whole = {split: replace(found, keys=keys.get(split), labels=labels.get(split)) for split, found in splits.items()}
    return Source(name, whole, classes | ({"label": of_labels} if of_labels else {}), notes)


def _split(dataset: Any) -> str:
    split = str(getattr(dataset, "split", None) or "train")
    return split if re.fullmatch(r"[A-Za-z0-9_-]+", split) else "train"


def _parted(given: Mapping[Any, Any], name: str) -> Mapping[Any, Any]:
    """What is of one split, by its column `split`, which then goes."""
    [one, *others] = given.values() or [None]
    if (
        others
        or one is None
        or getattr((one.features or {}).get("split"), "dtype", "") not in ("string", "large_string")
    ):
        return given
    values = [
        value
        for part in one.with_format("arrow").select_columns(["split"])[:].column(0).chunks
        for value in part.to_pylist()
    ]
    rest = one.remove_columns("split")
    return {split: rest.select(rows) for split, rows in split_places(values, name).items()}


def _keys(split: HuggingFace) -> Texts | None:
    key = split.columns.key
    return None if key is None else keys_of(_column(split, key))


def _column(split: HuggingFace, name: str) -> list[Any]:
    return list(split.dataset.select_columns([name])[:].column(0).chunks)
