"""Fields that names of files say, by a pattern."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from walloc_data.errors import SourceError
from walloc_data.sources.files import Files
from walloc_data.sources.listing import parted
from walloc_data.sources.packed import pack
from walloc_data.sources.source import Source, Split

__all__ = ["fields_from_names"]

_FIELD = re.compile(r"\{([^{}]*)\}|(\*)")
_WHOLE = re.compile(r"0|-?[1-9]\d{0,17}")


def fields_from_names(source: Source, pattern: str) -> Source:
    """The same source with fields that a pattern finds in the names of its files, without their suffix.

    `{label}_{speaker}_*` gives two fields, and `*` is whatever stands there; a pattern with `/` is of as many folders
    besides. `*` takes as much as it can, a field as little, neither over a `/`. Texts of `label` become classes, in
    order (of numbers, by number); `split` becomes the splits of a source that has one; other fields are whole numbers
    where all are, else texts. A `label` takes the place of that which folders say, and a note says so.

    Raises `SourceError` for a source that is not of files, a pattern without fields, names that are not like it, and a
    field that a list or metadata say already.
    """
    expression = _expression(pattern)
    found: dict[str, dict[str, list[str]]] = {}
    strange: list[str] = []
    for name, split in source.splits.items():
        found[name] = {field: [] for field in expression.groupindex}
        for key in _files(source, split).names:
            match = expression.fullmatch(_end(key, pattern.count("/")))
            if match is None:
                strange.append(key)
                continue
            for field, value in match.groupdict().items():
                found[name][field].append(value)
    if strange:
        raise SourceError(
            f"{source.name}: {len(strange):,} names are not like {pattern!r}, such as {strange[0]}: give a pattern "
            "that all are like"
        )
    notes = _note_on_labels(source, set(expression.groupindex))
    classes = dict(source.classes)
    if "label" in expression.groupindex:
        labels = {value for fields in found.values() for value in fields["label"]}
        classes["label"] = sorted(labels, key=int if all(map(_WHOLE.fullmatch, labels)) else None)
    places = {value: place for place, value in enumerate(classes.get("label", []))}
    splits = {}
    for name, split in source.splits.items():
        files = _files(source, split)
        fields: dict[str, Any] = {field: _values(values) for field, values in found[name].items() if field != "label"}
        if "label" in found[name]:
            fields["label"] = np.array([places[value] for value in found[name]["label"]], np.int32)
        splits[name] = replace(files, fields={**files.fields, **fields})
    if len(splits) == 1 and "split" in expression.groupindex:
        [files] = splits.values()
        splits = parted(files, source.name)
    return replace(source, splits=splits, classes=classes, notes=[*source.notes, *notes])


def _note_on_labels(source: Source, names: set[str]) -> list[str]:
    """What to say where folders say a label too. Raises `SourceError` where a list or metadata say a field."""
    notes: list[str] = []
    for split in source.splits.values():
        files = _files(source, split)
        twice = sorted(names & files.fields.keys())
        if twice and (twice != ["label"] or files.listed is not None):
            raise SourceError(
                f"{source.name}: field {twice[0]!r} is said by its list and by the names of its files: take it out of "
                "the pattern (* is passed over), or out of the list"
            )
        notes = ["labels are those in the names of files, not those that folders or metadata say"] if twice else notes
    return notes


def _expression(pattern: str) -> "re.Pattern[str]":
    parts, end = [], 0
    names: list[str] = []
    for found in _FIELD.finditer(pattern):
        parts.append(re.escape(pattern[end : found.start()]))
        parts.append("[^/]*" if found[2] else f"(?P<{found[1]}>[^/]+?)")
        names += [] if found[2] else [found[1]]
        end = found.end()
    if not names or len(set(names)) < len(names) or not all(name.isidentifier() for name in names):
        raise SourceError(
            f"names={pattern!r} is no pattern of fields, each named once in braces, such as {{label}}_{{speaker}}_*"
        )
    return re.compile("".join([*parts, re.escape(pattern[end:])]))


def _files(source: Source, split: Split) -> Files:
    if not isinstance(split, Files):
        raise SourceError(f"{source.name} is not of files, whose names could say fields: leave names out")
    return split


def _end(key: str, folders: int) -> str:
    """The last parts of a path, without the suffix."""
    return "/".join(PurePosixPath(key).with_suffix("").parts[-folders - 1 :])


def _values(values: Sequence[str]) -> Any:
    return np.array(list(map(int, values)), np.int64) if all(map(_WHOLE.fullmatch, values)) else pack(values)
