"""What other readers of WebDataset tars need to understand a `.wlc` member."""

import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from walloc_data.bundle import read_bundle
from walloc_data.errors import FormatError
from walloc_data.format import Manifest, Record

__all__ = ["latent_decoder"]


def latent_decoder(root: str | os.PathLike[str]) -> Callable[[str, bytes], Any]:
    """A decode handler for `webdataset`: `WebDataset(urls).decode(latent_decoder(root))`.

    `root` is the dataset folder (for its `walloc.json` and `codec.safetensors`; the tars may be elsewhere).
    A `.wlc` member becomes, in the layout `samples`, latents int8 `[c, *space]`; in the layout `records`, a
    list of samples, each a dict with `latents` and the columns `label`, `key`, `size`, `original_size`.
    `(key, data)` with any other extension gives None, which passes it to the next handler. The
    handler raises `FormatError` for a record that is damaged or of another dataset.
    """
    manifest = Manifest.read(Path(root))
    _, coder = read_bundle(Path(root))

    def decode(key: str, data: bytes) -> Any:
        if key.rsplit(".", 1)[-1] != "wlc":
            return None
        record = Record.parse(data, where=f"member {key}")
        if record.fingerprint != manifest.fingerprint or record.coder_id != coder.id:
            raise FormatError(
                f"member {key} was made by codec {record.fingerprint}, and {root} by {manifest.fingerprint}"
            )
        latents = [np.empty(record.latent_shape(sample), np.int8) for sample in range(len(record))]
        for sample, out in enumerate(latents):
            coder.decode(data, record.segments[sample : sample + 1], out[None])
            if zlib.crc32(out.data) != record.crcs[sample]:
                raise FormatError(f"member {key}, sample {sample}: damaged (CRC32)")
        if manifest.layout == "samples":
            return torch.from_numpy(latents[0])
        columns = record.columns(data, where=f"member {key}")
        return [
            {"latents": torch.from_numpy(out)}
            | {name: v[i].tolist() if isinstance(v, np.ndarray) else v[i] for name, v in columns.items()}
            for i, out in enumerate(latents)
        ]

    return decode
