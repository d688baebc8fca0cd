"""The samples of a split by number, wherever it lies; or of a split of several datasets, one behind the other."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy import Coder
from walloc_data.errors import FormatError, WallocError
from walloc_data.format import Record
from walloc_data.read.opened import OpenedDataset
from walloc_data.read.payloads import Empty, Payloads, decode_payloads, new_array
from walloc_data.read.recent import Recent
from walloc_data.read.record_files import RecordFiles

__all__ = ["Samples", "SplitReader"]

_T = TypeVar("_T")
_FETCHES = 16  # requests at a time
_PARSED = 1 << 15  # samples whose headers and columns are kept; a record counts for 64 more


@dataclass(frozen=True)
class Samples:
    """N samples in the order asked for.

    `latents` is int8 `[N, c, *space]`, or a list of `[c, *space]` where their shapes differ; each of `columns` a list
    of N values (None where a record has no such column). `damaged` says of each sample left out what is wrong with
    it.
    """

    latents: NDArray[np.int8] | list[NDArray[np.int8]]
    columns: dict[str, list[Any]]
    damaged: list[str]

    def by_shape(self) -> "list[Samples]":
        """The same in parts of one shape each, so that their latents are arrays. `damaged` stays behind."""
        places: dict[tuple[int, ...], list[int]] = {}
        for place, latents in enumerate(self.latents):
            places.setdefault(latents.shape, []).append(place)
        return [
            Samples(
                np.stack([self.latents[i] for i in chosen]),
                {name: [values[i] for i in chosen] for name, values in self.columns.items()},
                [],
            )
            for chosen in places.values()
        ]


class _Group(NamedTuple):
    """Samples of one record: where it is, their places in the batch, and their slots in the record."""

    shard: int
    number: int
    places: NDArray[np.int64]
    slots: NDArray[np.int64]


class _Opened(NamedTuple):
    record: Record
    columns: dict[str, list[Any]]  # that were read so far
    buffer: Any
    where: str
    coder: Coder


class _Source(NamedTuple):
    files: RecordFiles
    coder: Coder
    block: int  # samples a record

    @classmethod
    def of(cls, dataset: OpenedDataset, split: str) -> "_Source":
        manifest = dataset.manifest
        block = manifest.block if manifest.layout == "records" else 1
        files = RecordFiles(dataset.storage, dataset.shards(split), per_run=manifest.block // block)
        return cls(files, dataset.coder, block)


class SplitReader:
    """Samples of a split by number, in the order of its shards.

    Indices and pages of shards are read when a sample first needs them. Pickling and forking are safe, and threads may
    share a reader.
    """

    def __init__(self, datasets: Sequence[OpenedDataset], split: str) -> None:
        self.fingerprint = datasets[0].manifest.fingerprint
        self._sources = [_Source.of(dataset, split) for dataset in datasets]
        counts = [len(source.files.shards) for source in self._sources]
        self._source = np.repeat(np.arange(len(counts)), counts)  # of each shard
        self._block = np.repeat([source.block for source in self._sources], counts)
        self._base = np.cumsum([0, *counts])
        samples = [shard.samples for source in self._sources for shard in source.files.shards]
        self._first = np.concatenate([[0], np.cumsum(samples, dtype=np.int64)])
        self._parsed: Recent[tuple[int, int], tuple[Record, dict[str, list[Any]]]] = Recent(_PARSED)
        self.remote = any(source.files.remote for source in self._sources)
        self._lost: dict[tuple[int, int], str] = {}  # records that are damaged, and how
        for dataset in datasets:
            dataset.coder.warm_up()

    def __len__(self) -> int:
        return int(self._first[-1])

    def read(
        self,
        indices: NDArray[np.int64],
        columns: Sequence[str],
        *,
        skip: bool = False,
        empty: Empty = new_array,
    ) -> Samples:
        """Latents and columns of samples. Each record is opened once; what is damaged and remote is fetched once more.

        `empty` makes the array that latents of one shape are decoded to.
        Raises an error that names shard, record and sample where something is damaged; with `skip`, leaves that out.
        """
        found: list[tuple[_Group, _Opened]] = []
        damaged: list[str] = []
        asked = list(self._groups(indices))
        self._fetch(asked)
        for group in asked:
            lost = self._lost.get((group.shard, group.number)) if skip else None
            if lost is None:
                try:
                    found.append((group, self._reading(group.shard, group.number, partial(_with_columns, columns))))
                    continue
                except WallocError as error:
                    if not skip:
                        raise
                    lost = str(error)
                    if isinstance(error, FormatError):  # all else may pass
                        self._lost[group.shard, group.number] = lost
            damaged += [lost] * len(group.slots)
        if damaged:
            indices, found = _closed_up(indices, found)
        latents, broken = decode_payloads([part for group, opened in found for part in _payloads(opened, group)], empty)
        for message in self._mend(indices, latents, broken):
            if not skip:
                raise FormatError(message)
            damaged.append(message)
        values = {name: _gathered(name, found, len(indices)) for name in columns}
        if broken.any():
            whole = np.flatnonzero(~broken).tolist()
            latents = latents[whole] if isinstance(latents, np.ndarray) else [latents[i] for i in whole]
            values = {name: [column[i] for i in whole] for name, column in values.items()}
        return Samples(latents, values, damaged)

    def columns(self, index: int) -> dict[str, Any]:
        """Every column of one sample."""
        [group] = self._groups(np.array([index]))
        [slot] = group.slots.tolist()
        found = self._reading(group.shard, group.number, lambda o: o.record.columns(o.buffer, where=o.where))
        return {name: v[slot].tolist() if isinstance(v, np.ndarray) else v[slot] for name, v in found.items()}

    def column(self, name: str) -> list[Any]:
        """One column of all samples. Reads the headers and columns of every record, but no payload."""
        values: list[Any] = []
        for shard, (block, samples) in enumerate(zip(self._block, np.diff(self._first), strict=True)):
            for number in range(-(-samples // block)):
                values += self._reading(shard, number, partial(_with_columns, [name])).columns[name]
        return values

    def _fetch(self, groups: list[_Group]) -> None:
        """Bring what is not at hand into memory, many at a time. What fails, fails again when it is opened."""
        missing = [(group.shard, group.number) for group in groups if not self._at_hand(group.shard, group.number)]
        if len(missing) > 1:
            with ThreadPoolExecutor(min(_FETCHES, len(missing)), thread_name_prefix="walloc-fetch") as pool:
                wait([pool.submit(self._find, shard, number) for shard, number in missing])

    def _at_hand(self, shard: int, number: int) -> bool:
        source, inside = self._at(shard)
        return source.files.at_hand(inside, number)

    def _groups(self, indices: NDArray[np.int64]) -> Iterator[_Group]:
        shards = np.searchsorted(self._first, indices, side="right") - 1
        numbers, slots = np.divmod(indices - self._first[shards], self._block[shards])
        order = np.lexsort((numbers, shards))
        edges = np.flatnonzero(np.diff(shards[order]) | np.diff(numbers[order])) + 1
        for start, stop in pairwise([0, *edges.tolist(), len(order)]):
            if start < stop:
                places = order[start:stop]
                yield _Group(int(shards[places[0]]), int(numbers[places[0]]), places, slots[places])

    def _reading(self, shard: int, number: int, use: Callable[[_Opened], _T]) -> _T:
        """What `use` makes of a record. Where the record is damaged and remote, it is fetched anew, once."""
        try:
            return use(self._open(shard, number))
        except FormatError:
            if not self._remote(shard):
                raise
            return use(self._open(shard, number, anew=True))

    def _open(self, shard: int, number: int, *, anew: bool = False) -> _Opened:
        source, (buffer, offset, size, samples, where) = self._find(shard, number, anew)
        parsed = None if anew else self._parsed.get((shard, number))
        if parsed is None:
            record = Record.parse(buffer, offset=offset, size=size, where=where)
            if len(record) != samples:
                raise FormatError(f"{where}: {len(record)} samples, and its index says {samples}")
            if record.fingerprint != self.fingerprint or record.coder_id != source.coder.id:
                raise FormatError(
                    f"{where}: made by codec {record.fingerprint} with coder {record.coder_id}, and this dataset's are "
                    f"{self.fingerprint} and {source.coder.id}: the shard belongs to another dataset"
                )
            parsed = record, {}
            self._parsed.put((shard, number), parsed, len(record) + 64)
        return _Opened(*parsed, buffer, where, source.coder)

    def _find(self, shard: int, number: int, anew: bool = False) -> "tuple[_Source, tuple[Any, int, int, int, str]]":
        source, inside = self._at(shard)
        return source, source.files.find(inside, number, anew=anew)

    def _at(self, shard: int) -> "tuple[_Source, int]":
        """The source that a shard is of, and its number there."""
        source = int(self._source[shard])
        return self._sources[source], shard - int(self._base[source])

    def _remote(self, shard: int) -> bool:
        return self._at(shard)[0].files.remote

    def _mend(self, indices: NDArray[np.int64], latents: Any, broken: NDArray[np.bool_]) -> Iterator[str]:
        """Decode what is broken and remote once more, from bytes fetched anew; say what is wrong with the rest."""
        renewed: dict[tuple[int, int], _Opened] = {}
        for place in np.flatnonzero(broken).tolist():
            [group] = self._groups(indices[place : place + 1])
            if group[:2] not in renewed:
                renewed[group[:2]] = self._open(*group[:2], anew=self._remote(group.shard))
            opened = renewed[group[:2]]
            [again], [still] = decode_payloads(list(_payloads(opened, group)))
            if still or again.shape != latents[place].shape:
                yield (
                    f"{opened.where}, sample {group.slots[0]} ({indices[place]} of the split): damaged; copy the shard "
                    "again, or shard the data anew"
                )
            else:
                latents[place][...] = again
                broken[place] = False


def _with_columns(names: Sequence[str], opened: _Opened) -> _Opened:
    """A record of which these columns have been read; of None where it has no such column."""
    unread = [name for name in names if name not in opened.columns]
    if unread:
        record = opened.record
        found = record.columns(opened.buffer, where=opened.where, only=unread[0] if len(unread) == 1 else None)
        for name in unread:
            column = found.get(name, [None] * len(record))
            opened.columns[name] = column.tolist() if isinstance(column, np.ndarray) else list(column)
    return opened


def _closed_up(
    indices: NDArray[np.int64], found: "Sequence[tuple[_Group, _Opened]]"
) -> "tuple[NDArray[np.int64], list[tuple[_Group, _Opened]]]":
    """The samples that were found, and their groups with places among these alone."""
    kept = np.sort(np.concatenate([np.zeros(0, np.int64), *(group.places for group, _ in found)]))
    return indices[kept], [(group._replace(places=np.searchsorted(kept, group.places)), one) for group, one in found]


def _gathered(name: str, found: "Sequence[tuple[_Group, _Opened]]", samples: int) -> list[Any]:
    """One column of a batch."""
    values: list[Any] = [None] * samples
    for group, opened in found:
        column = opened.columns[name]
        for place, slot in zip(group.places.tolist(), group.slots.tolist(), strict=True):
            values[place] = column[slot]
    return values


def _payloads(opened: _Opened, group: _Group) -> Iterator[Payloads]:
    """Some samples of a record, as they are stored: one part, or of a record of many shapes as many as samples."""
    record, coder, view = opened.record, opened.coder, memoryview(opened.buffer)
    places, segments = group.places.tolist(), record.segments[group.slots].tolist()
    data, crcs = [view[start : start + size] for start, size in segments], record.crcs[group.slots].tolist()
    if len(record.shapes) == 1:
        yield Payloads(places, data, crcs, record.latent_shape(0), coder)
        return
    for place, slot, payload, crc in zip(places, group.slots.tolist(), data, crcs, strict=True):
        yield Payloads([place], [payload], [crc], record.latent_shape(slot), coder)
