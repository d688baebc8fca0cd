"""Which source an address is of."""

import os
from typing import Any

from walloc_data.errors import SourceError
from walloc_data.sources.folder import scan_folder
from walloc_data.sources.source import Source

__all__ = ["open_source"]


def open_source(address: Any, *, suffixes: frozenset[str]) -> Source:
    """The samples of a folder, listed and not read; a `Source` is given back as it is.

    `suffixes` are those of the files that count. Raises `SourceError` for what is no source.
    """
    if isinstance(address, Source):
        return address
    if isinstance(address, str | os.PathLike):
        return scan_folder(address, suffixes=suffixes)
    raise SourceError(f"a source is the path of a folder, not {type(address).__name__}")
