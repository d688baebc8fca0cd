"""Small files that are checked when they are parsed."""

from collections.abc import Callable
from typing import TypeVar

from walloc_data.errors import CodecError, CoderError, FormatError
from walloc_data.storage.door import Storage

__all__ = ["read_parsed"]

_T = TypeVar("_T")


def read_parsed(storage: Storage, name: str, parse: Callable[[bytes], _T], *, version: str = "") -> _T:
    """What `parse` makes of a file. A remote one that it finds damaged is fetched anew, once."""
    try:
        return parse(storage.read(name, version=version))
    except (CodecError, CoderError, FormatError):
        if storage.path(name) is not None:
            raise
        return parse(storage.read(name, version=version, anew=True))
