"""Samples that are a file each."""

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from walloc_data.errors import SampleError, SourceError
from walloc_data.sources.packed import Packed, Texts, some
from walloc_data.sources.source import Raw, Split

__all__ = ["Files", "unread"]


# What a name meets where there is no file of it; None: it can be none, for a zero byte in it.
_NO_FILE = (errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, None)


@dataclass(frozen=True)
class Files:
    """A `Split` of the files `names` below `root`, with `/` between folders; they are the keys, unless `keys` are.

    `fields` holds a value a file for each name of a field. `listed` is the list that names the files, if one does: what
    it names and is not there is then one sample that cannot be read.
    """

    root: Path
    names: Sequence[str]
    fields: Mapping[str, Packed] = field(default_factory=dict)
    keys: Sequence[str] | None = None
    listed: Path | None = None

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Raw:
        path, name, fields = self.unread(index)
        try:
            data = path.read_bytes()
        except (OSError, ValueError) as error:
            number, reason = getattr(error, "errno", None), getattr(error, "strerror", None) or str(error)
            if number in _NO_FILE and self.listed is not None and self.listed.exists():
                raise SampleError(f"{str(path)!r}: named by {self.listed.name}, and no file ({reason})") from error
            raise SourceError(  # of the machine, so the sample is not to blame
                f"{path}: cannot be read ({reason}). Nothing is lost: see that {self.root} is whole "
                "and may be read, then run the same command again to go on"
            ) from error
        return Raw(data, name, fields)

    def unread(self, index: int) -> Raw:
        """A sample with the `Path` of its file for its bytes, for what reads a part of them."""
        path = self.path(index)
        return Raw(path, str(path), {name: _plain(values[index]) for name, values in self.fields.items()})

    def key(self, index: int) -> str:
        """The name of the file, or what it is called instead."""
        return (self.names if self.keys is None else self.keys)[index]

    def path(self, index: int) -> Path:
        """Where the file is."""
        return self.root / self.names[index]

    def stamp(self, index: int) -> str:
        """Size and time of the file; empty where it is gone."""
        try:
            found = os.stat(self.path(index))
        except (OSError, ValueError):
            return ""
        return f"{found.st_size}:{found.st_mtime_ns}"

    def digest(self) -> str:
        """Of the names, the keys, and the fields."""
        digest = hashlib.sha256()
        for names in (self.names, self.keys):
            if isinstance(names, Texts):
                _update(digest, names)
            elif names is not None:
                digest.update("\0".join(names).encode("utf-8", "surrogateescape"))
        for name, values in self.fields.items():
            digest.update(f"{name}\0".encode("utf-8", "surrogateescape"))
            if isinstance(values, Texts):
                _update(digest, values)
            elif isinstance(values, np.ndarray):
                digest.update(f"{values.dtype.str} {values.shape}".encode() + values.tobytes())
            else:
                digest.update(json.dumps(list(values), default=repr).encode())
        return digest.hexdigest()

    def chosen(self, indices: Iterable[int]) -> "Files":
        """Some of the files, in the order of `indices`."""
        indices = list(indices)
        return replace(
            self,
            names=some(self.names, indices),
            fields={name: some(values, indices) for name, values in self.fields.items()},
            keys=None if self.keys is None else some(self.keys, indices),
        )

    def without(self, name: str) -> "Files":
        """The same without a field."""
        return replace(self, fields={other: values for other, values in self.fields.items() if other != name})


def unread(split: Split, index: int) -> Raw:
    """A sample, with the `Path` of its file for its bytes where it is a file that is there."""
    return split.unread(index) if isinstance(split, Files) and split.path(index).is_file() else split[index]


def _update(digest: Any, texts: Texts) -> None:
    for part in texts.content():
        digest.update(part)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
