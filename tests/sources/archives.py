"""Tars of WebDataset that tests make, and tables of files."""

import io
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet


def write_tar(path: Path, members: Iterable[tuple[str, bytes]], kind: int = tarfile.PAX_FORMAT) -> Path:
    """A tar of members by name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=kind) as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def write_table(path: Path, column: str, files: Iterable[Path], **columns: Sequence[Any]) -> Path:
    """Parquet of the bytes and names of files, as Hugging Face has them, and of columns with a value for each."""
    rows = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
    parquet.write_table(pyarrow.table({column: rows, **columns}), path)
    return path


def packed(root: Path, column: str, files: Sequence[Path], **columns: Sequence[Any]) -> tuple[Path, Path]:
    """A tar of files by their names alone, and a table of them."""
    tar = write_tar(root / "train.tar", [(file.name, file.read_bytes()) for file in files])
    return tar, write_table(root / "train.parquet", column, files, **columns)


def members_of(photos: Path, split: str) -> list[tuple[str, bytes]]:
    """The photographs of a folder `split/class/name` as members `class/name`, with a `cls` each."""
    files = sorted((photos / split).rglob("*.jpg"))
    classes = sorted({path.parent.name for path in photos.rglob("*.jpg")})
    members = []
    for file in files:
        name = file.relative_to(photos / split).as_posix()
        members += [(name, file.read_bytes()), (name[:-3] + "cls", str(classes.index(file.parent.name)).encode())]
    return members
