"""Samples at hand in Python: what is the data of one, and what its fields."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SampleError, SourceError
from walloc_data.sources.source import Raw

__all__ = ["DATA", "Columns", "Items", "field_of", "parts_of"]

DATA = ("image", "audio", "video", "array", "data", "file_name", "path")  # what a mapping may call the sample itself
_DIGITS = 8  # of keys that are numbers, so that they stay when more samples come


@dataclass(frozen=True)
class Columns:
    """Samples as mappings of fields, from a column each."""

    columns: Mapping[str, Any]

    def __len__(self) -> int:
        return min(map(len, self.columns.values()))

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {name: values[index] for name, values in self.columns.items()}


@dataclass(frozen=True)
class Items:
    """A `Split` of what `samples` gives by number; `name` is what messages call it, `before` stands before its keys.

    `held` says that samples are at hand, so that taking one to look at it costs nothing. `keys` and `labels` are in
    the place of numbers and of labels that are names.
    """

    samples: Any
    name: str
    before: str
    held: bool
    keys: Sequence[str] | None = None
    labels: "NDArray[np.int32] | None" = None

    def __len__(self) -> int:
        return len(self.samples)

    def key(self, index: int) -> str:
        """Its number, or what it says itself."""
        return f"{self.before}{index:0{_DIGITS}d}" if self.keys is None else self.keys[index]

    def stamp(self, index: int) -> str:
        """Of the data where they are at hand, of a file its size and time."""
        if not self.held:
            return ""
        try:
            data, _ = parts_of(self.samples[index])
            if isinstance(data, str | os.PathLike):
                found = os.stat(data)
                return f"{found.st_size}:{found.st_mtime_ns}"
            return _sum(_read(data))
        except (SampleError, OSError, ValueError, TypeError):  # the last of tensors that numpy does not take
            return ""

    def digest(self) -> str:
        """Of the fields, and the names of files, where samples are at hand; else of how many there are of what."""
        shape = getattr(self.samples, "shape", len(self))
        digest = hashlib.sha256(f"{type(self.samples).__name__} {self.before}{tuple(np.atleast_1d(shape))}".encode())
        for index in range(len(self)) if isinstance(self.samples, list | tuple | Columns) else ():
            try:
                data, fields = parts_of(self.samples[index])
            except SampleError as error:
                data, fields = str(error), {}
            named = os.fspath(data) if isinstance(data, str | os.PathLike) else type(data).__name__
            line = json.dumps([self.key(index), named, fields], default=_described, skipkeys=True)
            digest.update(line.encode())
        return digest.hexdigest()

    def __getitem__(self, index: int) -> Raw:
        where = f"{self.name}[{index}]"
        try:
            data, fields = parts_of(self.samples[index])
            if isinstance(data, str | os.PathLike):
                where = os.fspath(data)
            fields = {name: field_of(value) for name, value in fields.items()}
            if self.labels is not None:
                fields["label"] = int(self.labels[index])
            return Raw(_read(data), where, fields)
        except SampleError as error:
            raise SampleError(f"{where}: {error}") from error
        except (SourceError, MemoryError):
            raise
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise SampleError(f"{where}: there is no such file") from error
        except OSError as error:  # of the machine, so the sample is not to blame
            raise SourceError(
                f"{where}: cannot be read ({error.strerror or error}). Nothing is lost: see that it may be read, then "
                "run the same again to go on"
            ) from error
        except Exception as error:  # a dataset may raise anything of a damaged sample, which must not end a run
            raise SampleError(f"{where}: {type(error).__name__}: {error}") from error


def parts_of(sample: Any) -> tuple[Any, dict[str, Any]]:
    """The data of a sample, and its fields."""
    if isinstance(sample, Mapping):
        name = next((name for name in DATA if name in sample), None)
        if name is None:
            raise SampleError(
                f"a mapping of {', '.join(map(str, sample))}: call what is to be encoded one of {', '.join(DATA)}"
            )
        return sample[name], {str(other): sample[other] for other in sample if other not in (name, "key")}
    if isinstance(sample, list | tuple):
        if not 1 <= len(sample) <= 2:
            raise SampleError(f"{len(sample)} values: a sample is (data, label), (data, fields) or a mapping of fields")
        if len(sample) == 1:
            return sample[0], {}
        return sample[0], dict(sample[1]) if isinstance(sample[1], Mapping) else {"label": sample[1]}
    return sample, {}


def _read(data: Any) -> Any:
    """Data as a reader takes them: bytes, an array, or what a library opened."""
    if isinstance(data, str | os.PathLike):
        return Path(data).read_bytes()
    if isinstance(data, bytearray | memoryview):
        return bytes(data)
    if isinstance(data, Mapping) and "bytes" in data:  # as Hugging Face datasets give what they do not decode
        return _read(data["bytes"] if data["bytes"] is not None else data["path"])
    if isinstance(data, np.ma.MaskedArray):  # whose mask says which values are none
        return data
    return _array(data) if hasattr(data, "__array__") else data


def field_of(value: Any) -> Any:
    """A value as `Raw` has it: what numpy takes as an array, and a lone number or text of numpy as one of Python; None
    for what pandas calls missing."""
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if not (hasattr(value, "__array__") or hasattr(value, "__array_interface__")):
        return value
    array = _array(value)
    return array.item() if array.ndim == 0 else array


def _array(value: Any) -> "NDArray[Any]":
    """An array of what numpy takes, such as a tensor."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value  # which numpy lacks
    return np.asarray(value)


def _sum(data: Any) -> str:
    if not isinstance(data, bytes):
        array = np.ascontiguousarray(data)
        data = f"{array.dtype} {array.shape} ".encode() + array.tobytes()
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def _described(value: Any) -> Any:
    value = field_of(value)
    return _sum(value) if isinstance(value, bytes | np.ndarray) else repr(value)
