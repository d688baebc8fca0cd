"""Numba, so that a package that nobody may write to can still be imported."""

from collections.abc import Callable
from typing import Any

import numba

__all__ = ["compiled"]


def compiled(function: Callable[..., Any], **options: Any) -> Any:
    """`function`, compiled at its first call to run without the GIL; kept on disk where that is possible.

    `options` are those of `numba.njit`.
    """
    try:
        return numba.njit(nogil=True, cache=True, **options)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return numba.njit(nogil=True, **options)(function)
