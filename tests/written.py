"""Datasets of latents and columns that a test makes up."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data import Codec
from walloc_data.dataset_codec import write_dataset_codec
from walloc_data.entropy import coder_class
from walloc_data.format import CODEC_FILE, Manifest, ShardInfo, ShardWriter
from walloc_data.write.pack import Packer
from walloc_data.write.rows import joined


def write_dataset(
    out: Path,
    codec: Codec,
    latents: Sequence[NDArray[np.int8]],
    columns: Mapping[str, Any],
    *,
    coder: str = "zstd",
    block: int = 8,
    shard_samples: int = 20,
    **facts: Any,
) -> Path:
    """A dataset of one split `train`, with columns of so many values; `facts` are fields of its manifest."""
    out.mkdir(parents=True)
    fitted = coder_class(coder).fit(list(latents[:64]))
    write_dataset_codec(out, codec, fitted)
    shards: list[ShardInfo] = []
    types: dict[str, str] = {}
    for first in range(0, len(latents), shard_samples):
        path, last = out / f"train-{len(shards):05d}.tar", min(first + shard_samples, len(latents))
        with ShardWriter(path) as writer:
            packer = Packer(
                writer, path.stem, coder=fitted, fingerprint=codec.fingerprint, layout="records", block=block
            )
            for sample in range(first, last):
                packer.add(latents[sample], {name: column[sample] for name, column in columns.items()})
            packer.flush()
        for name, kind in packer.columns.items():
            types[name] = joined(types.get(name, kind), kind)
        shards.append(
            ShardInfo(
                name=path.name,
                samples=last - first,
                records=writer.records,
                bytes=writer.bytes,
                payload_bytes=packer.payload_bytes,
                sha256=writer.digest.hexdigest(),
            )
        )
    Manifest(
        codec=codec.name,
        fingerprint=codec.fingerprint,
        codec_sha256=hashlib.sha256((out / CODEC_FILE).read_bytes()).hexdigest(),
        coder=fitted.name,
        layout="records",
        block=block,
        splits={"train": shards},
        **{"columns": types, **facts},
    ).write(out)
    return out
