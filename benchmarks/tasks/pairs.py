"""Pairs of signals on disk: as arrays, or as latents in a dataset of the library."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from walloc_data import AudioReader, Codec, LatentDataset, Options, shard_dataset

__all__ = ["Pairs", "folder_bytes", "store_arrays", "store_latents"]

_BATCH = 16


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
            batches = torch.split(pairs.flatten(0, 1), _BATCH)
            np.save(unfinished, torch.cat([stored(batch) for batch in batches]).numpy())
            unfinished.rename(path)
        splits[split] = Pairs(len(pairs), partial(_rows, np.load(path, mmap_mode="r")))
    return splits


def store_latents(signals: Mapping[str, Tensor], out: Path, codec: Codec) -> dict[str, Pairs]:
    """The same as latents in a dataset of the library, in this order."""
    if not (out / "walloc.json").exists():
        samples = {split: pairs.flatten(0, 1)[:, None].numpy() for split, pairs in signals.items()}
        shard_dataset(samples, out, codec=codec, reader=AudioReader(channels=1), options=Options(shuffle=False))
    return {split: Pairs(len(pairs), partial(_latents, LatentDataset(out, split))) for split, pairs in signals.items()}


def folder_bytes(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.iterdir())


def _rows(array: NDArray[np.generic], numbers: list[int]) -> list[Tensor]:
    return list(torch.from_numpy(array[numbers]))


def _latents(data: LatentDataset, numbers: list[int]) -> list[Tensor]:
    return [z for z, _ in data.__getitems__(numbers)]
