"""Latents and rows to the records of a shard."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy import Coder
from walloc_data.format import Column, ShardWriter, pack_record
from walloc_data.write.rows import column_type, columns_of, joined

__all__ = ["Packer"]


class Packer:
    """Puts samples into the records of a shard called `name`: `block` a record, or a record each in `layout` samples.

    What it has written: `samples`, bytes of their payloads, and the type of each column and of latents, joined over
    records: `int8[12,32,32]`, or `json` where their shapes differ.
    """

    def __init__(
        self, writer: ShardWriter, name: str, *, coder: Coder, fingerprint: str, layout: str, block: int
    ) -> None:
        self._writer, self._name, self._coder, self._fingerprint = writer, name, coder, fingerprint
        self._layout, self._block = layout, block
        self._latents: list[NDArray[np.int8]] = []
        self._rows: list[Mapping[str, Any]] = []
        self._blocks = self.samples = self.payload_bytes = 0
        self.columns: dict[str, str] = {}

    def add(self, latents: NDArray[np.int8], row: Mapping[str, Any]) -> None:
        """Take a sample, latents int8 `[c, *space]`, and write its record when that is full."""
        self._latents.append(latents)
        self._rows.append(row)
        if len(self._rows) == self._block:
            self.flush()

    def flush(self) -> None:
        """Write what is not written yet, as the last and smaller record."""
        if not self._rows:
            return
        latents, rows = self._latents, self._rows
        self._latents, self._rows = [], []
        if all(sample.shape == latents[0].shape for sample in latents):
            payloads = self._coder.encode(np.stack(latents))
        else:
            payloads = [self._coder.encode(sample[None])[0] for sample in latents]
        name = f"{self._name}-{self._blocks:04d}"
        if self._layout == "records":
            self._write(f"{name}.wlc", payloads, latents, rows)
        else:
            for index, row in enumerate(rows):
                key, one = f"{name}-{index:04d}", slice(index, index + 1)
                columns = self._write(f"{key}.wlc", payloads[one], latents[one], rows[one])
                if isinstance(columns.get("label"), np.ndarray):
                    self._writer.add(f"{key}.cls", str(row["label"]).encode())
                self._writer.add(f"{key}.json", json.dumps(_members(columns)).encode())
        self._blocks += 1
        self.samples += len(rows)
        self.payload_bytes += sum(map(len, payloads))

    def _write(
        self, member: str, payloads: list[bytes], latents: list[NDArray[np.int8]], rows: list[Mapping[str, Any]]
    ) -> dict[str, Column]:
        columns = columns_of(rows)
        data = pack_record(payloads, latents, columns, coder_id=self._coder.id, fingerprint=self._fingerprint)
        self._writer.add(member, data, samples=len(rows))
        shapes = {sample.shape for sample in latents}
        kinds = {name: column_type(column) for name, column in columns.items()}
        kinds["latents"] = f"int8[{','.join(map(str, shapes.pop()))}]" if len(shapes) == 1 else "json"
        for name, kind in kinds.items():
            self.columns[name] = joined(self.columns.get(name, kind), kind)
        return columns


def _members(columns: Mapping[str, Column]) -> dict[str, Any]:
    """A sample's columns for readers of JSON: the key, its sizes, then all but the label that JSON can hold."""
    values = {
        name: column[0].tolist() if isinstance(column, np.ndarray) else column[0] for name, column in columns.items()
    }
    first = [name for name in ("key", "size", "original_size") if name in values]
    names = first + [name for name in values if name not in (*first, "label")]
    return {name: values[name] for name in names if not isinstance(values[name], bytes)}
