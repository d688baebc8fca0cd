"""Planes of several samples, turned so that those of one place lie side by side: what a processor takes in one step."""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy.compiled import compiled

__all__ = ["TOGETHER", "in_words", "turn", "turn_back"]

TOGETHER = 32  # samples
_WORD = 8  # latents
_S1, _S2, _S4 = np.uint64(8), np.uint64(16), np.uint64(32)  # bits of 1, 2 and 4 latents
_M1, _M2, _M4 = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF), np.uint64(0x00000000FFFFFFFF)


def in_words(x: NDArray[np.int8]) -> NDArray[np.uint64]:
    """The planes of C-contiguous `[N, c, depth, rows, columns]` as numbers of eight latents, `[N, c, depth, words]`.

    Of no words where planes cannot be taken so: there are some latents more, or a machine orders bytes otherwise.
    """
    *outer, rows, columns = x.shape
    whole = rows * columns % _WORD == 0 and x.ctypes.data % _WORD == 0 and sys.byteorder == "little"
    words = rows * columns // _WORD if whole else 0
    return np.reshape(x if words else x[..., :0], (*outer, words * _WORD)).view(np.uint64)


@compiled
def turn(planes: Any, words: Any, turned: Any) -> None:  # pragma: no cover  (compiled)
    """Planes int8 `[TOGETHER, rows, columns]`, or `in_words`, to int8 `[rows * columns, TOGETHER]`."""
    if words.size:
        to = turned.view(np.uint64)
        for part in range(TOGETHER // _WORD):  # one after the other: more would not stay in the first cache together
            k = _WORD * part
            for word in range(words.shape[1]):
                at = _WORD * word
                a, b, c, d, e, f, g, h = _eight(
                    words[k, word],
                    words[k + 1, word],
                    words[k + 2, word],
                    words[k + 3, word],
                    words[k + 4, word],
                    words[k + 5, word],
                    words[k + 6, word],
                    words[k + 7, word],
                )
                to[at, part], to[at + 1, part], to[at + 2, part], to[at + 3, part] = a, b, c, d
                to[at + 4, part], to[at + 5, part], to[at + 6, part], to[at + 7, part] = e, f, g, h
        return
    _, rows, columns = planes.shape
    for k in range(TOGETHER):
        for row in range(rows):
            for column in range(columns):
                turned[row * columns + column, k] = planes[k, row, column]


@compiled
def turn_back(turned: Any, words: Any, planes: Any) -> None:  # pragma: no cover  (compiled)
    """Undo `turn`."""
    if words.size:
        of = turned.view(np.uint64)
        for part in range(TOGETHER // _WORD):
            k = _WORD * part
            for word in range(words.shape[1]):
                at = _WORD * word
                a, b, c, d, e, f, g, h = _eight(
                    of[at, part],
                    of[at + 1, part],
                    of[at + 2, part],
                    of[at + 3, part],
                    of[at + 4, part],
                    of[at + 5, part],
                    of[at + 6, part],
                    of[at + 7, part],
                )
                words[k, word], words[k + 1, word], words[k + 2, word], words[k + 3, word] = a, b, c, d
                words[k + 4, word], words[k + 5, word], words[k + 6, word], words[k + 7, word] = e, f, g, h
        return
    _, rows, columns = planes.shape
    for k in range(TOGETHER):
        for row in range(rows):
            for column in range(columns):
                planes[k, row, column] = turned[row * columns + column, k]


@compiled
def _swap(one: Any, other: Any, bits: Any, mask: Any) -> Any:  # pragma: no cover  (compiled)
    """Two numbers, with the upper of the parts that a mask tells apart in one for the lower in the other."""
    change = ((one >> bits) ^ other) & mask
    return one ^ (change << bits), other ^ change


@compiled
def _eight(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any) -> Any:  # pragma: no cover  (compiled)
    """Eight numbers of eight bytes, turned: the bytes of one place of each become a number."""
    a, b = _swap(a, b, _S1, _M1)
    c, d = _swap(c, d, _S1, _M1)
    e, f = _swap(e, f, _S1, _M1)
    g, h = _swap(g, h, _S1, _M1)
    a, c = _swap(a, c, _S2, _M2)
    b, d = _swap(b, d, _S2, _M2)
    e, g = _swap(e, g, _S2, _M2)
    f, h = _swap(f, h, _S2, _M2)
    a, e = _swap(a, e, _S4, _M4)
    b, f = _swap(b, f, _S4, _M4)
    c, g = _swap(c, g, _S4, _M4)
    d, h = _swap(d, h, _S4, _M4)
    return a, b, c, d, e, f, g, h
