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
from walloc_data.read.payloads import Payload, decode_payloads
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
        self._lost: dict[tuple[int, int], str] = {}  # records that are damaged, and how

    def __len__(self) -> int:
        return int(self._first[-1])

    def read(self, indices: NDArray[np.int64], columns: Sequence[str], *, skip: bool = False) -> Samples:
        """Latents and columns of samples. Each record is opened once; what is damaged and remote is fetched once more.

        Raises an error that names shard, record and sample where something is damaged; with `skip`, leaves that out.
        """
        payloads: dict[int, Payload] = {}
        values: dict[str, dict[int, Any]] = {name: {} for name in columns}
        damaged: list[str] = []
        asked = list(self._groups(indices))
        self._fetch(asked)
        for group in asked:
            slots, places = group.slots.tolist(), group.places.tolist()
            if skip and (group.shard, group.number) in self._lost:
                damaged += [self._lost[group.shard, group.number]] * len(slots)
                continue
            try:
                found, chosen = self._reading(group.shard, group.number, partial(_chosen, slots, columns))
            except WallocError as error:
                if not skip:
                    raise
                if isinstance(error, FormatError):  # all else may pass
                    self._lost[group.shard, group.number] = str(error)
                damaged += [str(error)] * len(slots)
                continue
            payloads.update(zip(places, found, strict=True))
            for name, column in chosen.items():
                values[name].update(zip(places, column, strict=True))
        kept = sorted(payloads)
        latents, broken = decode_payloads([payloads[place] for place in kept])
        for message in self._mend(indices[kept], latents, broken):
            if not skip:
                raise FormatError(message)
            damaged.append(message)
        if broken.any():
            whole = np.flatnonzero(~broken).tolist()
            latents = latents[whole] if isinstance(latents, np.ndarray) else [latents[i] for i in whole]
            kept = [kept[i] for i in whole]
        return Samples(latents, {name: [found[place] for place in kept] for name, found in values.items()}, damaged)

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
                slots = range(min(block, samples - number * block))
                values += self._reading(shard, number, partial(_chosen, slots, [name]))[1][name]
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
            [(shard, number, _, slots)] = self._groups(indices[place : place + 1])
            if (shard, number) not in renewed:
                renewed[shard, number] = self._open(shard, number, anew=self._remote(shard))
            opened = renewed[shard, number]
            [again], [still] = decode_payloads(_payloads(opened, slots.tolist()))
            if still or again.shape != latents[place].shape:
                yield (
                    f"{opened.where}, sample {slots[0]} ({indices[place]} of the split): damaged; copy the shard "
                    "again, or shard the data anew"
                )
            else:
                latents[place][...] = again
                broken[place] = False


def _payloads(opened: _Opened, slots: Sequence[int]) -> list[Payload]:
    """Some samples of a record, as they are stored."""
    record, coder, data = opened.record, opened.coder, memoryview(opened.buffer)
    segments, crcs = record.segments.tolist(), record.crcs.tolist()
    ragged = len(record.shapes) > 1
    shape = record.latent_shape(0)
    payloads = []
    for slot in slots:
        start, size = segments[slot]
        here = record.latent_shape(slot) if ragged else shape
        payloads.append(Payload(data[start : start + size], crcs[slot], here, coder))
    return payloads


def _chosen(slots: Sequence[int], names: Sequence[str], opened: _Opened) -> tuple[list[Payload], dict[str, list[Any]]]:
    """Payloads and columns of some samples of a record; None where it has no such column."""
    record, columns, buffer, where, _ = opened
    unread = [name for name in names if name not in columns]
    if unread:
        found = record.columns(buffer, where=where, only=unread[0] if len(unread) == 1 else None)
        for name in unread:
            column = found.get(name, [None] * len(record))
            columns[name] = column.tolist() if isinstance(column, np.ndarray) else list(column)
    return _payloads(opened, slots), {name: [columns[name][slot] for slot in slots] for name in names}
