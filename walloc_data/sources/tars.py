"""Tars of WebDataset: the members of one key are a sample."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SampleError
from walloc_data.sources.members import fields_of
from walloc_data.sources.packed import Texts
from walloc_data.sources.places import Place
from walloc_data.sources.source import Raw

__all__ = ["Tars"]

_GAP = 1 << 16  # bytes between members of a sample that are read along, rather than asked for apart


@dataclass(frozen=True)
class Tars:
    """A `Split` of samples in tars. Sample i is the `members` from `ends[i - 1]` up to `ends[i]`, its data first.

    `members` is int64 `[M, 4]`: place in `tars`, place in `suffixes`, first byte, byte behind the last. `names` are
    those of the members that are data, `keys` what samples are called, `labels` their classes where folders say them.
    `doubtful` are samples beside damage that lack what others have.
    """

    tars: Sequence[Place]
    sizes: Sequence[int]
    suffixes: Sequence[str]
    members: NDArray[np.int64]
    ends: NDArray[np.int64]
    names: Texts
    keys: Texts
    labels: NDArray[np.int32] | None = None
    doubtful: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> Raw:
        where = f"{self.tars[self._members(index)[0][0]].where}/{self.names[index]}"
        if index in self.doubtful:
            raise SampleError(f"{where}: the tar is damaged beside it, and what other samples have is missing")
        contents = self._read(index, where)
        data = contents.pop(next(iter(contents)))
        fields = fields_of(contents, where)
        if self.labels is not None:
            fields["label"] = int(self.labels[index])
        return Raw(data, where, fields)

    def key(self, index: int) -> str:
        """The name of the member that is data, behind its split, and its tar where two share it."""
        return str(self.keys[index])

    def stamp(self, index: int) -> str:
        """Those of the tars that hold the sample."""
        return ",".join(self.tars[tar].stamp() for tar in dict.fromkeys(row[0] for row in self._members(index)))

    def digest(self) -> str:
        """Of the keys, and of where their members lie."""
        digest = hashlib.sha256()
        for content in self.keys.content():
            digest.update(content)
        digest.update(json.dumps([[tar.name for tar in self.tars], list(self.suffixes)]).encode())
        digest.update(self.members.astype("<i8").tobytes() + self.ends.astype("<i8").tobytes())
        return digest.hexdigest()

    def _members(self, index: int) -> list[list[int]]:
        if not 0 <= index < len(self.ends):
            raise IndexError(f"sample {index} of {len(self.ends)}")
        rows: list[list[int]] = self.members[self.ends[index - 1] if index else 0 : self.ends[index]].tolist()
        return rows

    def _read(self, index: int, where: str) -> dict[str, bytes]:
        """The members of a sample by suffix, those that lie together read at once."""
        rows = self._members(index)
        for tar, suffix, _, stop in rows:
            if stop > self.sizes[tar]:
                raise SampleError(f"{where}: the tar is cut short in its {self.suffixes[suffix]}")
        contents = {}
        for tar in {row[0] for row in rows}:
            inside = [row for row in rows if row[0] == tar]
            first, last = min(row[2] for row in inside), max(row[3] for row in inside)
            together = last - first <= sum(row[3] - row[2] for row in inside) + _GAP
            block = self.tars[tar].read(first, last) if together else b""
            for _, suffix, start, stop in inside:
                contents[suffix] = block[start - first : stop - first] if together else self.tars[tar].read(start, stop)
        return {self.suffixes[suffix]: contents[suffix] for _, suffix, _, _ in rows}
