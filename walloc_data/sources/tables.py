"""Parquet files as sources: a row a sample, row groups read when they are wanted."""

import hashlib
import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SampleError, SourceError, WallocError
from walloc_data.sources.addresses import split_of
from walloc_data.sources.listing import split_places
from walloc_data.sources.lists import read_list
from walloc_data.sources.packed import Texts, some
from walloc_data.sources.places import Place
from walloc_data.sources.source import Raw, Source
from walloc_data.sources.split_names import SPLITS
from walloc_data.sources.table_keys import keys_if_distinct, keys_of
from walloc_data.sources.table_labels import NamedLabels
from walloc_data.sources.table_rows import Columns, columns_of, joined_classes, names_files, raw_of

__all__ = ["Parquet", "scan_parquet"]

_ROWS = 1 << 14  # of a column, read at once
_LARGE = 1 << 24  # bytes of a row group that are felt, where each sample costs one
_KEPT = 1 << 28  # bytes of row groups that a process keeps; one at least


def scan_parquet(places: Sequence[Place], name: str, *, suffixes: frozenset[str], data: str | None = None) -> Source:
    """The rows of parquet files, by what their footers say.

    Splits are those that are said of places, or else in the names of the files, or where these are one, in a column
    `split` of texts; columns mean what `columns_of` makes of them. Raises
    `SourceError` for what is no parquet file, or one that was cut short, and for files that lack the column of data.
    Tables without bytes whose rows name files are lists of these: see `read_list`.
    """
    lists = _lists(places, data)
    if lists:
        return read_list(lists, data=data)
    found: dict[str, list[_Listed]] = {}
    names = NamedLabels()
    first: _Listed | None = None
    for place in places:
        split = _split(place) or "train"
        listed = _listed(place, suffixes, first.columns.data if first else data, split, names)
        first = first or listed
        if listed.columns.named != first.columns.named:
            raise SourceError(f"{place.where}: column 'label' is of names here or in {first.place.where}, not in both")
        found.setdefault(split, []).append(listed)
    unsaid = [place.where for place in places if _split(place) is None]
    notes = []
    if 0 < len(unsaid) < len(places):
        notes.append(f"{len(unsaid):,} files whose names say no split are of train, such as {unsaid[0]}")
    in_order = [*(split for split in SPLITS if split in found), *(split for split in found if split not in SPLITS)]
    kept = {split: [one for one in found[split] if one.rows] for split in in_order}
    named = any(one.columns.key for listed in kept.values() for one in listed)
    keys, more = keys_if_distinct({split: [one.keys for one in kept[split]] for split in kept}) if named else ({}, [])
    notes += _note_on_groups([one for listed in kept.values() for one in listed])
    labels, of_labels = names.numbered()
    splits = {
        split: replace(Parquet.of(split, listed), keys=keys.get(split), labels=labels.get(split))
        for split, listed in kept.items()
        if listed
    }
    if first is None or not splits:
        raise SourceError(f"{name} holds no rows")
    if len(splits) == 1 and all(one.columns.parted for listed in kept.values() for one in listed):
        [whole] = splits.values()
        splits = whole.parted(name)
    classes = joined_classes({one.place.where: one.columns for listed in kept.values() for one in listed})
    return Source(name, splits, classes | ({"label": of_labels} if of_labels else {}), notes + more)


def _split(place: Place) -> str | None:
    return place.split or split_of(place.name)


def _lists(places: Sequence[Place], data: str | None) -> Any:
    """The files as lists, by split, if they are lists."""
    for place in places:
        with _opened(place) as file:
            if place.storage is not None or not names_files(file.schema_arrow, data):
                return None
    if len(places) == 1:
        return places[0].where
    splits = {_split(place) or "train": place.where for place in places}
    if len(splits) < len(places):
        raise SourceError(f"{places[0].where}: lists of files are one a split, and there are {len(places)}: join them")
    return splits


@dataclass(frozen=True)
class _Listed:
    """What the footer of a file says: rows of each group, columns, and the values of the column of keys."""

    place: Place
    rows: list[int]
    size: int
    columns: Columns
    schema: str
    keys: Texts | None


def _listed(place: Place, suffixes: frozenset[str], data: str | None, split: str, names: NamedLabels) -> _Listed:
    with _opened(place) as file:
        schema = file.schema_arrow
        columns = columns_of(schema, place.where, suffixes=suffixes, data=data)
        groups = [file.metadata.row_group(group) for group in range(file.num_row_groups)]
        rows, size = [group.num_rows for group in groups], sum(group.total_byte_size for group in groups)
        keys = keys_of(_column(file, columns.key)) if columns.key else None
        if columns.named:
            names.add(split, _column(file, "label"))
        return _Listed(place, rows, size, columns, schema.to_string(), keys)


def _note_on_groups(listed: Sequence[_Listed]) -> list[str]:
    """What reading in shuffled order costs, where it costs much."""
    size, groups = sum(one.size for one in listed), sum(len(one.rows) for one in listed)
    if size <= _KEPT or size < _LARGE * groups:
        return []
    return [
        f"row groups take {size / groups / 1e6:,.0f} MB each, and most samples of a shuffled order cost one: read "
        "in order (--no-shuffle), or write smaller ones"
    ]


def _column(file: Any, name: str) -> Iterator[Any]:
    return (batch.column(0) for batch in file.iter_batches(_ROWS, columns=[name], use_threads=False))


