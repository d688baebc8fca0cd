"""The read path, map-style: samples by number, a drop-in for `ImageFolder`."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from walloc_data.codec import crop
from walloc_data.errors import DatasetError
from walloc_data.read.opened import open_dataset
from walloc_data.read.reader import SplitReader
from walloc_data.storage import StorageOptions

__all__ = ["LatentDataset"]

_DECODES = ("latents", "float", "pixels")


class LatentDataset(Dataset[tuple[Any, Any]]):
    """Samples `(x, y)` of a split of a dataset, in a folder or at a URL (`hf://user/name`, `https://`, `s3://`).

    `decode` says what x is: `"latents"`, int8 `[c, *space / f]`; `"float"`, float32 of the same shape,
    dequantised; `"pixels"`, float32 `[C, *space]` in the range of the codec, without padding. y is the label
    (int; -1 in a dataset without labels). `transform` and `target_transform` are applied to one x and y.
    The `DataLoader` asks for whole batches (`__getitems__`), so each record is opened once a batch.

    `storage` says how what is remote is fetched and cached.

    Raises `FormatError`, `CodecError` or `CoderError` for a dataset that is damaged or of another version,
    `DatasetError` for one that cannot be reached or has no such split. A damaged sample raises when it is read.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str = "train",
        *,
        transform: Callable[[Tensor], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
        decode: str = "latents",
        storage: StorageOptions | None = None,
    ) -> None:
        if decode not in _DECODES:
            raise DatasetError(f"decode={decode!r} is not one of {_DECODES}")
        self.split, self.decode = split, decode
        self.transform, self.target_transform = transform, target_transform
        opened = open_dataset(root, storage)
        self.root, self.manifest, self.codec = opened.storage.url, opened.manifest, opened.codec
        self._reader = SplitReader([opened], split)

    def __repr__(self) -> str:
        return f"LatentDataset({self.root!r}, split={self.split!r}): {len(self)} samples, codec {self.codec.name}"

    def __len__(self) -> int:
        return len(self._reader)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.__getitems__([index])[0]

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return (self[index] for index in range(len(self)))

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Any, Any]]:
        """Samples by number (from 0, or from -1 backwards) in the order asked for: what the `DataLoader` calls."""
        numbers = np.asarray(indices, np.int64)
        if not len(numbers):
            return []
        numbers = np.where(numbers < 0, numbers + len(self), numbers)
        if numbers.min() < 0 or numbers.max() >= len(self):
            raise IndexError(f"index out of range of {len(self)} samples")
        found = self._reader.read(numbers, ["label"])
        samples = self._decode(found.latents, numbers)
        targets = [-1 if label is None else label for label in found.columns["label"]]
        if self.transform is not None:
            samples = [self.transform(sample) for sample in samples]
        if self.target_transform is not None:
            targets = [self.target_transform(target) for target in targets]
        return list(zip(samples, targets, strict=True))

    @property
    def classes(self) -> list[str]:
        """Names of the classes; a label is a place in this list. Empty in a dataset without labels."""
        return list(self.manifest.classes.get("label", []))

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Labels by name of the class."""
        return {name: label for label, name in enumerate(self.classes)}

    @cached_property
    def targets(self) -> list[int]:
        """The label of every sample (-1 without labels). Reads all records' columns once, and keeps them."""
        return [-1 if label is None else label for label in self._reader.column("label")]

    def fields(self, index: int) -> dict[str, Any]:
        """What else is stored of a sample: `label`, `key`, `size` as encoded and `original_size`, both (H, W)."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} out of range of {len(self)} samples")
        return self._reader.columns(index % len(self))

    def _decode(self, latents: Any, numbers: Any) -> Sequence[Any]:
        batches = (
            [torch.from_numpy(latents)]
            if isinstance(latents, np.ndarray)
            else [torch.from_numpy(z)[None] for z in latents]
        )
        if self.decode == "latents":
            return [sample for batch in batches for sample in batch.unbind()]
        if self.decode == "float":
            return [sample for batch in batches for sample in self.codec.dequantize(batch).unbind()]
        sizes = [tuple(self._reader.columns(int(number))["size"]) for number in numbers]
        pixels = [image for batch in batches for image in self.codec.decode(batch)[:, None]]
        return [crop(image, size, self.codec.factor)[0] for image, size in zip(pixels, sizes, strict=True)]
