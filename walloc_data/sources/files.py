"""Samples that are a file each."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SourceError
from walloc_data.sources.source import Raw

__all__ = ["Files"]


@dataclass(frozen=True)
class Files:
    """A `Split` of the files `names` below `root`, with `/` between folders; the names are the keys.

    `fields` holds a value a file for each name of a field.
    """

    root: Path
    names: Sequence[str]
    fields: "Mapping[str, Sequence[Any] | NDArray[Any]]" = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Raw:
        path = self.path(index)
        try:
            data = path.read_bytes()
        except OSError as error:  # of the machine, so the sample is not to blame
            raise SourceError(
                f"{path}: cannot be read ({error.strerror or error}). Nothing is lost: see that {self.root} is whole "
                "and may be read, then run the same command again to go on"
            ) from error
        return Raw(data, str(path), {name: _plain(values[index]) for name, values in self.fields.items()})

    def key(self, index: int) -> str:
        """The name of the file."""
        return self.names[index]

    def path(self, index: int) -> Path:
        """Where the file is."""
        return self.root / self.names[index]

    def stamp(self, index: int) -> str:
        """Size and time of the file; empty where it is gone."""
        try:
            found = os.stat(self.path(index))
        except OSError:
            return ""
        return f"{found.st_size}:{found.st_mtime_ns}"

    def digest(self) -> str:
        """Of the names, and the fields."""
        digest = hashlib.sha256("\0".join(self.names).encode("utf-8", "surrogateescape"))
        for name, values in self.fields.items():
            content = values.tolist() if isinstance(values, np.ndarray) else list(values)
            digest.update(f"{name}\0{json.dumps(content, default=repr)}".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def chosen(self, indices: Iterable[int]) -> "Files":
        """Some of the files, in the order of `indices`."""
        indices = list(indices)
        fields = {
            name: values[indices] if isinstance(values, np.ndarray) else [values[index] for index in indices]
            for name, values in self.fields.items()
        }
        return Files(self.root, [self.names[index] for index in indices], fields)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
