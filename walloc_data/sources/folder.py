"""Folders of files: splits and classes by the names of folders."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from unicodedata import normalize

import numpy as np

from walloc_data.errors import SourceError
from walloc_data.sources.files import Files
from walloc_data.sources.metadata import read_metadata
from walloc_data.sources.source import Source
from walloc_data.sources.split_names import SPLITS, split_named
from walloc_data.sources.walk import subfolders, walk

__all__ = ["scan_folder"]

_SHOWN = 3  # names in a message


def scan_folder(root: str | os.PathLike[str], *, suffixes: frozenset[str]) -> Source:
    """The files of a folder that have one of the `suffixes`, by its shape.

    | shape | splits | labels |
    | --- | --- | --- |
    | `root/{train,val,test}/class/**/file` | as named | by sorted class, of all splits |
    | `root/class/**/file` | `train` | the same |
    | `root/file`, `root/train/file` | `train`, or as named | none |

    Splits may be called `Training`, `test_set`, `val2017` and the like. What `metadata.csv`, `.jsonl` or `.parquet`
    beside or above files say of them becomes their fields (`Metadata`); then folders are classes only where there are
    several, hold every file, and no column is called `label`.

    Raises `SourceError` for a folder that is
    missing, cannot be listed, holds none, or whose shape has two meanings.
    """
    root = Path(root)
    if not root.is_dir():
        raise SourceError(f"{root} is not a folder: give the folder that holds the samples")
    walked = walk(root, suffixes)
    if not walked.names:
        raise SourceError(
            f"{root} holds no files to shard, in it or in folders below it: none has a suffix that the codec's reader "
            "takes"
            + (
                f" ({', '.join(sorted(suffixes - {''})[:4])}, ...; there are {walked.shown_others()}): for other kinds "
                "there are other codecs (walloc zoo lists those at hand, walloc fit --kind makes more)"
                if walked.others
                else ""
            )
        )
    metadata, notes = read_metadata(root, walked.names), list[str]()
    folders = _split_folders(root, walked.names, notes)
    inside = {split: _below(walked.names, folder) for split, folder in folders.items()}
    labels, classes = dict[str, int](), list[str]()
    if metadata is None or metadata.leaves_classes([name for names in inside.values() for name in names]):
        _refuse_a_lone_folder(root, folders, inside)
        labels, classes = _classes(root, folders, notes)
    splits: dict[str, Files] = {}
    loose = 0
    for split, names in inside.items():
        kept = [name for name in names if not classes or "/" in name]
        loose += len(names) - len(kept)
        of_class = {"label": np.array([labels[name.split("/")[0]] for name in kept], np.int32)} if classes else {}
        if kept:
            prefix = f"{folders[split]}/" if folders[split] else ""
            splits[split] = Files(root, [prefix + name for name in kept], of_class)
    if not splits:
        raise SourceError(
            f"{root} holds no files in its folders of classes, only beside them: move them in, or remove empty folders"
        )
    if classes:
        notes += _notes_on_classes(classes, splits) + _notes_on_depth(inside)
    if loose:
        notes.append(f"{loose} files beside the class folders were passed over")
    if metadata is not None:
        walked = metadata.taken_from(walked)
    source = Source(str(root.resolve()), splits, {"label": classes} if classes else {}, notes + walked.notes())
    return source if metadata is None else metadata.added_to(source)


def _split_folders(root: Path, names: Sequence[str], notes: list[str]) -> dict[str, str]:
    """The folder in `root` of each split, in order; `{"train": ""}` where folders are none of splits."""
    tops = list(dict.fromkeys(name.split("/")[0] for name in names if "/" in name))
    found = {top: split for top in tops if (split := split_named(top))}
    others = [top for top in tops if top not in found]
    loose = len(names) > sum("/" in name for name in names)
    if not found:
        return {"train": ""}
    if others or loose:
        beside = ", ".join(others[:3]) if others else "files"
        if len(set(found.values())) > 1:
            raise SourceError(
                f"{root}: {', '.join(found)} are folders of splits, and {beside} beside them is of none: move it "
                "elsewhere, or give it the name of a split"
            )
        notes.append(
            f"{', '.join(found)} taken for a class, not a split, because of {beside} beside: splits are called "
            f"{', '.join(SPLITS)}"
        )
        return {"train": ""}
    for split, count in Counter(found.values()).items():
        if count > 1:
            both = " and ".join(top for top, name in found.items() if name == split)
            raise SourceError(f"{root}: {both} are both called as the split {split!r} is: join them, or rename one")
    return {split: top for split in SPLITS for top, name in found.items() if name == split}


def _below(names: Sequence[str], folder: str) -> list[str]:
    """Names in a folder, as seen from there."""
    return [name[len(folder) + 1 :] for name in names if name.startswith(f"{folder}/")] if folder else list(names)


def _classes(root: Path, folders: Mapping[str, str], notes: list[str]) -> tuple[dict[str, int], list[str]]:
    """The label of each folder of a class, and the names of classes: sorted, however their accents are composed."""
    found = sorted({name for folder in folders.values() for name in subfolders(root / folder)})
    composed = Counter(normalize("NFC", name) for name in found)
    twice = [name for name, count in composed.items() if count > 1]
    if twice:
        notes.append(f"folders whose names differ only in how accents are composed are one class: {', '.join(twice)}")
    called = {name: normalize("NFC", name) if normalize("NFC", name) in twice else name for name in found}
    names = sorted(set(called.values()))
    places = {name: label for label, name in enumerate(names)}
    return {folder: places[name] for folder, name in called.items()}, names


def _refuse_a_lone_folder(root: Path, folders: Mapping[str, str], inside: Mapping[str, Sequence[str]]) -> None:
    """Where one folder holds all, in folders of its own, those are what is meant."""
    for split, names in inside.items():
        tops = {name.split("/")[0] for name in names}
        deeper = {name.split("/")[1] for name in names if name.count("/") > 1}
        if len(tops) == 1 and len(deeper) > 1 and all("/" in name for name in names):
            lone, shown = root / folders[split] / tops.pop(), ", ".join(sorted(deeper)[:_SHOWN])
            way_out = (
                f"take what is in it one level up, in {root / folders[split]}" if folders[split] else f"give {lone}"
            )
            raise SourceError(
                f"{lone} holds all there is, and would be the one class: {way_out}, so that {shown} count"
            )


def _notes_on_classes(classes: Sequence[str], splits: Mapping[str, Files]) -> list[str]:
    """Classes without files, and those that training never meets."""
    seen = {split: set(files.fields["label"]) for split, files in splits.items()}
    everywhere = set[int]().union(*seen.values())
    empty = [name for label, name in enumerate(classes) if label not in everywhere]
    notes = [f"class {empty[0]!r} has no files"] if len(empty) == 1 else []
    if len(empty) > 1:
        shown = ", ".join(empty[:_SHOWN]) + (", ..." if len(empty) > _SHOWN else "")
        notes.append(f"{len(empty)} classes have no files: {shown}")
    alone = [classes[label] for label in sorted(everywhere - seen["train"])] if "train" in seen else []
    if alone:
        shown = ", ".join(alone[:_SHOWN]) + (", ..." if len(alone) > _SHOWN else "")
        notes.append(f"classes without files in train: {shown}")
    return notes


def _notes_on_depth(inside: Mapping[str, Sequence[str]]) -> list[str]:
    """Classes that hold the same folders each, which may be the classes."""
    below: dict[str, set[str]] = {}
    for names in inside.values():
        for folders in (name.split("/")[:-1] for name in names):
            if len(folders) > 1:
                below.setdefault(folders[0], set()).add(folders[1])
    alike: dict[tuple[str, ...], list[str]] = {}
    for top, deeper in sorted(below.items()):
        if len(deeper) > 1:
            alike.setdefault(tuple(sorted(deeper)), []).append(top)
    return [
        f"{', '.join(tops[:_SHOWN])} are taken for classes, and hold the same folders ({', '.join(same[:_SHOWN])}): "
        "if those are the classes, name what holds them train, val and test"
        for same, tops in alike.items()
        if len(tops) > 1
    ]
