"""What lies below a folder: the files that count, and what was passed over."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from walloc_data.errors import SourceError

__all__ = ["Walked", "list_files", "subfolders", "walk"]

# What systems leave in folders; and whatever is hidden (`.name`).
_LEFT_BEHIND = frozenset(
    (
        "$recycle.bin",
        "__macosx",
        "@eadir",
        "desktop.ini",
        "lost+found",
        "system volume information",
        "thumbs.db",
    )
)
_SHOWN = 3


@dataclass(frozen=True)
class Walked:
    """Names below a folder, with `/` between them, in order; how many files of other suffixes there are; and names of
    what is no file, such as pipes and links to nothing."""

    names: list[str]
    others: Mapping[str, int] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)

    def shown_others(self) -> str:
        """How many files of which suffixes were passed over."""
        kinds = sorted(self.others.items(), key=lambda entry: (-entry[1], entry[0]))
        shown = ", ".join(f"{count} {suffix or 'without a suffix'}" for suffix, count in kinds[:8])
        return shown + (", ..." if len(kinds) > 8 else "")

    def notes(self) -> list[str]:
        """What a person should know of what was passed over."""
        found = []
        if self.others:
            found.append(f"files that are not read here were passed over: {self.shown_others()}")
        if self.odd:
            shown = ", ".join(self.odd[:_SHOWN]) + (", ..." if len(self.odd) > _SHOWN else "")
            found.append(f"{len(self.odd)} names that are no files (links to nothing, pipes) were passed over: {shown}")
        return found


def walk(folder: str | os.PathLike[str], suffixes: frozenset[str]) -> Walked:
    """Everything below a folder whose suffix is one of `suffixes`, through links too, but no folder inside itself.

    Where `suffixes` holds `""`, files without one count, except those of text. Raises `SourceError` for no folder, or
    one that cannot be listed.
    """
    root = os.fspath(folder)
    if not os.path.isdir(root):
        raise SourceError(f"{root} is not a folder")
    names: list[str] = []
    others: Counter[str] = Counter()
    odd: list[str] = []
    todo: list[tuple[str, frozenset[tuple[int, int]]]] = [("", frozenset((_identity(root),)))]
    while todo:
        inside, above = todo.pop()
        for entry in _listed(os.path.join(root, inside)):
            name = f"{inside}/{entry.name}" if inside else entry.name
            suffix = os.path.splitext(entry.name)[1].lower()
            if entry.is_dir():
                here = _identity(entry.path)
                if here not in above:
                    todo.append((name, above | {here}))
            elif not entry.is_file():
                odd.append(name)
            elif suffix in suffixes and (suffix or _is_binary(entry.path)):
                names.append(name)
            else:
                others[suffix] += 1
    return Walked(sorted(names), others, sorted(odd))


def list_files(folder: str | os.PathLike[str], suffixes: frozenset[str]) -> list[Path]:
    """The files of `walk`, by path."""
    return [Path(folder, name) for name in walk(folder, suffixes).names]


def subfolders(folder: str | os.PathLike[str]) -> list[str]:
    """Names of the folders in a folder, but for hidden ones and what systems leave behind, in order."""
    return sorted(entry.name for entry in _listed(os.fspath(folder)) if entry.is_dir())


def _listed(folder: str) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return [e for e in entries if not e.name.startswith(".") and e.name.lower() not in _LEFT_BEHIND]
    except OSError as error:
        raise SourceError(f"{os.fsdecode(error.filename)}: cannot be listed ({error.strerror})") from error


def _identity(folder: str) -> tuple[int, int]:
    try:
        found = os.stat(folder)
    except OSError as error:
        raise SourceError(f"{folder}: cannot be listed ({error.strerror})") from error
    return found.st_dev, found.st_ino


def _is_binary(path: str) -> bool:
    """Whether a file that no suffix tells about is none of text, as licences and the like are."""
    try:
        with open(path, "rb") as file:
            return b"\0" in file.read(32)
    except OSError:
        return True  # is met again when it is read, and named
