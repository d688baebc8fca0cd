"""Records, opened and checked: their headers, and their columns as far as they are asked for."""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy import Coder
from walloc_data.errors import DatasetError, FormatError, MissingError, WallocError
from walloc_data.format import MANIFEST_FILE, Column, Record
from walloc_data.read.locate import Group, Places
from walloc_data.read.open_files import OpenFile
from walloc_data.read.opened import OpenedDataset
from walloc_data.read.recent import Recent
from walloc_data.read.record_files import Found, RecordFiles
from walloc_data.storage.work import Work

__all__ = ["OpenedRecord", "Records", "label_column", "parse_record"]

_T = TypeVar("_T")
_FETCHES = 16  # requests at a time
_PARSED = 1 << 15  # samples whose headers and columns are kept; a record counts for 64 more


def parse_record(
    buffer: Any, *, fingerprint: str, coder: Coder, where: str, offset: int = 0, size: int | None = None
) -> Record:
    """`Record.parse`, of a record of this codec and coder. Raises `FormatError`, which says `where`, for another."""
    record = Record.parse(buffer, offset=offset, size=size, where=where)
    if record.fingerprint != fingerprint or record.coder_id != coder.id:
        raise FormatError(
            f"{where}: made by codec {record.fingerprint} with coder {record.coder_id}, and this dataset's are "
            f"{fingerprint} and {coder.id}: the shard belongs to another dataset"
        )
    return record


def label_column(column: "Column | None", samples: int) -> Column:
    """Labels as everyone is given them: -1 for what has none, whole numbers as int64."""
    if column is None:
        return np.full(samples, -1, np.int64)
    if isinstance(column, np.ndarray):
        return column.astype(np.int64) if column.ndim == 1 and column.dtype.kind in "iu" else column
    labels = [-1 if label is None else label for label in column]
    return np.array(labels, np.int64) if all(type(label) is int for label in labels) else labels


@dataclass
class _Parsed:
    """What is kept of a record."""

    record: Record
    columns: "dict[str, Column | None]"  # that were read so far; None where the record has no such column
    complete: bool = False


class OpenedRecord(NamedTuple):
    """A record, the buffer it lies in, what it is called, and what decodes it."""

    parsed: _Parsed
    buffer: Any
    where: str
    coder: Coder

    @property
    def record(self) -> Record:
        return self.parsed.record

    def read(self, names: Collection[str] | None = None) -> None:
        """Read columns, all or those of some names, as far as that was not done. Raises `FormatError` for damage."""
        parsed = self.parsed
        unread = None if names is None else [name for name in names if name not in parsed.columns]
        if parsed.complete or (names is not None and not unread):
            return
        found = parsed.record.columns(self.buffer, where=self.where, only=unread)
        if "label" in found:
            found["label"] = label_column(found["label"], len(self.record))
        parsed.columns.update({**dict.fromkeys(unread or ()), **found})
        parsed.complete = unread is None

    def column(self, name: str) -> "Column | None":
        """One column, or None; of labels, see `label_column`."""
        if name not in self.parsed.columns:
            self.read([name])
        found = self.parsed.columns.get(name)
        return label_column(None, len(self.record)) if found is None and name == "label" else found

    def columns(self, names: Collection[str] | None = None) -> dict[str, Column]:
        """Those of some names that there are, or all. Raises `FormatError` where a byte of any is wrong."""
        self.read(names)
        wanted = self.parsed.columns if names is None else names
        return {name: column for name in wanted if (column := self.parsed.columns.get(name)) is not None}


