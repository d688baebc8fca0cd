"""Tables in files: CSV, JSONL and parquet, as columns of little memory."""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from walloc_data.errors import SourceError
from walloc_data.sources.packed import Column, Packed, Texts, blocks, pack, whole

__all__ = ["FILES_COLUMNS", "TABLES", "files_column", "read_table"]

FILES_COLUMNS = ("file_name", "path", "image", "audio", "video", "array")  # what the column of files may be called
_SHOWN = 3
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][-+]?[0-9]+)?|-?\.[0-9]+([eE][-+]?[0-9]+)?")
_WHOLE, _TOO_LONG = re.compile(r"-?[0-9]{1,18}"), re.compile(r"-?[0-9]{19,}")


def read_table(path: Path) -> dict[str, Packed]:
    """The columns of a table, by the suffix of its file; a value is None where a row has none.

    Numbers of CSV are numbers where all of their column are; there an empty cell is None, in others an empty text.
    Raises `SourceError` for a file that cannot be read or is no such table, with the lines that are not.
    """
    if path.suffix.lower() not in TABLES:
        raise SourceError(f"{path} is no list: lists are files of {', '.join(TABLES)}")
    try:
        return TABLES[path.suffix.lower()](path)
    except FileNotFoundError as error:
        raise SourceError(f"{path} is not there: check the path") from error
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from error


def files_column(columns: dict[str, Packed], asked: str | None, where: Path) -> str:
    """Which column names the files. Raises `SourceError` where none does."""
    names = FILES_COLUMNS if asked is None else (asked,)
    found = next((name for name in names if name in columns), None)
    if found is None:
        raise SourceError(
            f"{where}: no column {' or '.join(names)} names the files; it has {', '.join(columns) or 'no columns'}: "
            "rename the one that does, or say which (data=NAME, --data NAME)"
        )
    values = columns[found]
    if not isinstance(values, Texts) or not all(type(value) is str and value for value in values):
        row = next(number for number, value in enumerate(values) if type(value) is not str or not value)
        raise SourceError(f"{where}: row {row + 1} names no file in column {found!r}, but {values[row]!r}")
    return found


def _jsonl(path: Path) -> dict[str, Packed]:
    bad: list[str] = []

    def rows() -> Iterator[dict[str, Any]]:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError):
                    row = None
                if isinstance(row, dict):
                    yield row
                else:
                    bad.append(str(number))

    columns = _columns(rows())
    if bad:
        raise SourceError(
            f"{path}: {_lines(bad)} no JSON object, as every line of a list has to be: mend or remove what is there"
        )
    return columns


def _csv(path: Path) -> dict[str, Packed]:
    bad: list[str] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            head = file.readline()
            file.seek(0)
            usual = "\t" if path.suffix.lower() == ".tsv" else ","
            delimiter = (
                ";" if ";" in head and usual not in head else usual
            )  # as spreadsheets of many countries write it
            cells = csv.reader(file, delimiter=delimiter, strict=True)
            names = next(cells, [])
            if len(set(names)) < len(names) or "" in names:
                raise SourceError(f"{path}: its first line has to name each column, and once, not {', '.join(names)}")

            def rows() -> Iterator[list[str]]:
                for row in cells:
                    if len(row) == len(names):
                        yield row
                    elif row:
                        bad.append(str(cells.line_num))

            columns = [Texts(()) for _ in names]
            for block in blocks(rows()):
                for column, values in zip(columns, zip(*block, strict=True), strict=True):
                    column.extend(Texts(values))
        except csv.Error as error:
            raise SourceError(f"{path}: line {cells.line_num} is no CSV ({error})") from error
    if bad:
        raise SourceError(
            f"{path}: {_lines(bad)} of another number of cells than the first, which names {len(names)} columns: quote "
            "cells that hold commas"
        )
    columns.reverse()  # a column goes when it is parsed
    return {name: parsed for name in names if len(parsed := _parsed(columns.pop()))}


def _parsed(texts: Packed) -> Packed:
    """Cells as numbers, where all are."""
    kinds: set[type] = set()
    for text in texts:
        if text and (not _NUMBER.fullmatch(text) or _TOO_LONG.fullmatch(text)):
            return texts
        kinds.add(type(None) if not text else int if _WHOLE.fullmatch(text) else float)
    if not kinds - {type(None)}:
        return texts
    number = float if float in kinds else int
    return pack(number(text) if text else None for text in texts)


def _parquet(path: Path) -> dict[str, Packed]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise SourceError(f"{path}: parquet is read with pyarrow, which is not here: pip install pyarrow") from error
    try:
        with path.open("rb") as file, parquet.ParquetFile(file) as table:
            return _columns(row for batch in table.iter_batches(1 << 12) for row in batch.to_pylist())
    except (pyarrow.ArrowException, ValueError) as error:  # texts of a footer may be no UTF-8
        raise SourceError(f"{path}: no parquet file that can be read ({str(error).partition(chr(10))[0]})") from error


def _columns(rows: Iterable[dict[str, Any]]) -> dict[str, Packed]:
    """Rows as columns, packed a block at a time."""
    columns: dict[str, Column] = {}
    lengths: list[int] = []
    for block in blocks(rows):
        for name in dict.fromkeys(name for row in block for name in row):
            if name not in columns:
                columns[name] = Column()
                for length in lengths:
                    columns[name].add([None] * length)
        for name, column in columns.items():
            column.add([row.get(name) for row in block])
        lengths.append(len(block))
    return {whole(name): columns.pop(name).packed() for name in list(columns)}


def _lines(numbers: list[str]) -> str:
    few = ", ".join(numbers[:_SHOWN])
    return f"line {few} is" if len(numbers) == 1 else f"{len(numbers)} lines (such as {few}) are"


TABLES: dict[str, Callable[[Path], dict[str, Packed]]] = {
    ".csv": _csv,
    ".tsv": _csv,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".parquet": _parquet,
}
