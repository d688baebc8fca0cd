"""Metadata beside the files of a folder, as `datasets` has it for folders of images and of sound."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from walloc_data.errors import SourceError
from walloc_data.sources.files import Files
from walloc_data.sources.listing import classified, parted
from walloc_data.sources.packed import Packed, pack
from walloc_data.sources.source import Source
from walloc_data.sources.table import files_column, read_table
from walloc_data.sources.walk import Walked

__all__ = ["METADATA", "Metadata", "read_metadata"]

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


class Metadata:
    """What the files `metadata.*` of a folder say of the files beside and below them: columns, and the row of a file.

    A file that two of them name has the row of the nearer one.
    """

    def __init__(self, root: Path, paths: Sequence[Path]) -> None:
        self.root, self.paths = root, paths
        self.rows: dict[str, int] = {}
        tables: list[dict[str, Packed]] = []
        lengths: list[int] = []
        for path in paths:
            columns = read_table(path)
            if not columns:
                continue
            names = columns.pop(files_column(columns, None, path))
            folder = path.parent.relative_to(root)
            for row, name in enumerate(names, sum(lengths)):
                self.rows[(folder / name).as_posix()] = row
            tables.append(columns)
            lengths.append(len(names))
        self.columns = {
            name: pack(_rows(tables, lengths, name)) for name in dict.fromkeys(name for one in tables for name in one)
        }

    def leaves_classes(self, names: Sequence[str]) -> bool:
        """Whether folders may be classes: those of files that are called so below their split."""
        folders = {name.split("/")[0] if "/" in name else "" for name in names}
        return "label" not in self.columns and len(folders) > 1 and "" not in folders

    def taken_from(self, walked: Walked) -> Walked:
        """What was walked through, without these files themselves."""
        own = Counter(path.suffix for path in self.paths)
        return replace(
            walked, others={suffix: n - own[suffix] for suffix, n in walked.others.items() if n > own[suffix]}
        )

    def added_to(self, source: Source) -> Source:
        """A source of files with these fields; those that are named nowhere have None."""
        splits = {name: self._filled(split) for name, split in source.splits.items() if isinstance(split, Files)}
        there = {name for split in splits.values() for name in split.names}
        unnamed, missing = [name for name in there if name not in self.rows], [n for n in self.rows if n not in there]
        notes, lists = [], ", ".join(path.relative_to(self.root).as_posix() for path in self.paths[:3])
        if missing:
            notes.append(f"{lists}: {len(missing)} files are named and not there, such as {min(missing)}")
        if unnamed:
            notes.append(
                f"{lists}: {len(unnamed)} files are not named, such as {min(unnamed)}: they have no fields; to leave "
                "them out, give the list itself as the source"
            )
        if len(splits) == 1 and "split" in self.columns:
            [files] = splits.values()
            splits = parted(files, lists, unsaid="train")
        return classified(replace(source, splits=splits, notes=[*source.notes, *notes]))

    def _filled(self, files: Files) -> Files:
        rows = [self.rows.get(name) for name in files.names]
        fields = {
            name: pack(None if row is None else _plain(values[row]) for row in rows)
            for name, values in self.columns.items()
        }
        return replace(files, fields={**files.fields, **fields})


def read_metadata(root: Path, names: Iterable[str]) -> Metadata | None:
    """The metadata of files below a folder, by their names there, in whatever folders on the way to them.

    None where there are none. Raises `SourceError` for two in one folder, and for what is no table that names files.
    """
    folders = {root}
    for inside in {name.rpartition("/")[0] for name in names}:
        folder = root / inside
        while folder not in folders:
            folders.add(folder)
            folder = folder.parent
    found = []
    for folder in sorted(folders, key=lambda folder: (len(folder.parts), folder)):
        here = [folder / name for name in METADATA if (folder / name).is_file()]
        if len(here) > 1:
            raise SourceError(f"{folder} holds {' and '.join(path.name for path in here)}: keep one of them")
        found += here
    return Metadata(root, found) if found else None


def _rows(tables: Sequence[Mapping[str, Packed]], lengths: Sequence[int], name: str) -> Iterable[Any]:
    for table, length in zip(tables, lengths, strict=True):
        yield from map(_plain, table.get(name, [None] * length))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
