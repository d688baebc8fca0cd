"""The photographs of a folder as rows of tables."""

from pathlib import Path
from typing import Any

import datasets
import pyarrow
from pyarrow import parquet

CLASSES = ["astronaut", "chelsea", "flower"]


def rows_of(photos: Path, split: str) -> dict[str, list[Any]]:
    """Columns of a split: the file, its label, and the name of the file as key."""
    files = sorted((photos / split).rglob("*.jpg"))
    return {
        "image": [{"bytes": file.read_bytes(), "path": file.name} for file in files],
        "label": [CLASSES.index(file.parent.name) for file in files],
        "key": [file.relative_to(photos).as_posix() for file in files],
    }


def as_parquet(photos: Path, root: Path) -> Path:
    """Two files of train and one of val, in row groups of 7."""
    root.mkdir(parents=True)
    for split in ("train", "val"):
        table = pyarrow.table(rows_of(photos, split))
        for number, start in enumerate(range(0, len(table), 40)):
            parquet.write_table(table.slice(start, 40), root / f"{split}-{number:05d}.parquet", row_group_size=7)
    return root


def as_dataset(photos: Path) -> datasets.DatasetDict:
    """The same as an object of `datasets`."""
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=CLASSES), "key": datasets.Value("string")}
    )
    return datasets.DatasetDict(
        {split: datasets.Dataset.from_dict(rows_of(photos, split), features=features) for split in ("train", "val")}
    )


def as_saved(photos: Path, root: Path) -> Path:
    """The same as `save_to_disk` writes it."""
    as_dataset(photos).save_to_disk(root)
    return root
