"""Pixels as they are usually stored: JPEG files read with Pillow, or raw bytes in one file."""

import io
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from benchmarks.images import Images, labels, paths, read_image
from walloc_data import ImageReader

__all__ = ["JpegSplit", "RawSplit", "store_jpeg", "store_raw", "window"]


class JpegSplit(Dataset[tuple[Tensor, int]]):
    """JPEG files by number, with their labels: uint8 `[3, side, side]` and an int."""

    def __init__(self, folder: Path, labels: Sequence[int]) -> None:
        self.folder, self.labels = folder, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        with Image.open(self.folder / f"{index:06d}.jpg") as image:
            return torch.from_numpy(np.array(image)).permute(2, 0, 1), self.labels[index]


class RawSplit(Dataset[tuple[Tensor, int]]):
    """Pixels mapped from one file, with their labels: uint8 `[3, side, side]` and an int."""

    def __init__(self, file: Path, labels: Sequence[int]) -> None:
        self.pixels, self.labels = np.load(file, mmap_mode="r"), labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return torch.from_numpy(self.pixels[index].copy()), self.labels[index]

    def __getitems__(self, indices: list[int]) -> list[tuple[Tensor, int]]:
        """Whole batches at once, as `LatentDataset` gives them."""
        pixels = torch.from_numpy(self.pixels[indices])
        return [(sample, self.labels[index]) for sample, index in zip(pixels, indices, strict=True)]


def store_jpeg(source: Images, out: Path, *, size: int, side: int, quality: int) -> dict[str, JpegSplit]:
    """The images of a source at `size`, downscaled to `side`, as JPEG files below `out`; made once."""
    if not out.exists():
        unfinished = _empty(out)
        for split, pictures in _pictures(source, size, side):
            (unfinished / split).mkdir()
            for number, picture in pictures:
                file = io.BytesIO()
                picture.save(file, "JPEG", quality=quality)
                (unfinished / split / f"{number:06d}.jpg").write_bytes(file.getvalue())
        unfinished.rename(out)
    return {split: JpegSplit(out / split, labels(files)) for split, files in source.splits.items()}


def store_raw(source: Images, out: Path, *, size: int, side: int) -> dict[str, RawSplit]:
    """The same as arrays uint8 `[N, 3, side, side]` in `out/SPLIT.npy`; made once."""
    if not out.exists():
        unfinished = _empty(out)
        for split, pictures in _pictures(source, size, side):
            arrays = [np.asarray(picture).transpose(2, 0, 1) for _, picture in pictures]
            np.save(unfinished / f"{split}.npy", np.stack(arrays))
        unfinished.rename(out)
    return {split: RawSplit(out / f"{split}.npy", labels(files)) for split, files in source.splits.items()}


def window(x: Tensor, side: int, *, step: int, anywhere: bool) -> Tensor:
    """Squares `[B, C, side, side]` of a batch: the middle, or `anywhere`, each at a multiple of `step` of its own."""
    room = x.shape[-1] - side
    if not room:
        return x
    if not anywhere:
        return x[..., room // 2 : room // 2 + side, room // 2 : room // 2 + side]
    starts = (torch.randint(room // step + 1, (len(x), 2)) * step).tolist()
    return torch.stack([each[:, y : y + side, x_ : x_ + side] for each, (y, x_) in zip(x, starts, strict=True)])


def _empty(out: Path) -> Path:
    unfinished = out.with_name(out.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    return unfinished


def _pictures(source: Images, size: int, side: int) -> Iterator[tuple[str, Iterator[tuple[int, Image.Image]]]]:
    reader = ImageReader(size=size)
    for split, files in source.splits.items():
        read = (Image.fromarray(read_image(path, reader).permute(1, 2, 0).numpy()) for path in paths(files))
        yield split, enumerate(picture.resize((side, side), Image.Resampling.LANCZOS) for picture in read)