class _Source(NamedTuple):
    files: RecordFiles
    coder: Coder
    channels: int
    block: int  # samples a record

    @classmethod
    def of(cls, dataset: OpenedDataset, split: str) -> "_Source":
        manifest = dataset.manifest
        block = manifest.block if manifest.layout == "records" else 1
        files = RecordFiles(dataset.storage, dataset.shards(split), per_run=manifest.block // block)
        return cls(files, dataset.coder, dataset.codec.channels, block)


class Records:
    """The records of a split of one dataset or several, by shard and number in it. Threads may share it."""

    def __init__(self, datasets: Sequence[OpenedDataset], split: str) -> None:
        self.fingerprint = datasets[0].manifest.fingerprint
        self._sources = [_Source.of(dataset, split) for dataset in datasets]
        shards = [[shard.samples for shard in source.files.shards] for source in self._sources]
        records = [[shard.records for shard in source.files.shards] for source in self._sources]
        each = {dataset.manifest.views for dataset in datasets}
        if len(each) > 1:
            views = ", ".join(f"{dataset.storage.url} has {dataset.manifest.views}" for dataset in datasets)
            raise DatasetError(f"their samples have different numbers of views ({views}): only like goes with like")
        self.places = Places(
            shards,
            [source.block for source in self._sources],
            records,
            self._counts,
            runs=[source.block * source.files.per_run for source in self._sources],
            views=each.pop(),
        )
        self.any_remote = any(source.files.remote for source in self._sources)
        self._kept: Recent[tuple[int, int], OpenedRecord] = Recent(_PARSED)  # without the bytes of any

    def reading(self, shard: int, number: int, use: Callable[[OpenedRecord], _T]) -> _T:
        """What `use` makes of a record. Where the record is damaged and remote, it is fetched anew, once."""
        try:
            return use(self.open(shard, number))
        except FormatError:
            if not self.remote(shard):
                raise
            return use(self.open(shard, number, anew=True))

    def open(self, shard: int, number: int, *, anew: bool = False) -> OpenedRecord:
        """A record, parsed and checked; `anew` fetches what is remote again. Raises `FormatError` for damage."""
        kept = None if anew else self._kept.get((shard, number))
        if kept is not None and kept.buffer is not None:
            return kept
        source, inside = self._at(shard)
        found = source.files.find(inside, number, anew=anew)
        if kept is None:
            kept = OpenedRecord(self._checked(shard, number, found), None, found.where, source.coder)
            if isinstance(found.buffer, OpenFile):  # which holds no bytes
                kept = kept._replace(buffer=found.buffer)
            self._kept.put((shard, number), kept, len(kept.record) + 64)
        return kept._replace(buffer=found.buffer)

    def scan(self, use: Callable[[OpenedRecord], _T]) -> "Iterator[tuple[int, _T | WallocError]]":
        """The shard of every record, in order, and what `use` makes of its header and columns, or what is wrong.

        Of remote records no payload is fetched where that saves much.
        """

        def scanned(place: tuple[int, int]) -> _T | WallocError:
            try:
                return self._described(*place, use)
            except WallocError as error:
                return error

        places = self.places.records()
        if not self.any_remote:
            yield from ((place[0], scanned(place)) for place in places)
            return
        with Work(_FETCHES, "walloc-scan") as work:
            while some := list(islice(places, 16 * _FETCHES)):
                futures = [work.submit(partial(scanned, place)) for place in some]
                yield from ((place[0], work.result(one)) for place, one in zip(some, futures, strict=True))

    def _described(self, shard: int, number: int, use: Callable[[OpenedRecord], _T]) -> _T:
        source, inside = self._at(shard)
        if not source.files.remote:
            return use(self.open(shard, number))
        for anew in (False, True):
            found = source.files.describe(inside, number, anew=anew)
            try:
                return use(OpenedRecord(self._checked(shard, number, found), found.buffer, found.where, source.coder))
            except FormatError:
                if anew:
                    raise
        raise AssertionError  # the second turn returns or raises

    def _checked(self, shard: int, number: int, found: Found) -> _Parsed:
        source, where = self._at(shard)[0], found.where
        record = parse_record(
            found.buffer,
            fingerprint=self.fingerprint,
            coder=source.coder,
            where=where,
            offset=found.offset,
            size=found.bytes,
        )
        if len(record) != found.samples or record.channels != source.channels:
            raise FormatError(
                f"{where}: {len(record)} samples of {record.channels} channels, and its index and codec say "
                f"{found.samples} of {source.channels}"
            )
        if len(record) != (samples := self.places.samples(shard, number)):  # by the manifest's block
            raise FormatError(f"{where}: {len(record)} samples, and by {MANIFEST_FILE} it has {samples}")
        return _Parsed(record, {})

    def fetch(self, groups: Sequence[Group]) -> None:
        """Bring what is not at hand into memory, many at a time. What fails, fails again when it is opened."""
        if not self.any_remote:
            return
        missing = [group[:2] for group in groups if not self._at_hand(group.shard, group.number)]
        if len(missing) > 1:
            with Work(min(_FETCHES, len(missing)), "walloc-fetch") as work:
                wait([work.submit(partial(self._find, *one)) for one in missing])

    def is_damage(self, shard: int, error: WallocError) -> bool:
        """Whether an error is of the data, for good: they are wrong, or the shard is gone and its dataset is there."""
        if isinstance(error, FormatError):
            return True
        if not isinstance(error, MissingError) and not isinstance(error.__cause__, FileNotFoundError):
            return False
        try:
            self._at(shard)[0].files.storage.read(MANIFEST_FILE, anew=True)
        except DatasetError:
            return False
        return True

    def runs(self, numbers: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """How many of some samples, given in order, lie in each run that has any, by dataset: see `RecordFiles`."""
        return self.places.runs(numbers)

    def remote(self, shard: int) -> bool:
        """Whether a shard has to be fetched."""
        return self._at(shard)[0].files.remote

    def _find(self, shard: int, number: int) -> None:
        source, inside = self._at(shard)
        source.files.find(inside, number)

    def _at_hand(self, shard: int, number: int) -> bool:
        source, inside = self._at(shard)
        return source.files.at_hand(inside, number)

    def _counts(self, shard: int) -> NDArray[np.int64]:
        """How many samples each record of a shard holds."""
        source, inside = self._at(shard)
        return source.files.counts(inside)

    def _at(self, shard: int) -> tuple[_Source, int]:
        source, inside = self.places.at(shard)
        return self._sources[source], inside
