"""The samples of a split by number, wherever it lies; or of a split of several datasets, one behind the other."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from itertools import groupby, pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy import Coder
from walloc_data.errors import CoderError, FormatError, WallocError
from walloc_data.format import Record
from walloc_data.read.opened import OpenedDataset
from walloc_data.read.record_files import RecordFiles

__all__ = ["Samples", "SplitReader"]

_T = TypeVar("_T")
_FETCHES = 16  # requests at a time


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

    def __len__(self) -> int:
        return int(self._first[-1])

    def read(self, indices: NDArray[np.int64], columns: Sequence[str], *, skip: bool = False) -> Samples:
        """Latents and columns of samples. Each record is opened once; what is damaged and remote is fetched once more.

        Raises an error that names shard, record and sample where something is damaged; with `skip`, leaves that out.
        """
        groups: list[_Group] = []
        opened: list[_Opened] = []
        values: list[dict[str, list[Any]]] = []
        damaged: list[str] = []
        asked = list(self._groups(indices))
        self._fetch(asked)
        for group in asked:
            try:
                found, chosen = self._reading(group.shard, group.number, partial(_chosen, group.slots, columns))
            except WallocError as error:
                if not skip:
                    raise
                damaged += [str(error)] * len(group.slots)
                continue
            groups.append(group)
            opened.append(found)
            values.append(chosen)
        latents, broken = self._decode(groups, opened)
        for message in self._mend(groups, latents, broken):
            if not skip:
                raise FormatError(message)
            damaged.append(message)
        order = np.argsort(np.concatenate([np.zeros(0, np.int64), *(group.places for group in groups)]))
        order = order[~broken[order]]
        if len(order) != len(latents) or (np.diff(order) != 1).any():
            latents = latents[order] if isinstance(latents, np.ndarray) else [latents[i] for i in order]
        merged = {name: [value for chosen in values for value in chosen[name]] for name in columns}
        return Samples(latents, {name: [column[i] for i in order] for name, column in merged.items()}, damaged)

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
                slots = np.arange(min(block, samples - number * block))
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
        record = Record.parse(buffer, offset=offset, size=size, where=where)
        if len(record) != samples:
            raise FormatError(f"{where}: {len(record)} samples, and its index says {samples}")
        if record.fingerprint != self.fingerprint or record.coder_id != source.coder.id:
            raise FormatError(
                f"{where}: made by codec {record.fingerprint} with coder {record.coder_id}, and this dataset's are "
                f"{self.fingerprint} and {source.coder.id}: the shard belongs to another dataset"
            )
        return _Opened(record, buffer, where, source.coder)

    def _find(self, shard: int, number: int, anew: bool = False) -> "tuple[_Source, tuple[Any, int, int, int, str]]":
        source, inside = self._at(shard)
        return source, source.files.find(inside, number, anew=anew)

    def _at(self, shard: int) -> "tuple[_Source, int]":
        """The source that a shard is of, and its number there."""
        source = int(self._source[shard])
        return self._sources[source], shard - int(self._base[source])

    def _remote(self, shard: int) -> bool:
        source, inside = self._at(shard)
        return source.files.remote(inside)

    def _decode(self, groups: list[_Group], opened: list[_Opened]) -> tuple[Any, NDArray[np.bool_]]:
        """Latents of all samples, group after group, and which of them are broken."""
        shapes = [o.record.latent_shape(slot) for g, o in zip(groups, opened, strict=True) for slot in g.slots.tolist()]
        broken = np.zeros(len(shapes), bool)
        if len(set(shapes)) > 1:
            latents: Any = [np.empty(shape, np.int8) for shape in shapes]
        else:
            latents = np.empty((len(shapes), *(shapes or [(0,)])[0]), np.int8)
        start = 0
        for _, same in groupby(zip(groups, opened, strict=True), key=lambda pair: id(pair[1].buffer)):
            pairs = list(same)
            segments = np.concatenate([o.record.segments[g.slots] for g, o in pairs])
            crcs = np.concatenate([o.record.crcs[g.slots] for g, o in pairs])
            stop, _, (_, buffer, _, coder) = start + len(crcs), *pairs[0]
            if isinstance(latents, list):
                for i in range(start, stop):
                    one = slice(i - start, i - start + 1)
                    broken[i] = bool(_broken(coder, buffer, segments[one], crcs[one], latents[i][None]))
            else:
                broken[[start + i for i in _broken(coder, buffer, segments, crcs, latents[start:stop])]] = True
            start = stop
        return latents, broken

    def _mend(self, groups: list[_Group], latents: Any, broken: NDArray[np.bool_]) -> Iterator[str]:
        """Decode what is broken and remote once more, from bytes fetched anew; say what is wrong with the rest."""
        renewed: dict[tuple[int, int], _Opened] = {}
        everything = [(group, slot) for group in groups for slot in group.slots.tolist()] if broken.any() else []
        for place in np.flatnonzero(broken).tolist():
            (shard, number, *_), slot = everything[place]
            if (shard, number) not in renewed:
                renewed[shard, number] = self._open(shard, number, anew=self._remote(shard))
            record, buffer, where, coder = renewed[shard, number]
            one = slice(slot, slot + 1)
            if _broken(coder, buffer, record.segments[one], record.crcs[one], latents[place][None]):
                index = int(self._first[shard]) + number * int(self._block[shard]) + slot
                yield (
                    f"{where}, sample {slot} ({index} of the split): damaged; copy the shard again, or shard the data "
                    "anew"
                )
            else:
                broken[place] = False


def _chosen(slots: NDArray[np.int64], names: Sequence[str], opened: _Opened) -> tuple[_Opened, dict[str, list[Any]]]:
    """Columns of some samples of a record, None where it has no such column."""
    record, buffer, where, _ = opened
    only = names[0] if len(names) == 1 else None
    found = record.columns(buffer, where=where, only=only) if names else {}
    values: dict[str, list[Any]] = {}
    for name in names:
        column = found.get(name)
        if column is None:
            values[name] = [None] * len(slots)
        else:
            values[name] = column[slots].tolist() if isinstance(column, np.ndarray) else [column[i] for i in slots]
    return opened, values


def _broken(
    coder: Coder, buffer: Any, segments: NDArray[np.uint64], crcs: NDArray[np.uint32], out: NDArray[np.int8]
) -> list[int]:
    """Decode samples of one buffer to `out`; which of them are damaged."""
    try:
        coder.decode(buffer, segments, out)
    except CoderError:
        if len(out) == 1:
            return [0]
        ones = [slice(i, i + 1) for i in range(len(out))]
        return [one.start for one in ones if _broken(coder, buffer, segments[one], crcs[one], out[one])]
    return [i for i, sample in enumerate(out) if zlib.crc32(sample) != crcs[i]]
