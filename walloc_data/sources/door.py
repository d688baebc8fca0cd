"""Which source an address is of."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from walloc_data.errors import SourceError
from walloc_data.sources.addresses import find_places, is_url, suffix_of
from walloc_data.sources.folder import scan_folder
from walloc_data.sources.hugging_face import is_hugging_face, is_saved, open_hugging_face, open_saved
from walloc_data.sources.lists import read_list
from walloc_data.sources.names import fields_from_names
from walloc_data.sources.scan_tars import scan_tars
from walloc_data.sources.sequences import read_sequence
from walloc_data.sources.source import Source
from walloc_data.sources.tables import scan_parquet
from walloc_data.sources.walk import list_files
from walloc_data.storage.urls import shown

__all__ = ["open_source"]

_MANY = {".parquet": scan_parquet, ".tar": scan_tars}  # files that hold many samples, by suffix
_LISTS = (".csv", ".jsonl", ".ndjson", ".tsv")
_PACKED = {".gz": "gunzip", ".tgz": "gunzip", ".bz2": "bunzip2", ".xz": "unxz", ".zst": "unzstd"}
_FEW = 12  # folders of splits, not of classes
_KINDS = (
    "a folder of files, a list of files (.csv, .jsonl), WebDataset tars (data.tar, data-{000..012}.tar, a folder of "
    "them), parquet files (the same), a dataset of Hugging Face (what save_to_disk wrote, hf://user/name, or the "
    "object), or in Python a list of samples, or whatever has len and [i]"
)


def open_source(address: Any, *, suffixes: frozenset[str], data: str | None = None, names: str | None = None) -> Source:
    """The samples at an address, listed and not read; a `Source` is given back as it is.

    An address is a folder of files; a list of files (`read_list`); tars of WebDataset or parquet files: one, several in
    brace notation or by a pattern, a folder of them, here or at a URL (`https://`, `hf://user/name`, what fsspec
    opens); a dataset of Hugging Face, as a folder or an object; or samples in Python (`read_sequence`). `suffixes` are
    those of the files of a folder that count; `data` is the column of a table or a list, or the suffix of members of
    tars, that holds the samples, where it is not plain; `names` a pattern of fields in the names of files, such as
    `{label}_{speaker}_*` (`fields_from_names`).

    Raises `SourceError` for what is no source.
    """
    source = _opened(address, suffixes, data)
    return source if names is None else fields_from_names(source, names)


def _opened(address: Any, suffixes: frozenset[str], data: str | None) -> Source:
    if is_hugging_face(address):
        return open_hugging_face(address, suffixes=suffixes, data=data)
    if isinstance(address, Mapping) and address and all(isinstance(one, str | os.PathLike) for one in address.values()):
        return _by_split({split: os.fspath(one) for split, one in address.items()}, suffixes, data)
    if not isinstance(address, str | os.PathLike):
        _refuse_data(data, "samples in Python")
        return address if isinstance(address, Source) else read_sequence(address)
    text = os.fspath(address)
    suffix = suffix_of(text)
    if not os.path.isdir(text):
        if suffix in _PACKED and (is_url(text) or os.path.exists(text)):
            raise SourceError(
                f"{text} is compressed, so that its samples cannot be reached one by one: unpack it first "
                f"({_PACKED[suffix]} {text})"
            )
        if suffix in _LISTS and not is_url(text):
            return read_list(text, data=data)
        if suffix in _MANY:
            return _many(text, frozenset((suffix,)), suffixes, data)
        if is_url(text):
            return _many(text, frozenset(_MANY), suffixes, data)
        if not os.path.exists(text):
            raise SourceError(f"{text} is not there: check the path; a source is {_KINDS}")
        if suffix and suffix in suffixes:
            raise SourceError(f"{text} is one sample: give the folder it lies in, or a list of files")
        raise SourceError(f"{text} is no kind of file that holds samples: a source is {_KINDS}")
    if is_saved(Path(text)):
        return open_saved(Path(text), suffixes=suffixes, data=data)
    wanted = frozenset(suffix for suffix in _MANY if _holds(Path(text), suffix))
    if wanted and not list_files(text, suffixes - {""}):
        return _many(text, wanted, suffixes, data)
    _refuse_data(data, f"the files of the folder {text}")
    return scan_folder(text, suffixes=suffixes)


def _by_split(addresses: Mapping[str, str], suffixes: frozenset[str], data: str | None) -> Source:
    """Splits that are an address each: of parquet files, or of a list."""
    kinds = {suffix_of(address) for address in addresses.values()}
    if kinds == {".parquet"}:
        places = [
            replace(place, split=split)
            for split, address in addresses.items()
            for place in find_places(address if is_url(address) else os.path.abspath(address), frozenset(kinds))
        ]
        return scan_parquet(places, ", ".join(addresses.values()), suffixes=suffixes, data=data)
    if kinds <= {*_LISTS, ".parquet"}:
        return read_list(addresses, data=data)
    raise SourceError(
        f"a mapping of splits is to lists (.csv, .jsonl), parquet files, or samples in Python, not to "
        f"{next(iter(addresses.values()))}: give a folder or tars alone, whose folders and names say the splits"
    )


def _refuse_data(data: str | None, what: str) -> None:
    if data is not None:
        raise SourceError(
            f"data={data!r} says which column or member holds the samples, and {what} have none: leave it out"
        )


def _many(address: str, wanted: frozenset[str], suffixes: frozenset[str], data: str | None) -> Source:
    """What is in the files of an address that hold many samples each."""
    name = shown(address) if is_url(address) else str(Path(address).resolve())
    if os.path.isfile(os.path.join(address, "walloc.json")):
        raise SourceError(f"{address} holds a dataset of walloc_data already: give what it was made of")
    places = find_places(address if is_url(address) else os.path.abspath(address), wanted)
    found = sorted({suffix_of(place.name) for place in places})
    if len(found) > 1:
        raise SourceError(
            f"{name} holds files of {' and of '.join(found)}: give those of one, as in {name}/*{found[0]}"
        )
    return _MANY[found[0]](places, name, suffixes=suffixes, data=data)


def _holds(folder: Path, suffix: str) -> bool:
    """Whether files of a suffix lie in a folder, or in a few that are in it."""
    inner = sorted(Path(entry.path) for entry in os.scandir(folder) if entry.is_dir())[:_FEW]
    return any(next(one.glob(f"*{suffix}"), None) is not None for one in (folder, *inner))
