"""Folders of real photographs for the tests, and what is in folders."""

import re
from pathlib import Path

from benchmarks.photographs import CLASSES, window

__all__ = ["CLASSES", "contents", "made", "window", "write_folder"]

_TIMES = re.compile(rb',\s*"source": "[0-9a-f]{16}"|,\s*"checksum": "[0-9a-f]{64}"')


def write_folder(root: Path, *, count: int = 20, splits: tuple[str, ...] = ("train", "val")) -> Path:
    """An image folder `root/split/class/NNN.jpg` with `count` images a class in the first split, 4 in the others."""
    for place, split in enumerate(splits):
        for name in CLASSES:
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count if place == 0 else 4):
                window(name, number + 100 * place).save(folder / f"{number:03d}.jpg", quality=92)
    return root


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of every file in a folder, by name."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def made(folder: Path) -> dict[str, bytes]:
    """The same of a dataset, but for the journal, and what the manifest says of the times of source files
    (and hence its checksum)."""
    found = contents(folder)
    found = {name: data for name, data in found.items() if name != ".walloc-journal.jsonl"}
    return {name: _TIMES.sub(b"", data) if name == "walloc.json" else data for name, data in found.items()}
