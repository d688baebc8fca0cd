"""Random access to the samples of one split on local disk, by memory map."""

import mmap
import zlib
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy import Coder
from walloc_data.errors import CoderError, DatasetError, FormatError
from walloc_data.format import Column, Manifest, Record, read_index

__all__ = ["SplitReader"]


class SplitReader:
    """Samples of a split by number, in the order of its shards.

    Indices are read when a sample is first asked for; of the shards, just the pages touched.
    Pickling and forking are safe: maps are read-only, and a pickled copy opens its own.
    """

    def __init__(self, root: Path, manifest: Manifest, split: str, coder: Coder) -> None:
        self.root, self.coder, self.fingerprint = root, coder, manifest.fingerprint
        self.shards = manifest.splits[split]
        self._length = manifest.samples(split)
        self._maps: dict[int, mmap.mmap] = {}

    def __len__(self) -> int:
        return self._length

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_maps": {}}

    def read(
        self, indices: NDArray[np.int64], column: str
    ) -> tuple[NDArray[np.int8] | list[NDArray[np.int8]], list[Any]]:
        """Latents and a column of samples, in the order asked for; each record is opened once.

        Latents are `int8 [N, c, *space]`, or a list of `[c, *space]` where their shapes differ; the column is
        a list of N values (None where a record has no such column). Raises `FormatError` that names
        shard, record and sample where something is damaged.
        """
        records = np.searchsorted(self._starts, indices, side="right") - 1
        slots = indices - self._starts[records]
        order = np.argsort(records, kind="stable")
        segments = np.empty((len(indices), 2), np.uint64)
        crcs = np.empty(len(indices), np.uint32)
        shapes: list[tuple[int, ...]] = []
        values: list[Any] = [None] * len(indices)
        for start, stop in _runs(records[order]):
            places = order[start:stop]
            record, buffer, where = self._open(int(records[places[0]]))
            inside = slots[places]
            segments[start:stop], crcs[start:stop] = record.segments[inside], record.crcs[inside]
            shapes += [record.latent_shape(slot) for slot in inside.tolist()]
            found = record.columns(buffer, where=where, only=column).get(column)
            if found is not None:
                chosen = found[inside].tolist() if isinstance(found, np.ndarray) else [found[i] for i in inside]
                for place, value in zip(places.tolist(), chosen, strict=True):
                    values[place] = value
        alike = len(set(shapes)) == 1
        latents: Any = np.empty((len(shapes), *shapes[0]), np.int8) if alike else [np.empty(s, np.int8) for s in shapes]
        shards = self._index[0][records[order]]
        for start, stop in _runs(shards) if alike else ((i, i + 1) for i in range(len(shapes))):
            out = latents[start:stop] if alike else latents[start][None]
            try:
                self.coder.decode(self._map(int(shards[start])), segments[start:stop], out)
                broken = [i for i, sample in enumerate(out) if zlib.crc32(sample) != crcs[start + i]]
            except CoderError:
                broken = [self._first_broken(int(shards[start]), segments[start:stop], out)]
            if broken:
                raise FormatError(self._describe(int(indices[order[start + broken[0]]])))
        if (np.diff(order) == 1).all():
            return latents, values
        back = np.argsort(order)
        return (latents[back] if alike else [latents[i] for i in back]), values

    def columns(self, index: int) -> dict[str, Any]:
        """Every column of one sample."""
        number = int(np.searchsorted(self._starts, index, side="right")) - 1
        record, buffer, where = self._open(number)
        slot = index - int(self._starts[number])
        columns = record.columns(buffer, where=where)
        return {name: v[slot].tolist() if isinstance(v, np.ndarray) else v[slot] for name, v in columns.items()}

    def column(self, name: str) -> list[Any]:
        """One column of all samples. Reads the headers and columns of every record, but no payload."""
        values: list[Any] = []
        for number in range(len(self._starts) - 1):
            record, buffer, where = self._open(number)
            found: Column | None = record.columns(buffer, where=where, only=name).get(name)
            values += [None] * len(record) if found is None else list(np.asarray(found).tolist())
        return values

    @cached_property
    def _index(self) -> tuple[NDArray[np.int64], NDArray[np.void]]:
        """The shard of each record, and its entry in the shard's index."""
        found = []
        for shard in self.shards:
            path = (self.root / shard.name).with_suffix(".idx")
            entries, tar_bytes = read_index(path)
            if tar_bytes != shard.bytes or int(entries["samples"].sum()) != shard.samples:
                raise FormatError(f"{path} is not of the shard that the manifest describes: copy it again, or reshard")
            found.append(entries)
        shards = np.repeat(np.arange(len(found)), [len(entries) for entries in found])
        return shards, np.concatenate(found)

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """The number of each record's first sample, and at the end that of all."""
        return np.concatenate([[0], np.cumsum(self._index[1]["samples"], dtype=np.int64)])

    def _open(self, number: int) -> tuple[Record, mmap.mmap, str]:
        shards, entries = self._index
        shard, entry = int(shards[number]), entries[number]
        buffer, offset = self._map(shard), int(entry["offset"])
        where = f"{self.root / self.shards[shard].name}, record at byte {offset}"
        record = Record.parse(buffer, offset=offset, size=int(entry["bytes"]), where=where)
        if len(record) != entry["samples"]:
            raise FormatError(f"{where}: {len(record)} samples, and its index says {entry['samples']}")
        if record.fingerprint != self.fingerprint or record.coder_id != self.coder.id:
            raise FormatError(
                f"{where}: made by codec {record.fingerprint} with coder {record.coder_id}, and this dataset's are "
                f"{self.fingerprint} and {self.coder.id}: the shard belongs to another dataset"
            )
        return record, buffer, where

    def _map(self, shard: int) -> mmap.mmap:
        if shard not in self._maps:
            path, size = self.root / self.shards[shard].name, self.shards[shard].bytes
            try:
                with path.open("rb") as file:
                    found = file.seek(0, 2)
                    if found != size:
                        raise FormatError(f"{path} has {found} bytes, not {size}: cut short or replaced; copy it again")
                    self._maps[shard] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except OSError as error:
                raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
        return self._maps[shard]

    def _first_broken(self, shard: int, segments: NDArray[np.uint64], out: NDArray[np.int8]) -> int:
        for index in range(len(out)):
            try:
                self.coder.decode(self._map(shard), segments[index : index + 1], out[index : index + 1])
            except CoderError:
                return index
        return 0

    def _describe(self, index: int) -> str:
        number = int(np.searchsorted(self._starts, index, side="right")) - 1
        where = self._open(number)[2]
        return (
            f"{where}, sample {index - int(self._starts[number])} ({index} of the split): damaged; "
            "copy the shard again, or shard the data anew"
        )


def _runs(sorted_values: NDArray[Any]) -> Iterator[tuple[int, int]]:
    """(start, stop) of each run of equal values."""
    edges = np.flatnonzero(np.diff(sorted_values)) + 1
    yield from pairwise([0, *edges.tolist(), len(sorted_values)])
