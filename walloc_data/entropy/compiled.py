"""Numba, so that a package that nobody may write to can still be imported."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

__all__ = ["compiled"]

_F = TypeVar("_F", bound=Callable[..., Any])


def compiled(function: _F) -> _F:
    """`function`, compiled at its first call to run without the GIL; kept on disk where that is possible."""
    kept: Any
    try:
        kept = numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        kept = numba.njit(nogil=True)(function)
    return cast(_F, kept)
