"""Pairs of signals on disk: as arrays, or as latents in a dataset of the library."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from walloc_data import Codec, LatentDataset
from walloc_data.dataset_codec import write_dataset_codec
from walloc_data.entropy import RansCoder
from walloc_data.format import CODEC_FILE, Manifest, ShardInfo, ShardWriter, pack_record

__all__ = ["Pairs", "folder_bytes", "store_arrays", "store_latents"]

_BATCH, _BLOCK, _CODER_SAMPLES = 16, 64, 256


class Pairs(Dataset[Tensor]):
    """A mixture and its stem by number, `[2, c, n]` or `[2, n]`, of samples that lie one after the other."""

    def __init__(self, count: int, read: Callable[[list[int]], list[Tensor]]) -> None:
        """`read` gives the samples of numbers."""
        self.count, self.read = count, read

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Tensor:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: list[int]) -> list[Tensor]:
        """Whole batches at once, as the `DataLoader` asks for them."""
        samples = self.read([2 * index + which for index in indices for which in (0, 1)])
        return [torch.stack([one, two]) for one, two in zip(samples[::2], samples[1::2], strict=True)]


def store_arrays(signals: Mapping[str, Tensor], out: Path, stored: Callable[[Tensor], Tensor]) -> dict[str, Pairs]:
    """Pairs `[songs, 2, samples]` a split, kept in `out/SPLIT.npy` as what `stored` makes of a batch; made once."""
    out.mkdir(parents=True, exist_ok=True)
    splits = {}
    for split, pairs in signals.items():
        path = out / f"{split}.npy"
        if not path.exists():
            unfinished = path.with_suffix(".unfinished.npy")
            np.save(unfinished, torch.cat([stored(batch) for batch in _batches(pairs)]).numpy())
            unfinished.rename(path)
        splits[split] = Pairs(len(pairs), partial(_rows, np.load(path, mmap_mode="r")))
    return splits


def store_latents(signals: Mapping[str, Tensor], out: Path, codec: Codec) -> dict[str, Pairs]:
    """The same as latents in records, with the library's smallest coder: a dataset that `LatentDataset` reads.

    Written with the pieces of the library's write path, which has no source of sound.
    """
    if not (out / "walloc.json").exists():
        out.mkdir(parents=True, exist_ok=True)
        latents = {
            split: [z for batch in _batches(pairs) for z in codec.encode(batch[:, None]).numpy()]
            for split, pairs in signals.items()
        }
        coder = RansCoder.fit(latents["train"][:: -(-len(latents["train"]) // _CODER_SAMPLES)])
        write_dataset_codec(out, codec, coder)
        shards = {
            split: [_write_shard(out / f"{split}-00000.tar", samples, codec, coder)]
            for split, samples in latents.items()
        }
        Manifest(
            codec=codec.name,
            fingerprint=codec.fingerprint,
            codec_sha256=hashlib.sha256((out / CODEC_FILE).read_bytes()).hexdigest(),
            coder=coder.name,
            layout="records",
            block=_BLOCK,
            splits=shards,
        ).write(out)
    return {split: Pairs(len(pairs), partial(_latents, LatentDataset(out, split))) for split, pairs in signals.items()}


def folder_bytes(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.iterdir())


def _write_shard(path: Path, latents: list[NDArray[np.int8]], codec: Codec, coder: RansCoder) -> ShardInfo:
    payload_bytes = 0
    with ShardWriter(path) as writer:
        for start in range(0, len(latents), _BLOCK):
            block = latents[start : start + _BLOCK]
            payloads = coder.encode(np.stack(block))
            payload_bytes += sum(map(len, payloads))
            record = pack_record(payloads, block, {}, coder_id=coder.id, fingerprint=codec.fingerprint)
            writer.add(f"{path.stem}-{start // _BLOCK:04d}.wlc", record, samples=len(block))
    return ShardInfo(
        name=path.name,
        samples=len(latents),
        records=writer.records,
        bytes=writer.bytes,
        payload_bytes=payload_bytes,
        sha256=writer.digest.hexdigest(),
    )


def _batches(pairs: Tensor) -> Iterator[Tensor]:
    """Signals `[B, samples]`, mixtures and stems in the order they are stored in."""
    yield from torch.split(pairs.flatten(0, 1), _BATCH)


def _rows(array: NDArray[np.generic], numbers: list[int]) -> list[Tensor]:
    return list(torch.from_numpy(array[numbers]))


def _latents(data: LatentDataset, numbers: list[int]) -> list[Tensor]:
    return [z for z, _ in data.__getitems__(numbers)]
