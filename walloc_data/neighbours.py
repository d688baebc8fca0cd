"""What other readers of WebDataset tars need to understand a `.wlc` member."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from walloc_data.crc import crc32
from walloc_data.entropy import Coder
from walloc_data.errors import CoderError, FormatError
from walloc_data.format import Manifest, Record
from walloc_data.read.opened import open_dataset

__all__ = ["latent_decoder"]


def latent_decoder(root: str | os.PathLike[str]) -> Callable[[str, bytes], Any]:
    """A decode handler for `webdataset`: `WebDataset(urls).decode(latent_decoder(root))`. It can be pickled.

    `root` is the dataset, a folder or a URL (for its `walloc.json` and `codec.safetensors`; the tars may be elsewhere).
    A `.wlc` member becomes, in the layout `samples`, latents int8 `[c, *space]`; in the layout `records`, a
    list of samples, each a dict with `latents` and the columns `label`, `key`, `size`, `original_size`.
    `(key, data)` with any other extension gives None, which passes it to the next handler. The
    handler raises `FormatError` for a record that is damaged or of another dataset.
    """
    opened = open_dataset(root)
    return _Decoder(opened.storage.url, opened.manifest, opened.coder)


@dataclass(frozen=True)
class _Decoder:
    root: str
    manifest: Manifest
    coder: Coder

    def __call__(self, key: str, data: bytes) -> Any:
        if key.rsplit(".", 1)[-1] != "wlc":
            return None
        where = f"member {key}"
        record = Record.parse(data, where=where)
        if record.fingerprint != self.manifest.fingerprint or record.coder_id != self.coder.id:
            raise FormatError(
                f"{where} was made by codec {record.fingerprint}, and {self.root} by {self.manifest.fingerprint}"
            )
        latents = [self._latents(record, sample, data, where) for sample in range(len(record))]
        if self.manifest.layout == "samples":
            return latents[0]
        columns = record.columns(data, where=where)
        return [
            {"latents": sample}
            | {name: v[i].tolist() if isinstance(v, np.ndarray) else v[i] for name, v in columns.items()}
            for i, sample in enumerate(latents)
        ]

    def _latents(self, record: Record, sample: int, data: bytes, where: str) -> torch.Tensor:
        out = np.empty(record.latent_shape(sample), np.int8)
        try:
            self.coder.decode(data, record.segments[sample : sample + 1], out[None])
        except CoderError as error:
            raise FormatError(f"{where}, sample {sample}: damaged ({error})") from error
        if crc32(out.data) != record.crcs[sample]:
            raise FormatError(f"{where}, sample {sample}: damaged (CRC32)")
        return torch.from_numpy(out)
