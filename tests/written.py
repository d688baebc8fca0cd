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
from walloc_data.format import CODEC_FILE, Manifest, ShardInfo, ShardWriter, pack_record


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
    """A dataset of one split `train`, with columns as `pack_record` takes them; `facts` are fields of its manifest."""
    out.mkdir(parents=True)
    fitted = coder_class(coder).fit(list(latents[:64]))
    write_dataset_codec(out, codec, fitted)
    shards = []
    for first in range(0, len(latents), shard_samples):
        path, last = out / f"train-{len(shards):05d}.tar", min(first + shard_samples, len(latents))
        payload_bytes = 0
        with ShardWriter(path) as writer:
            for start in range(first, last, block):
                part = slice(start, min(start + block, last))
                payloads = [fitted.encode(z[None])[0] for z in latents[part]]
                payload_bytes += sum(map(len, payloads))
                some = {name: column[part] for name, column in columns.items()}
                record = pack_record(payloads, latents[part], some, coder_id=fitted.id, fingerprint=codec.fingerprint)
                writer.add(f"{path.stem}-{start:04d}.wlc", record, samples=len(payloads))
        shards.append(
            ShardInfo(
                name=path.name,
                samples=last - first,
                records=writer.records,
                bytes=writer.bytes,
                payload_bytes=payload_bytes,
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
        **facts,
    ).write(out)
    return out
