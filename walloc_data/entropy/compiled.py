"""Numba, so that a package that nobody may write to can still be imported."""

import os
from collections.abc import Callable
from typing import Any

import numba

__all__ = ["compiled"]


def compiled(function: Callable[..., Any], **options: Any) -> Any:
    """`function`, compiled at its first call to run without the GIL; kept on disk where that is possible.

    `options` are those of `numba.njit`.
    """
    try:
        return numba.njit(nogil=True, cache=_has_place(), **options)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return numba.njit(nogil=True, **options)(function)


def _has_place() -> bool:
    """Whether numba would find a folder to keep code in. Without a home it makes one named `~` where it is run."""
    chosen = any(os.environ.get(name) for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"))
    return chosen or os.path.isabs(os.path.expanduser("~")) or os.access(os.path.dirname(__file__), os.W_OK)
