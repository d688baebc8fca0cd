"""Folders of files: splits and classes by the names of folders."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from walloc_data.errors import SourceError
from walloc_data.sources.files import Files
from walloc_data.sources.source import Source

__all__ = ["SPLITS", "list_files", "scan_folder"]

SPLITS = ("train", "val", "valid", "validation", "test")


def scan_folder(root: str | os.PathLike[str], *, suffixes: frozenset[str]) -> Source:
    """The files of a folder that have one of the `suffixes`, by its shape.

    | shape | splits | labels |
    | --- | --- | --- |
    | `root/{train,val,valid,validation,test}/class/**/file` | as named | by sorted class, of all splits |
    | `root/class/**/file` | `train` | the same |
    | `root/file`, `root/train/file` | `train`, or as named | none |

    Raises `SourceError` for a folder that is missing, cannot be listed, or holds none.
    """
    root = Path(root)
    if not root.is_dir():
        raise SourceError(f"{root} is not a folder: give the folder that holds the samples")
    names = _subfolders(root)
    found = [name for name in SPLITS if name in names]
    folders = {name: root / name for name in found} if found and set(names) <= set(SPLITS) else {"train": root}
    classes = sorted({name for folder in folders.values() for name in _subfolders(folder)})
    labels = {name: label for label, name in enumerate(classes)}
    splits: dict[str, Files] = {}
    loose, seen = 0, set[str]()
    for split, folder in folders.items():
        kept, of_class = [], []
        for path in list_files(folder, suffixes):
            inside = path.relative_to(folder).parts
            if classes and len(inside) == 1:
                loose += 1
                continue
            seen.update(inside[:1])
            kept.append(path.relative_to(root).as_posix())
            if classes:
                of_class.append(labels[inside[0]])
        if kept:
            splits[split] = Files(root, kept, {"label": np.array(of_class, np.int32)} if classes else {})
    if not splits:
        raise SourceError(
            f"{root} holds no files to shard, in it or in folders below it: none has a suffix that is read here"
        )
    notes = [f"class {name!r} has no files" for name in classes if name not in seen]
    if found and folders.keys() == {"train"} and folders["train"] == root:
        others = sorted(set(names) - set(SPLITS))
        notes.append(
            f"{', '.join(found)} taken for classes, not splits, because of {', '.join(others[:3])} beside: "
            f"splits are called {', '.join(SPLITS)}"
        )
    if loose:
        notes.append(f"{loose} files beside the class folders were passed over")
    return Source(str(root.resolve()), splits, {"label": classes} if classes else {}, notes)


def list_files(folder: str | os.PathLike[str], suffixes: frozenset[str]) -> list[Path]:
    """Files below a folder, by suffix, in the order of their paths; nothing hidden (`.name`) is listed.

    Where `suffixes` holds `""`, files without one are listed, except those of text.
    Raises `SourceError` for no folder, or one that cannot be listed.
    """
    if not Path(folder).is_dir():
        raise SourceError(f"{os.fspath(folder)} is not a folder")
    return sorted(_walk(Path(folder), suffixes), key=lambda path: path.as_posix())


def _walk(folder: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    for root, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".") and not _leads_back(Path(root, name))]
        for name in names:
            suffix = os.path.splitext(name)[1].lower()
            if not name.startswith(".") and suffix in suffixes and (suffix or _is_binary(Path(root, name))):
                yield Path(root, name)


def _is_binary(path: Path) -> bool:
    """Whether a file that no suffix tells about is none of text, as licences and the like are."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return b"\0" in file.read(32)
    except OSError:
        return True  # is met again when it is read, and named


def _leads_back(folder: Path) -> bool:
    """Whether a folder is a link to one that it lies in, which a walk would never come out of."""
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())


def _refuse(error: OSError) -> None:
    raise SourceError(f"{os.fsdecode(error.filename)}: cannot be listed ({error.strerror})") from error


def _subfolders(folder: Path) -> list[str]:
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
