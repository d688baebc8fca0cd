"""Latents and rows to the records of a shard."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy import Coder
from walloc_data.errors import DatasetError
from walloc_data.format import Column, ShardWriter
from walloc_data.format.record import MAX_LATENTS, latents_crc, pack_payloads
from walloc_data.write.rows import column_type, columns_of, joined

__all__ = ["Packer"]

_AT_ONCE = 1 << 22  # latents that are coded together


class _Coded(NamedTuple):
    payload: bytes
    shape: tuple[int, ...]
    crc: int


class Packer:
    """Puts samples into the records of a shard called `name`: `block` a record, or a record each in `layout` samples.

    Latents are coded and forgotten before they fill the memory. A block that is more than a record may hold becomes
    several. What it has written: `samples`, bytes of their payloads, and the type of each column and of latents, joined
    over records: `int8[12,32,32]`, or `json` where their shapes differ. With `sizes`, the column `bytes` is the payload
    of each. Of `views`, all of a sample come behind one another; a block is then as many records, one for each view.
    """

    def __init__(
        self,
        writer: ShardWriter,
        name: str,
        *,
        coder: Coder,
        fingerprint: str,
        layout: str,
        block: int,
        views: int = 1,
        sizes: bool = False,
    ) -> None:
        self._writer, self._name, self._coder, self._fingerprint = writer, name, coder, fingerprint
        self._layout, self._block, self._views, self._sizes = layout, block * views, views, sizes
        self._latents: list[NDArray[np.int8]] = []  # that are not coded yet
        self._coded: list[_Coded] = []
        self._rows: list[Mapping[str, Any]] = []
        self._room = self._in_block = 0  # of the record that is being filled, and samples of the block so far
        self._records = self.samples = self.payload_bytes = 0
        self.columns: dict[str, str] = {}

    def add(self, latents: NDArray[np.int8], row: Mapping[str, Any]) -> None:
        """Take a sample, latents int8 `[c, *space]`, and write its record when that is full."""
        size = max(latents.size, _row_bytes(row))
        if self._rows and size > self._room:
            if self._views > 1:
                raise DatasetError(
                    "views of so large samples are more than their records may hold: make --block smaller"
                )
            self._write_record()
        if not self._rows:
            self._room = MAX_LATENTS * self._views
        self._room -= size
        self._latents.append(latents)
        self._rows.append(row)
        if sum(sample.size for sample in self._latents) >= _AT_ONCE:
            self._encode()
        self._in_block += 1
        if self._in_block == self._block:
            self.flush()

    def flush(self) -> None:
        """Write what is not written yet, as the last and smaller record."""
        self._write_record()
        self._in_block = 0

    def _encode(self) -> None:
        latents, self._latents = self._latents, []
        if len({sample.shape for sample in latents}) == 1:
            payloads = self._coder.encode(np.stack(latents))
        else:
            payloads = [self._coder.encode(sample[None])[0] for sample in latents]
        self._coded += [
            _Coded(payload, sample.shape, latents_crc(sample))
            for payload, sample in zip(payloads, latents, strict=True)
        ]

    def _write_record(self) -> None:
        if not self._rows:
            return
        self._encode()
        coded, rows = self._coded, self._rows
        self._coded, self._rows = [], []
        if self._sizes:
            rows = [{**row, "bytes": np.int32(len(one.payload))} for row, one in zip(rows, coded, strict=True)]
        for view in range(self._views):
            self._add_record(coded[view :: self._views], rows[view :: self._views])

    def _add_record(self, coded: list[_Coded], rows: list[Mapping[str, Any]]) -> None:
        name = f"{self._name}-{self._records:04d}"
        if self._layout == "records":
            self._write(f"{name}.wlc", coded, rows)
        else:
            for index, row in enumerate(rows):
                key, one = f"{name}-{index:04d}", slice(index, index + 1)
                columns = self._write(f"{key}.wlc", coded[one], rows[one])
                if isinstance(columns.get("label"), np.ndarray):
                    self._writer.add(f"{key}.cls", str(row["label"]).encode())
                self._writer.add(f"{key}.json", json.dumps(_members(columns)).encode())
        self._records += 1
        self.samples += len(rows)
        self.payload_bytes += sum(len(one.payload) for one in coded)

    def _write(self, member: str, coded: list[_Coded], rows: list[Mapping[str, Any]]) -> dict[str, Column]:
        columns = columns_of(rows)
        payloads, shapes, crcs = zip(*coded, strict=True)
        data = pack_payloads(payloads, shapes, crcs, columns, coder_id=self._coder.id, fingerprint=self._fingerprint)
        self._writer.add(member, data, samples=len(rows))
        kinds = {name: column_type(column) for name, column in columns.items()}
        kinds["latents"] = f"int8[{','.join(map(str, shapes[0]))}]" if len(set(shapes)) == 1 else "json"
        for name, kind in kinds.items():
            self.columns[name] = joined(self.columns.get(name, kind), kind)
        return columns


def _row_bytes(row: Mapping[str, Any]) -> int:
    """About what a row needs in a record, where that is much."""
    sizes = [len(value) for value in row.values() if isinstance(value, bytes | str)]
    return sum(sizes) + sum(value.nbytes for value in row.values() if isinstance(value, np.ndarray))


def _members(columns: Mapping[str, Column]) -> dict[str, Any]:
    """A sample's columns for readers of JSON: the key, its sizes, then all but the label that JSON can hold."""
    values = {
        name: column[0].tolist() if isinstance(column, np.ndarray) else column[0] for name, column in columns.items()
    }
    first = [name for name in ("key", "size", "original_size") if name in values]
    names = first + [name for name in values if name not in (*first, "label")]
    return {name: values[name] for name in names if not isinstance(values[name], bytes)}
