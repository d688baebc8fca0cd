"""Lists of files in CSV, JSONL or parquet: a row a sample, with the columns as its fields."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from walloc_data.errors import SourceError
from walloc_data.sources.files import Files
from walloc_data.sources.listing import classified, distinct, parted, repeated
from walloc_data.sources.packed import Texts
from walloc_data.sources.source import Source
from walloc_data.sources.table import files_column, read_table

__all__ = ["read_list"]


def read_list(
    lists: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]], *, data: str | None = None
) -> Source:
    """The files that a list names, in its order: `.csv` (`.tsv`), `.jsonl` or `.parquet`; or a list a split.

    The column of files is `data`, or else `file_name`, `path`, `image`, `audio` or `video`: paths below the folder of
    the list, or whole ones. They are the keys (whole ones without their first `/`), unless a column `key` is; one that
    comes again gets `#2` behind it.
    A column `split` becomes the splits, a column `label` of names the classes; all others are fields.

    Raises `SourceError` for what is no such list, and for two samples of one `key`.
    """
    if isinstance(lists, Mapping):
        paths = {split: Path(path).absolute() for split, path in lists.items()}
        root = Path(os.path.commonpath([path.parent for path in paths.values()]))
        listed = {split: _listed(path, data, root) for split, path in paths.items()}
        splits, named = {split: files for split, (files, _) in listed.items()}, any(has for _, has in listed.values())
    else:
        path = Path(lists).absolute()
        paths = {"train": path}
        whole, named = _listed(path, data, path.parent)
        splits = {"train": whole}
        if "split" in whole.fields:
            splits = parted(whole, str(path))
    name = ", ".join(map(str, paths.values()))
    splits, again = _with_distinct_keys(splits, name, named)
    notes = [f"{again} samples are of files listed before: the keys of these end in #2 and so on"] if again else []
    return classified(Source(name, splits, {}, notes))


def _listed(path: Path, data: str | None, root: Path) -> tuple[Files, bool]:
    """The files of a list, and whether a column says their keys."""
    columns = read_table(path)
    if not columns:
        raise SourceError(f"{path} lists nothing: name a column of files and a file a row")
    column = files_column(columns, data, path)
    names: Any = columns.pop(column)
    if "://" in names[0]:
        raise SourceError(
            f"{path}: column {column!r} holds URLs, such as {names[0]}: fetch the files first, and list where they are"
        )
    below, inside = f"{root.as_posix()}/", path.parent.relative_to(root).as_posix()
    before, keys = "" if inside == "." else f"{inside}/", None
    if before or any(name.startswith(("/", "./")) for name in names):
        names = Texts(
            name.removeprefix(below) if name.startswith("/") else before + name.removeprefix("./") for name in names
        )
        keys = Texts(name.lstrip("/") for name in names) if any(name.startswith("/") for name in names) else None
    named = columns.pop("key", None)
    if named is not None:
        keys = Texts(_or_name(named, names if keys is None else keys))
    return Files(root, names, columns, keys, path), named is not None


def _or_name(keys: Iterable[Any], names: Iterable[str]) -> Iterator[str]:
    return (name if key is None else str(key) for key, name in zip(keys, names, strict=True))


def _with_distinct_keys(splits: dict[str, Files], where: str, named: bool) -> tuple[dict[str, Files], int]:
    """Splits of files whose keys are each of one sample alone, and how many had to change for it; of those that are
    `named` none may."""
    each = [split.names if split.keys is None else split.keys for split in splits.values()]
    keys = each[0] if len(each) == 1 else Texts(chain(*each))
    again = repeated(keys)
    if not again:
        return splits, 0
    if named:
        few = ", ".join(repr(keys[place]) for place in again[:3])
        raise SourceError(
            f"{where}: {len(again)} rows have the key of another, such as {few}: each sample needs its own"
        )
    renamed, start = distinct(keys, again), 0
    for name, split in splits.items():
        splits[name] = replace(split, keys=Texts(renamed[start : start + len(split)]))
        start += len(split)
    return splits, len(again)
