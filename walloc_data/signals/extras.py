"""Modules of the package's extras, loaded where they are needed."""

import importlib
from typing import Any

from walloc_data.errors import SourceError

__all__ = ["need"]


def need(module: str, extra: str) -> Any:
    """A module of an extra. Raises `SourceError`, which names the extra, where it is not installed."""
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:  # the second where one finds no library of the system
        raise SourceError(
            f"such files are read with {module}, which cannot be imported here ({error}): "
            f"pip install 'walloc-data[{extra}]'"
        ) from error
