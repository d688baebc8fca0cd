"""Folders of images: their files and labels, and each as a tensor."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from walloc_data import Files, ImageReader, Source, open_source
from walloc_data.errors import SourceError
from walloc_data.sources import list_files

__all__ = ["Images", "labels", "list_images", "open_images", "paths", "read_image"]


@dataclass(frozen=True)
class Images(Source):
    """A source whose samples are image files."""

    splits: Mapping[str, Files]

    @property
    def class_names(self) -> list[str]:
        """What labels stand for; empty where there are none."""
        return self.classes.get("label", [])


def open_images(folder: Path) -> Images:
    """An image folder, listed as `shard_dataset` lists it. Raises `SourceError` for what is none."""
    found = open_source(folder, suffixes=ImageReader.suffixes)
    splits = {name: split for name, split in found.splits.items() if isinstance(split, Files)}
    if len(splits) < len(found.splits):
        raise SourceError(f"{folder} holds samples that are no files of their own: give a folder of images")
    return Images(found.name, splits, found.classes, found.notes)


def list_images(*folders: Path) -> list[Path]:
    """Every image below the folders, one folder after the other, each in the order of its paths."""
    return [path for folder in folders for path in list_files(folder, ImageReader.suffixes)]


def paths(files: Files) -> list[Path]:
    """Where the files of a split are, in their order."""
    return [files.path(index) for index in range(len(files))]


def labels(files: Files) -> list[int]:
    """The label of each file of a split; -1 where there are none."""
    known = files.fields.get("label")
    return [-1] * len(files) if known is None else [int(label) for label in known]


def read_image(path: Path, reader: ImageReader) -> Tensor:
    """An image as the reader gives it, uint8 `[C, H, W]`."""
    return torch.from_numpy(reader.read(path.read_bytes(), str(path)).values)
