"""What the columns of a listing say of its samples: their splits, their classes, and that a key is of one alone."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SourceError
from walloc_data.sources.files import Files
from walloc_data.sources.packed import Packed, some, whole
from walloc_data.sources.source import Source
from walloc_data.sources.split_names import SPLITS

__all__ = ["classified", "distinct", "numbered_classes", "parted", "repeated", "split_places"]


def classified(source: Source) -> Source:
    """A source of files whose field `label` holds names, with places in the sorted list of them instead."""
    splits = {name: split for name, split in source.splits.items() if isinstance(split, Files)}
    if not all("label" in split.fields for split in splits.values()):
        return source
    found = numbered_classes({name: split.fields["label"] for name, split in splits.items()})
    if found is None:
        return source
    labels, classes = found
    kept = {name: replace(split, fields={**split.fields, "label": labels[name]}) for name, split in splits.items()}
    return replace(source, splits=kept, classes={**source.classes, "label": classes})


def numbered_classes(labels: Mapping[str, Packed]) -> tuple[dict[str, NDArray[np.int32]], list[str]] | None:
    """Labels by split that are names, as places in the sorted list of all names, and that list; -1 where one is None or
    empty.

    None where there are no names: labels that are numbers stay as they are.
    """
    labels, names = {split: _said(values) for split, values in labels.items()}, set[str]()
    for values in labels.values():
        if not isinstance(values, np.ndarray):
            found = set(map(type, values))
            if not found <= {str, type(None)}:
                return None
            names.update(value for value in values if value)
    if not names or any(isinstance(values, np.ndarray) and len(values) for values in labels.values()):
        return None
    classes = sorted(names)
    places = {name: place for place, name in enumerate(classes)} | {None: -1, "": -1}
    return {
        split: np.fromiter((places[value] for value in values), np.int32, len(values))
        for split, values in labels.items()
    }, list(map(whole, classes))


def _said(values: Packed) -> Packed:
    """Labels with None for NaN among names, which is how pandas has a missing one."""
    if not isinstance(values, list) or not {str, float} <= set(map(type, values)):
        return values
    return [None if value != value else value for value in values]


def parted(files: Files, where: str, *, unsaid: str | None = None) -> dict[str, Files]:
    """Files by their field `split`, which they then have no more; `unsaid` is the split of those without a value.

    Fields are taken out of `files` one by one, or all of them would be in memory twice.
    """
    fields = dict(files.fields)
    places = split_places((value or unsaid for value in fields.pop("split")), where)
    if isinstance(files.fields, dict):
        files.fields.clear()
    chosen: dict[str, dict[str, Packed]] = {split: {} for split in places}
    for name in list(fields):
        values = fields.pop(name)
        for split, rows in places.items():
            chosen[split][name] = some(values, rows)
    return {
        split: replace(
            files,
            names=some(files.names, rows),
            fields=chosen[split],
            keys=None if files.keys is None else some(files.keys, rows),
        )
        for split, rows in places.items()
    }


def split_places(values: Iterable[Any], where: str) -> dict[str, Sequence[int]]:
    """The places of each split that a column names, splits in the usual order.

    Raises `SourceError` for what cannot name one.
    """
    found: dict[Any, array[int]] = {}
    for place, value in enumerate(values):
        if value not in found:
            found[value] = array("q")
        found[value].append(place)
    for name, rows in found.items():
        if type(name) is not str or not name.replace("_", "").replace("-", "").isalnum() or not name.isascii():
            raise SourceError(
                f"{where}: the split of row {rows[0] + 1} is {name!r}: a split is named by letters, digits, _ "
                "and - in column 'split'"
            )
    order = {name: rank for rank, name in enumerate(SPLITS)}
    names = sorted(found, key=lambda name: (order.get(name, len(order)), name))
    return {name: found[name] for name in names}


def repeated(keys: Sequence[str]) -> list[int]:
    """The places of keys that came before."""
    hashes = np.fromiter(map(hash, keys), np.int64, len(keys))  # a set of all keys would take more memory than they do
    order = np.sort(hashes)
    twice = order[1:][order[1:] == order[:-1]]
    if not len(twice):
        return []
    seen: set[str] = set()
    again = []
    for place in np.flatnonzero(np.isin(hashes, twice)).tolist():
        key = keys[place]
        if key in seen:
            again.append(place)
        seen.add(key)
    return again


def distinct(keys: Sequence[str], again: Sequence[int]) -> list[str]:
    """The same keys, with `#2`, `#3` and so on behind those that came before (`repeated`)."""
    renamed, taken, counts = list(keys), set(keys), dict[str, int]()
    for place in again:
        key = keys[place]
        number = counts.get(key, 1) + 1
        while f"{key}#{number}" in taken:
            number += 1
        counts[key], renamed[place] = number, f"{key}#{number}"
        taken.add(renamed[place])
    return renamed
