"""Damaged sources: tars, parquet, lists, and metadata beside files."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.photographs import CLASSES, window
from tools.fuzz.damage import Attempt, damaged, edited, sealed_tar
from walloc_data import ImageReader, open_source
from walloc_data.errors import SampleError, SourceError
from walloc_data.write.plan import check_keys
from walloc_data.write.rows import row_of

__all__ = ["lists", "metadata", "parquet", "tars"]


def _pictures() -> list[bytes]:
    made = []
    for number in range(6):
        file = io.BytesIO()
        window(CLASSES[number % 3], number, (16, 16)).save(file, "JPEG")
        made.append(file.getvalue())
    return made


def _read(address: Path) -> str:
    """List a source and read all of its samples, as sharding does."""
    reader = ImageReader(size=16, max_pixels=1 << 20)
    try:
        source = open_source(address, suffixes=reader.suffixes)
        check_keys(source)
        source.digest()
    except SourceError as error:
        _check(error)
        return "an error of the source"
    good = bad = 0
    for split in source.splits.values():
        for index in range(min(len(split), 50)):
            key, _ = split.key(index), split.stamp(index)
            if not isinstance(key, str):
                raise TypeError(f"a key {key!r}")
            try:
                raw = split[index]
                row_of(key, raw.fields, reader.read(raw.data, raw.name).fields, None)
                good += 1
            except (SampleError, SourceError) as error:
                _check(error)
                bad += 1
    return f"{'all' if not bad else 'some' if good else 'none'} of the samples read"


def _check(error: SampleError | SourceError) -> None:
    text = str(error)
    if "\n" in text or len(text) > 20_000:
        raise ValueError(f"no sentence of one line: {text[:2000]!r}")


def tars(folder: Path) -> Attempt:
    """Tars of WebDataset, of each kind of header, with pictures, labels, texts, JSON and arrays."""
    files = []
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        file, array = io.BytesIO(), io.BytesIO()
        np.save(array, np.arange(12.0).reshape(3, 4))
        with tarfile.open(fileobj=file, mode="w", format=form) as tar:
            for number, picture in enumerate(_pictures()):
                stem = f"{'a/' if number % 2 else ''}{'long' * (30 if form != tarfile.USTAR_FORMAT else 1)}{number:03d}"
                said = json.dumps({"caption": f"number {number}", "box": [1, 2, number]}).encode()
                members = {"jpg": picture, "cls": b"%d" % number, "json": said, "npy": array.getvalue()}
                for suffix, data in members.items():
                    info = tarfile.TarInfo(f"{stem}.{suffix}")
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
        files.append(file.getvalue())
    path = folder / "data.tar"

    def attempt(rng: np.random.Generator) -> str:
        data = files[rng.integers(len(files))]
        for _ in range(rng.integers(1, 4)):
            data = damaged(data, rng)
        path.write_bytes(sealed_tar(data) if rng.integers(2) else data)
        return _read(path)

    return attempt


def parquet(folder: Path) -> Attempt:
    """Tables with pictures as `datasets` writes them, labels, texts, lists and structures."""
    import pyarrow
    from pyarrow import parquet

    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": list(CLASSES)}}
    pictures = _pictures()
    table = pyarrow.table(
        {
            "image": [{"bytes": data, "path": f"{number}.jpg"} for number, data in enumerate(pictures)],
            "label": pyarrow.array([number % 3 for number in range(6)], pyarrow.int64()),
            "caption": [f"number {number}" for number in range(6)],
            "boxes": [[1.0, 2.0, float(number)] for number in range(6)],
            "more": [{"a": number, "b": [str(number)]} for number in range(6)],
        }
    )
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    files = []
    for options in ({}, {"compression": "zstd", "row_group_size": 2}, {"use_dictionary": False, "compression": "none"}):
        file = io.BytesIO()
        parquet.write_table(table, file, **options)
        files.append(file.getvalue())
    path = folder / "data.parquet"

    def attempt(rng: np.random.Generator) -> str:
        data = files[rng.integers(len(files))]
        broken = damaged(data, rng)
        if rng.integers(2):  # the footer, without which nothing is read
            length = int.from_bytes(data[-8:-4], "little")
            footer = damaged(data[-8 - length : -8], rng)
            broken = data[: -8 - length] + footer + len(footer).to_bytes(4, "little") + b"PAR1"
        path.write_bytes(broken)
        return _read(path)

    return attempt


def lists(folder: Path) -> Attempt:
    """CSV and JSONL that name files."""
    return _named(folder / "lists", lambda suffix: f"list{suffix}", whole=False)


def metadata(folder: Path) -> Attempt:
    """`metadata.csv` and `metadata.jsonl` beside files."""
    return _named(folder / "beside", lambda suffix: f"metadata{suffix}", whole=True)


def _named(folder: Path, name_of: Callable[[str], str], *, whole: bool) -> Attempt:
    folder.mkdir(exist_ok=True)
    (folder.parent / "secret.jpg").write_bytes(_pictures()[0])
    for number, picture in enumerate(_pictures()):
        (folder / f"{number}.jpg").write_bytes(picture)
    rows: list[dict[str, Any]] = [
        {"file_name": f"{number}.jpg", "label": CLASSES[number % 3], "score": number / 7, "caption": "a, \"b\"\n'c'"}
        for number in range(6)
    ]

    def attempt(rng: np.random.Generator) -> str:
        suffix, odd = (".csv", ".jsonl")[rng.integers(2)], rows
        for _ in range(rng.integers(1, 4)):
            odd = edited(odd, rng)
        odd = [row if isinstance(row, dict) else {"file_name": row} for row in odd]
        if suffix == ".jsonl":
            text = "".join(json.dumps(row) + "\n" for row in odd)
        else:
            names = list(dict.fromkeys(name for row in odd for name in row))
            cells = [[_cell(row.get(name, "")) for name in names] for row in odd]
            text = "\n".join(",".join(row) for row in [names, *cells])
        data = text.encode(errors="surrogatepass")
        path = folder / name_of(suffix)
        path.write_bytes(damaged(data, rng) if rng.integers(3) == 0 else data)
        try:
            return _read(folder if whole else path)
        finally:
            path.unlink()

    return attempt


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return '"' + text.replace('"', '""') + '"'
