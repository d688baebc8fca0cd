"""`codec.safetensors` of a dataset: the codec and the coder's tables, so that a dataset is complete by itself."""

import os
from pathlib import Path

import numpy as np
import torch

from walloc_data.codec import Codec, parse_tensors, write_tensors
from walloc_data.entropy import Coder, load_coder
from walloc_data.format import CODEC_FILE, Storage

__all__ = ["read_dataset_codec", "write_dataset_codec"]

_PREFIX = "coder."


def write_dataset_codec(folder: Path, codec: Codec, coder: Coder) -> None:
    """Write `codec.safetensors` in a folder, whole or not at all."""
    tensors, metadata = codec.state()
    tensors |= {_PREFIX + name: torch.from_numpy(np.array(table)) for name, table in coder.tables().items()}
    path = folder / CODEC_FILE
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    write_tensors(temporary, tensors, {**metadata, "coder": coder.name})
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)


def read_dataset_codec(storage: Storage, *, version: str = "") -> tuple[Codec, Coder]:
    """The codec and coder of a dataset. Raises `CodecError` or `CoderError` where they are damaged."""
    where = f"{storage.url}/{CODEC_FILE}"
    tensors, metadata = parse_tensors(storage.read(CODEC_FILE, version=version), where=where)
    codec = Codec.from_state(tensors, metadata, origin=where)
    tables = {name.removeprefix(_PREFIX): t.numpy() for name, t in tensors.items() if name.startswith(_PREFIX)}
    return codec, load_coder(metadata.get("coder", ""), tables)
