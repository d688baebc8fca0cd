"""Permutations of any size that need no table: number to place and back, from a key alone.

A Feistel network on a rectangle of `a * b` cells, `a` and `b` about the root of the size (Black and Rogaway,
"Ciphers with arbitrary finite domains", 2002): each round moves one coordinate by a hash of the other, which can be
undone. The few cells behind the size are walked through until one within it is reached.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Permutation", "scramble"]

_ROUNDS = 8


def scramble(key: int, values: ArrayLike) -> NDArray[np.uint64]:
    """A hash of 64 bits of each value (integers below 2**64), another one for each `key`. The same on every machine.

    The finaliser of Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.

    >>> scramble(1, [0, 1]).tolist()
    [7960286522194355700, 13757245211066428519]
    """
    x = np.asarray(values, np.uint64)
    with np.errstate(over="ignore"):  # sums and products are modulo 2**64
        x = x + np.uint64((key + 1) * 0x9E3779B97F4A7C15 % 2**64)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)), np.uint64)


class Permutation:
    """A permutation of the numbers from 0 to below `size` (1 to 2**62), chosen by `key`.

    >>> shuffled = Permutation(10, key=3)
    >>> places = shuffled(range(10))
    >>> sorted(places.tolist()) == list(range(10)) and shuffled.inverse(places).tolist() == list(range(10))
    True
    """

    def __init__(self, size: int, *, key: int) -> None:
        self.size = size
        self._columns = math.isqrt(max(0, size - 1)) + 1
        self._rows = -(-size // self._columns)
        self._keys = [int(k) for k in scramble(key, np.arange(_ROUNDS))]

    def __call__(self, numbers: ArrayLike) -> NDArray[np.int64]:
        """Where each number goes, int64 of the same shape."""
        return self._walk(numbers, self._keys, 1)

    def inverse(self, places: ArrayLike) -> NDArray[np.int64]:
        """The number that goes to each place."""
        return self._walk(places, self._keys[::-1], -1)

    def _walk(self, numbers: ArrayLike, keys: list[int], sign: int) -> NDArray[np.int64]:
        cells = np.array(numbers, np.int64)
        outside = np.ones(cells.shape, bool)
        while outside.any():
            cells[outside] = self._rounds(cells[outside], keys, sign)
            outside = cells >= self.size
        return cells

    def _rounds(self, cells: NDArray[np.int64], keys: list[int], sign: int) -> NDArray[np.int64]:
        place = list(np.divmod(cells, self._columns))
        sizes = (self._rows, self._columns)
        for number, key in enumerate(keys):
            moved = (number if sign > 0 else len(keys) - 1 - number) % 2
            by = (scramble(key, place[1 - moved]) % np.uint64(sizes[moved])).astype(np.int64)
            place[moved] = (place[moved] + sign * by) % sizes[moved]
        return np.asarray(place[0] * self._columns + place[1], np.int64)
