"""`codec.safetensors` of a dataset: the codec and the coder's tables, so that a dataset is complete by itself."""

import hashlib
from functools import partial
from pathlib import Path

import numpy as np
import torch

from walloc_data.codec import Codec, codec_of, parse_tensors, write_tensors
from walloc_data.entropy import Coder, load_coder
from walloc_data.errors import CodecError
from walloc_data.format import CODEC_FILE, MANIFEST_FILE
from walloc_data.storage import Storage, read_parsed

__all__ = ["read_dataset_codec", "read_former_coder", "write_dataset_codec"]

_PREFIX = "coder."
_FORMER = "former."  # and the name of a coder: its tables, which readers pass over


def write_dataset_codec(folder: Path, codec: Codec, coder: Coder, *, former: Coder | None = None) -> None:
    """Write `codec.safetensors` in a folder, whole or not at all; with the tables of a `former` coder of the dataset,
    which gives the same payloads again only with these."""
    tensors, metadata = codec.state()
    for prefix, each in ((_PREFIX, coder), *([] if former is None else [(f"{_FORMER}{former.name}.", former)])):
        tensors |= {prefix + name: torch.from_numpy(np.array(table)) for name, table in each.tables().items()}
    write_tensors(folder / CODEC_FILE, tensors, {**metadata, "coder": coder.name})


def read_former_coder(storage: Storage, name: str, *, sha256: str) -> Coder | None:
    """The coder of a name that a dataset had before it was transcoded, if its tables were kept."""
    tensors, _ = parse_tensors(storage.read(CODEC_FILE, version=sha256), where=f"{storage.url}/{CODEC_FILE}")
    prefix = f"{_FORMER}{name}."
    tables = {each.removeprefix(prefix): table.numpy() for each, table in tensors.items() if each.startswith(prefix)}
    return load_coder(name, tables) if tables else None


def read_dataset_codec(storage: Storage, *, sha256: str | None = None) -> tuple[Codec, Coder]:
    """The codec and coder of a dataset. Raises `CodecError` or `CoderError` where they are not those of `sha256`."""
    return read_parsed(storage, CODEC_FILE, partial(_parse, storage, sha256), version=sha256 or "")


def _parse(storage: Storage, sha256: str | None, data: bytes) -> tuple[Codec, Coder]:
    where = f"{storage.url}/{CODEC_FILE}"
    tensors, metadata = parse_tensors(data, where=where)
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise CodecError(f"{where} is not the one that {MANIFEST_FILE} names: copy both again, or shard the data anew")
    codec = codec_of(tensors, metadata, origin=where)
    tables = {name.removeprefix(_PREFIX): t.numpy() for name, t in tensors.items() if name.startswith(_PREFIX)}
    return codec, load_coder(metadata.get("coder", ""), tables)
