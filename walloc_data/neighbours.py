"""What other readers of WebDataset tars need to understand a `.wlc` member."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from walloc_data.entropy import Coder
from walloc_data.errors import FormatError
from walloc_data.format import Manifest
from walloc_data.read.opened import open_dataset
from walloc_data.read.payloads import decode_payloads, stored_payloads
from walloc_data.read.records import parse_record
from walloc_data.read.samples import as_list

__all__ = ["latent_decoder"]


def latent_decoder(root: str | os.PathLike[str], *, channels: int | None = None) -> Callable[[str, bytes], Any]:
    """A decode handler for `webdataset`: `WebDataset(urls).decode(latent_decoder(root))`. It can be pickled.

    `root` is the dataset, a folder or a URL (for its `walloc.json` and `codec.safetensors`; the tars may be elsewhere).
    A `.wlc` member becomes, in the layout `samples`, latents int8 `[c, *space]`; in the layout `records`, a
    list of samples, each a dict with `latents` and the columns `label`, `key`, `size`, `original_size`. Of the latents,
    the first `channels` (None: all).
    `(key, data)` with any other extension gives None, which passes it to the next handler. The
    handler raises `FormatError` for a record that is damaged or of another dataset.
    """
    opened = open_dataset(root)
    if channels is not None:
        channels = opened.codec.prefix(channels).channels
    return _Decoder(opened.manifest, opened.coder, channels)


@dataclass(frozen=True)
class _Decoder:
    manifest: Manifest
    coder: Coder
    channels: int | None

    def __call__(self, key: str, data: bytes) -> Any:
        if key.rsplit(".", 1)[-1] != "wlc":
            return None
        where = f"member {key}"
        record = parse_record(data, fingerprint=self.manifest.fingerprint, coder=self.coder, where=where)
        slots = np.arange(len(record))
        decoded, broken = decode_payloads(stored_payloads(record, data, self.coder, slots, slots, self.channels))
        if broken.any():
            raise FormatError(f"{where}, sample {broken.argmax()}: damaged")
        latents = [torch.from_numpy(sample) for sample in decoded]
        if self.manifest.layout == "samples":
            return latents[0]
        columns = {name: as_list(column) for name, column in record.columns(data, where=where).items()}
        return [
            {"latents": sample, **{name: values[slot] for name, values in columns.items()}}
            for slot, sample in enumerate(latents)
        ]
