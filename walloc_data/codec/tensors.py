"""Tensors and JSON metadata in safetensors files."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from walloc_data.errors import CodecError

__all__ = ["parse_tensors", "read_tensors", "write_tensors"]

_METADATA = "walloc"


def read_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a safetensors file. Raises `CodecError` for one that is missing or damaged."""
    try:
        return parse_tensors(Path(path).read_bytes(), where=os.fspath(path))
    except FileNotFoundError as error:
        raise CodecError(f"{path} is missing") from error
    except OSError as error:
        raise CodecError(f"{path} cannot be read ({error.strerror})") from error


def parse_tensors(data: bytes, *, where: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The same of the bytes of such a file."""
    try:
        tensors = load(data)  # checks the header, which begins with its length
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        return tensors, dict(json.loads(header.get("__metadata__", {}).get(_METADATA, "{}")))
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CodecError(f"{where} is not a readable safetensors file: {error}") from error


def write_tensors(path: str | os.PathLike[str], tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write a safetensors file, whole or not at all, whose bytes depend on nothing but its content."""
    # One entry, since safetensors does not keep the order of several.
    text = {_METADATA: json.dumps(metadata, sort_keys=True)}
    path, data = Path(path), save(dict(sorted(tensors.items())), metadata=text)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from error
