"""Levels of packets: one number for all axes of space, or one for each."""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

__all__ = ["Ends", "Levels", "each_axis", "grid_name"]

Levels: TypeAlias = int | Sequence[int]


class Ends(NamedTuple):
    """What a decoder leads from and to: latent `channels`, and `packets` of so many `levels` of each axis."""

    channels: int
    packets: int
    levels: tuple[int, ...]


def each_axis(number: Levels, dims: int) -> tuple[int, ...]:
    """One number for each of `dims` axes."""
    return (number,) * dims if isinstance(number, int) else tuple(number)


def grid_name(factors: Sequence[int]) -> str:
    """Factors of a name such as `f8`; `t4f8` where time has another than space, `f2x4` or `f2x4x8` where others differ.

    >>> grid_name((8, 8)), grid_name((4, 8, 8)), grid_name((2, 4))
    ('f8', 't4f8', 'f2x4')
    """
    if len(set(factors)) == 1:
        return f"f{factors[0]}"
    if len(factors) == 3 and factors[1] == factors[2]:
        return f"t{factors[0]}f{factors[1]}"
    return "f" + "x".join(map(str, factors))
