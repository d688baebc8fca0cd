"""What the columns of an Arrow table mean, as parquet and Hugging Face datasets have them; a row as a raw sample."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from walloc_data.errors import SampleError, SourceError
from walloc_data.sources.addresses import is_url
from walloc_data.sources.source import Raw
from walloc_data.sources.table import FILES_COLUMNS

__all__ = ["Columns", "columns_of", "joined_classes", "names_files", "raw_of"]

_KEYS = ("__key__", "key")
# In this order, where several hold bytes.
_DATA = ("image", "img", "audio", "video", "array", "data", "bytes", "content")
_TEXTS = ("string", "large_string", "string_view")
_FILE = frozenset(("bytes", "path"))  # the fields of a file in a table, as the features Image, Audio and Video have it


@dataclass(frozen=True)
class Columns:
    """Columns by what they mean: that of `data`, that of a `key` if there is one, and names of `classes` by column.

    `named` says that a column `label` holds names of classes, `parted` that a column `split` holds names.
    """

    data: str
    key: str | None = None
    classes: Mapping[str, list[str]] = field(default_factory=dict)
    named: bool = False
    parted: bool = False


def columns_of(schema: Any, where: str, *, suffixes: frozenset[str], data: str | None = None) -> Columns:
    """What the columns of a `pyarrow.Schema` mean; `data` is the name of that of data, if it is known.

    Else it is one of files (`bytes` and `path`, as the features Image, Audio and Video are stored), or of bytes: where
    several are, one that is called like a suffix in `suffixes`, or `image`, `audio`, `video`, `array`, `data`.
    Raises `SourceError`, which says `where` and the columns that are there, for none or no telling which.
    """
    names = list(schema.names)
    if data is None:
        data = _data_column(schema, where, suffixes)
    elif data not in names:
        raise SourceError(f"{where}: has no column {data!r}; its columns are {', '.join(names) or 'none'}")
    texts = [name for name in names if _holds_texts(schema.field(name).type)]
    named, parted = (name in texts and name != data for name in ("label", "split"))
    return Columns(data, next((name for name in _KEYS if name in texts), None), _classes(schema), named, parted)


def raw_of(table: Any, row: int, columns: Columns, where: str, *, folder: str | None, anywhere: bool = False) -> Raw:
    """A row of a `pyarrow.Table` as a raw sample; `where` is what messages call it.

    Files that the row names are read: none for a `folder` of None, else those below it, or `anywhere`.
    Raises `SampleError` for no data or a value that Python does not have, `SourceError` where a file cannot be read.
    """
    values = {}
    for name in table.column_names:
        if name != columns.key:
            try:
                values[name] = table.column(name)[row].as_py()
            except (ValueError, OverflowError) as error:  # also of pyarrow
                raise SampleError(f"{where}: column {name!r} is damaged ({error})") from error
    cell = values.pop(columns.data)
    files = _Files(where, folder, anywhere)
    found = files.content(cell)
    if found is None:
        raise SampleError(f"{where}: column {columns.data!r} is null")
    if isinstance(found, list):
        found = _array(found, table.schema.field(columns.data).type)
    path = cell.get("path") if isinstance(cell, dict) else cell if isinstance(cell, str) else None
    fields = {name: files.content(value) if _is_file(value) else value for name, value in values.items()}
    return Raw(found, f"{where}, {path}" if path else where, fields)


def names_files(schema: Any, data: str | None) -> bool:
    """Whether a table holds no data, but a column of texts, called `data` or as is usual, that name files."""
    if data is None and _data_columns(schema):
        return False
    wanted = FILES_COLUMNS if data is None else (data,)
    return any(name in schema.names and _holds_texts(schema.field(name).type) for name in wanted)


def joined_classes(tables: Mapping[str, Columns]) -> dict[str, list[str]]:
    """The classes of several tables, by column. Raises `SourceError` for two that number them otherwise."""
    classes: dict[str, list[str]] = {}
    for where, columns in tables.items():
        for name, names in columns.classes.items():
            if classes.setdefault(name, names) != names:
                raise SourceError(
                    f"{where}: the classes of column {name!r} are others than in {next(iter(tables))}: give one of them"
                )
    return classes


def _holds_texts(kind: Any) -> bool:
    return str(getattr(kind, "value_type", kind) if str(kind).startswith("dictionary") else kind) in _TEXTS


def _data_columns(schema: Any) -> list[str]:
    """The columns of files, else those of bytes."""
    kinds = {name: schema.field(name).type for name in schema.names}
    files = [name for name, kind in kinds.items() if {inner.name for inner in _inner(kind)} == _FILE]
    return files or [name for name, kind in kinds.items() if str(kind) in ("binary", "large_binary", "binary_view")]


def _data_column(schema: Any, where: str, suffixes: frozenset[str]) -> str:
    found = _data_columns(schema)
    if len(found) > 1:
        wanted = [name for name in found if f".{name.lower()}" in suffixes] + [name for name in _DATA if name in found]
        found = wanted[:1] or found
    if len(found) != 1:
        what = f"columns {', '.join(found)} all hold bytes" if found else "no column holds bytes of files"
        raise SourceError(
            f"{where}: {what}; its columns are {', '.join(schema.names) or 'none'}: say which is the data"
        )
    return str(found[0])


def _inner(kind: Any) -> list[Any]:
    return [kind.field(place) for place in range(kind.num_fields)] if str(kind).startswith("struct") else []


def _classes(schema: Any) -> dict[str, list[str]]:
    """Names of classes by column, as `datasets` notes them in the metadata of a schema."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        entries = {name: feature.get("feature", feature) for name, feature in features.items()}
        return {
            name: [str(each) for each in entry["names"]]
            for name, entry in entries.items()
            if entry.get("_type") == "ClassLabel" and entry.get("names")
        }
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


def _is_file(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == _FILE


@dataclass(frozen=True)
class _Files:
    """Files that the cells of a row hold, or name."""

    where: str
    folder: str | None
    anywhere: bool

    def content(self, cell: Any) -> Any:
        """The bytes of a file; what is none as it is."""
        if _is_file(cell):
            if cell["bytes"] is not None or cell["path"] is None:
                return cell["bytes"]
            cell = cell["path"]
        return self._read(cell) if isinstance(cell, str) else cell

    def _read(self, name: str) -> bytes:
        if is_url(name) or self.folder is None:
            raise SampleError(f"{self.where}: names {name}, and holds no bytes of it: put them into the table")
        folder = os.path.realpath(self.folder)
        path = os.path.realpath(os.path.join(folder, name))
        if not self.anywhere and os.path.commonpath((folder, path)) != folder:
            raise SampleError(f"{self.where}: names {name}, which is outside {self.folder}: put it in there")
        try:
            with open(path, "rb") as file:
                return file.read()
        except OSError as error:
            if isinstance(error, FileNotFoundError) and os.path.isdir(os.path.dirname(path)):
                raise SampleError(f"{self.where}: names {name}, which is not there") from error
            raise SourceError(
                f"{path}: cannot be read ({error.strerror or error}). Nothing is lost: see that it is there and may be "
                "read, then run the same command again to go on"
            ) from error


def _array(values: list[Any], kind: Any) -> Any:
    """Nested lists of numbers as an array."""
    while hasattr(kind, "value_type"):
        kind = kind.value_type
    try:
        return np.array(values, kind.to_pandas_dtype())
    except (ValueError, TypeError, NotImplementedError) as error:
        raise SampleError(f"lists that are no array of {kind} ({error})") from error
