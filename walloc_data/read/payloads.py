"""Payloads to latents, a whole batch in one call of the coder."""

import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy import Coder
from walloc_data.errors import CoderError

__all__ = ["Payload", "decode_payloads"]


class Payload(NamedTuple):
    """One sample as it is stored: its bytes, the CRC32 of its latents, their shape `(c, *space)`, and its coder."""

    data: memoryview
    crc: int
    shape: tuple[int, ...]
    coder: Coder


def decode_payloads(payloads: Sequence[Payload]) -> tuple[Any, NDArray[np.bool_]]:
    """Latents in the order of `payloads`, and which of them are damaged, bool `[N]`.

    Latents are int8 `[N, c, *space]`, or a list of `[c, *space]` where their shapes differ. Wherever the payloads lie,
    they are copied together first: less to copy than latents, which then are decoded to where they belong.
    """
    broken = np.zeros(len(payloads), bool)
    shapes = {payload.shape for payload in payloads}
    if len(shapes) > 1:
        latents: list[NDArray[np.int8]] = []
        for place, payload in enumerate(payloads):
            latents.append(np.empty(payload.shape, np.int8))
            broken[place] = _decode([payload], latents[-1][None])[0]
        return latents, broken
    out = np.empty((len(payloads), *(shapes.pop() if shapes else (0,))), np.int8)
    of_coder: dict[int, list[int]] = {}
    for place, payload in enumerate(payloads):
        of_coder.setdefault(id(payload.coder), []).append(place)
    for places in of_coder.values():
        part = out if len(places) == len(out) else np.empty((len(places), *out.shape[1:]), np.int8)
        broken[places] = _decode([payloads[place] for place in places], part)
        if part is not out:
            out[places] = part
    return out, broken


def _decode(payloads: Sequence[Payload], out: NDArray[np.int8]) -> list[bool]:
    """Decode payloads of one coder and shape to `out`; which of them are damaged."""
    lengths = np.array([len(payload.data) for payload in payloads], np.uint64)
    segments = np.stack([np.cumsum(lengths, dtype=np.uint64) - lengths, lengths], 1)
    try:
        payloads[0].coder.decode(b"".join([payload.data for payload in payloads]), segments, out)
    except CoderError:
        if len(payloads) == 1:
            return [True]
        return [_decode([payload], sample[None])[0] for payload, sample in zip(payloads, out, strict=True)]
    return [zlib.crc32(sample) != payload.crc for payload, sample in zip(payloads, out, strict=True)]
