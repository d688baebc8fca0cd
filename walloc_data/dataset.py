"""The read path, map-style: samples by number, a drop-in for `ImageFolder`."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from walloc_data.codec import Codec
from walloc_data.errors import DatasetError
from walloc_data.numbers import whole_number
from walloc_data.order import Views
from walloc_data.read.batches import Batches
from walloc_data.read.choice import Choice
from walloc_data.read.collating import collate
from walloc_data.read.opened import any_ragged, decoded_by, open_dataset
from walloc_data.read.place import Place
from walloc_data.read.reader import SplitReader
from walloc_data.storage import StorageOptions

__all__ = ["LatentDataset"]


class LatentDataset(Dataset[Any]):
    """Samples `(x, y)` of a split of a dataset, in a folder or at a URL (`hf://user/name`, `https://`, `s3://`).

    `decode` says what x is: `"latents"`, int8 `[c, *space / f]`; `"float"`, float32 of the same shape, dequantised;
    `"signal"`, or of images also `"pixels"`, float32 `[C, *space]` in the range and the units of what was read, without
    padding; `"native"`, the same in its dtype: uint8 of images and video, int16 of sound, of arrays their own. y is the
    label (int; -1 in a dataset without labels). `transform` and `target_transform` are applied to one x and to one
    label. `channels` is how many of the first channels are read (None: all); `codec` is that of these.

    `columns` are given behind x, in their order; or a mapping of names to columns makes a dict of each sample, where
    `"latents"` stands for x: `{"pixel_values": "latents", "labels": "label"}`. Numbers are tensors of their dtype, but
    for labels, which are numbers of Python; all else is as it was stored.

    `where` keeps the samples of which it holds: comparisons of columns, `"label in (1, 5) and score > 0.5"`, with
    `and`, `or`, `not` and `is None`, or a function of a dict of them. Those kept are numbered from 0, in their order.
    To find them, the columns of all records are read when the dataset is opened, but no payload.

    The `DataLoader` asks for whole batches (`__getitems__`), so each record is opened once a batch. What differs in
    shape between samples, and is neither number nor text, comes as lists there (`LatentDataset.collate`).
    `codec` decodes in the place of the dataset's own: one of the same latents with a better decoder (of `walloc train
    --decoder-only`), or what `load_codec` takes; prefixes of channels are decoded linearly. `storage` says how what is
    remote is fetched and cached. Where samples have several views, `set_epoch` says of which epoch they are shown.

    Raises `FormatError`, `CodecError` or `CoderError` for a dataset that is damaged or of another version,
    `DatasetError` for one that cannot be reached or has no such split, and for options that do not go together. A
    damaged sample raises when it is read; a prefix of channels is not checked by the CRC, which is of all of them.
    """

    collate = staticmethod(collate)

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str = "train",
        *,
        columns: Sequence[str] | Mapping[str, str] = ("label",),
        channels: int | None = None,
        where: str | Callable[[Mapping[str, Any]], Any] | None = None,
        decode: str = "latents",
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        codec: Codec | str | os.PathLike[str] | None = None,
        storage: StorageOptions | None = None,
    ) -> None:
        if not isinstance(split, str):
            raise DatasetError(
                f"split is a name, such as 'train', not {split!r}: a transform is given as transform=..."
            )
        opened = decoded_by(open_dataset(root, storage), codec)
        self.split, self.decode = split, decode
        if target_transform is not None and not callable(target_transform):
            raise DatasetError(f"target_transform is a function of a label, not {target_transform!r}")
        self.transform, self.target_transform = transform, target_transform
        self.root, self.manifest = opened.storage.url, opened.manifest
        self.codec = opened.codec if channels is None else opened.codec.prefix(channels)
        self._reader = SplitReader([opened], split, channels=channels, where=where)
        self._turns: Views | None = None
        if self._reader.views > 1:
            self._turns, self._place = self._reader.turns(seed=0), Place()
        choice = Choice(columns, decode, transform, self.codec)
        self._batches = Batches(self._reader, choice, ragged=any_ragged([opened], decoded=choice.decoded))

    def __repr__(self) -> str:
        return f"LatentDataset({self.root!r}, split={self.split!r}): {len(self)} samples, codec {self.codec.name}"

    def __len__(self) -> int:
        return len(self._reader)

    def __getitem__(self, index: int) -> Any:
        return self.__getitems__([index])[0]

    def set_epoch(self, epoch: int) -> None:
        """Of samples with several views, show those of that epoch (0, until it is set); call it before each epoch.

        Workers of a `DataLoader` that live on see it too. Raises `DatasetError` for what is no number from 0 on.
        """
        epoch = whole_number("epoch", epoch, least=0)
        if self._turns is not None:
            self._place.set(epoch, 0)

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Samples by number (from 0, or from -1 backwards) in the order asked for: what the `DataLoader` calls."""
        numbers = np.asarray(indices)
        if not len(numbers):
            return []
        if numbers.dtype.kind not in "iu" or numbers.ndim != 1:
            raise DatasetError(f"samples go by whole numbers, not by {indices!r}")
        numbers = np.where(numbers < 0, numbers + len(self), numbers)
        if numbers.min() < 0 or numbers.max() >= len(self):
            raise IndexError(f"index out of range of {len(self)} samples")
        return self._batches.samples(self._entries(numbers), self.transform, self.target_transform)

    @property
    def classes(self) -> list[str]:
        """Names of the classes; a label is a place in this list. Empty in a dataset without labels."""
        return list(self.manifest.classes.get("label", []))

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Labels by name of the class."""
        return {name: label for label, name in enumerate(self.classes)}

    @cached_property
    def targets(self) -> list[Any]:
        """The label of every sample (-1 without labels). Reads all records' columns once, and keeps them."""
        return self._reader.column("label")

    @cached_property
    def samples(self) -> list[tuple[str, Any]]:
        """The key (the path below the source folder) and label of every sample, as in `ImageFolder`; read as `targets`.

        The order is that of this dataset, which is shuffled once when it is made: see docs/coming-from-imagefolder.md.
        """
        return list(zip(self._reader.column("key"), self.targets, strict=True))

    @property
    def imgs(self) -> list[tuple[str, Any]]:
        """`samples`."""
        return self.samples

    def fields(self, index: int) -> dict[str, Any]:
        """What else is stored of a sample: `label`, `key`, its `size` as encoded and its `original_size`, both in space
        (H, W of an image), and whatever its reader and its source said."""
        index = whole_number("index", index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} out of range of {len(self)} samples")
        return self._reader.columns(int(self._entries(np.array([index % len(self)]))[0]))

    def _entries(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """What the reader calls samples in this epoch."""
        return numbers if self._turns is None else self._turns.entries(numbers, self._place.epoch)