@contextmanager
def _opened(place: Place) -> Iterator[Any]:
    """A parquet file. Raises `SourceError` for what is none, or cannot be read."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise SourceError(
            f"{place.where}: parquet is read with pyarrow, which is not here: pip install 'walloc-data[tables]'"
        ) from error
    with place.open() as file:
        try:
            with parquet.ParquetFile(file) as opened:
                yield opened
        except WallocError:
            raise
        except (pyarrow.ArrowException, ValueError, OSError) as error:  # texts of a footer may be no UTF-8
            if getattr(error, "errno", None):  # what pyarrow finds damaged has no number of the system
                raise SourceError(f"{place.where}: cannot be read ({_line(error)})") from error
            raise SourceError(
                f"{place.where}: no parquet file, or one that was cut short ({_line(error)}): copy it again, or leave "
                "it out"
            ) from error


def _line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(". ") if str(error) else type(error).__name__


class _Groups(OrderedDict[int, Any]):
    """The row groups that were read last. Other processes read their own."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _Groups, ()


@dataclass(frozen=True)
class Parquet:
    """A `Split` of the rows of parquet files, in order.

    Row group g is the one of number `groups[g, 1]` in `places[groups[g, 0]]`, behind `groups[g, 2]` rows of that file;
    its last row is the one before `ends[g]`. It has all `rows`, or these, without column `split`, that says so. Without
    `keys`, a key is the split and the number of the sample; `labels` take the place of names in column `label`.
    """

    split: str
    places: Sequence[Place]
    groups: NDArray[np.int64]
    ends: NDArray[np.int64]
    columns: Mapping[str, Columns]
    schemas: str
    keys: Texts | None = None
    labels: NDArray[np.int32] | None = None
    rows: NDArray[np.int64] | None = None
    _kept: _Groups = field(default_factory=_Groups, repr=False, compare=False)

    @classmethod
    def of(cls, split: str, listed: Sequence[_Listed]) -> "Parquet":
        """The split of files that were listed."""
        groups = [
            (number, group, before)
            for number, one in enumerate(listed)
            for group, before in zip(range(len(one.rows)), accumulate(one.rows, initial=0), strict=False)
        ]
        ends = np.cumsum([rows for one in listed for rows in one.rows], dtype=np.int64)
        schemas = hashlib.sha256("\n".join(f"{one.place.name}\n{one.schema}" for one in listed).encode()).hexdigest()
        columns = {one.place.where: one.columns for one in listed}
        return cls(split, [one.place for one in listed], np.array(groups, np.int64), ends, columns, schemas)

    def parted(self, where: str) -> "dict[str, Parquet]":
        """All rows by column `split`. Raises `SourceError`, which says `where`, for what is no name of a split."""
        values: list[Any] = []
        for place in self.places:
            with _opened(place) as file:
                values += (value and sys.intern(value) for part in _column(file, "split") for value in part.to_pylist())
        return {
            split: replace(
                self,
                split=split,
                rows=np.array(rows, np.int64),
                keys=None if self.keys is None else some(self.keys, rows),
                labels=None if self.labels is None else self.labels[rows],
            )
            for split, rows in split_places(values, where).items()
        }

    def __len__(self) -> int:
        return int(self.ends[-1]) if self.rows is None else len(self.rows)

    def __getitem__(self, index: int) -> Raw:
        group, row = self._find(index)
        place = self.places[self.groups[group, 0]]
        where = f"{place.where}, row {self.groups[group, 2] + row + 1}"
        raw = raw_of(self._read(group, where), row, self.columns[place.where], where, folder=place.folder)
        if self.rows is not None:
            del raw.fields["split"]
        if self.labels is not None:
            raw.fields["label"] = int(self.labels[index])
        return raw

    def key(self, index: int) -> str:
        """What the column of keys says; without one, the split and the number of the row."""
        return f"{self.split}/{index:08d}" if self.keys is None else str(self.keys[index])

    def stamp(self, index: int) -> str:
        """That of the file."""
        place: Place = self.places[self.groups[self._find(index)[0], 0]]
        return place.stamp()

    def digest(self) -> str:
        """Of the files' names, columns and row groups, and of the keys."""
        digest = hashlib.sha256(self.schemas.encode() + self.ends.astype("<i8").tobytes())
        for content in self.keys.content() if self.keys is not None else ():
            digest.update(content)
        for part in (self.labels, self.rows):
            digest.update(b"" if part is None else part.tobytes())
        return digest.hexdigest()

    def _find(self, index: int) -> tuple[int, int]:
        """The row group of a row, and the row in it."""
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        index = index if self.rows is None else int(self.rows[index])
        group = int(np.searchsorted(self.ends, index, "right"))
        return group, index - (int(self.ends[group - 1]) if group else 0)

    def _read(self, group: int, where: str) -> Any:
        """The table of a row group."""
        table = self._kept.pop(group, None)
        if table is None:
            place, number = self.places[self.groups[group, 0]], int(self.groups[group, 1])
            with _opened(place) as file:
                try:
                    table = file.read_row_group(number, use_threads=False)
                except (ValueError, OSError) as error:
                    if getattr(error, "errno", None):
                        raise
                    raise SampleError(f"{where}: row group {number + 1} is damaged ({_line(error)})") from error
        self._kept[group] = table
        while len(self._kept) > 1 and sum(kept.nbytes for kept in self._kept.values()) > _KEPT:
            self._kept.popitem(last=False)
        return table
