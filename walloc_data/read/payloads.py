"""Payloads to latents, all of one shape and coder in one call of the coder."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from walloc_data.crc import crc32
from walloc_data.entropy import Coder
from walloc_data.errors import CoderError
from walloc_data.format import Record
from walloc_data.read.open_files import OpenFile

__all__ = ["Empty", "Payloads", "decode_payloads", "new_array", "stored_payloads"]

Empty: TypeAlias = Callable[[tuple[int, ...]], NDArray[np.int8]]


def new_array(shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Where latents are decoded to, unless there is a better place."""
    return np.empty(shape, np.int8)


class Payloads(NamedTuple):
    """Samples of one shape `(c, *space)` and one coder as they are stored.

    Their `places` in the batch, their bytes, and the CRC32 of their latents (None: it is not checked).
    """

    places: Sequence[int]
    data: Sequence[Any]
    crcs: Sequence[int | None]
    shape: tuple[int, ...]
    coder: Coder


def stored_payloads(
    record: Record,
    buffer: Any,
    coder: Coder,
    slots: NDArray[np.int64],
    places: NDArray[np.int64],
    channels: int | None = None,
) -> list[Payloads]:
    """Some samples of a record in a buffer, by their slots in it: one part, or as many as samples if its shapes differ.

    Of the first `channels` alone nothing is checked: the CRC is that of whole latents.
    """
    rows, numbers = record.stored, slots.tolist()
    stored = [rows[number] for number in numbers]
    data: Sequence[Any]
    if isinstance(buffer, OpenFile):
        data = buffer.pieces(stored)
    else:
        data = [buffer[start : start + size] for start, size, _ in stored]
    kept = channels or record.channels
    crcs = [row[2] for row in stored] if kept == record.channels else [None] * len(stored)
    if record.shape:
        return [Payloads(places.tolist(), data, crcs, (kept, *record.shape[1:]), coder)]
    shapes = [(kept, *record.latent_shape(number)[1:]) for number in numbers]
    each = zip(places.tolist(), data, crcs, shapes, strict=True)
    return [Payloads([place], [payload], [crc], shape, coder) for place, payload, crc, shape in each]


def decode_payloads(parts: Sequence[Payloads], empty: Empty = new_array) -> tuple[Any, NDArray[np.bool_]]:
    """Latents of a batch, whose places the parts fill, and which of them are damaged, bool `[N]`.

    Latents are int8 `[N, c, *space]`, an array that `empty` gives, or a list of `[c, *space]` where their shapes
    differ. Wherever the payloads lie, they are copied together first: less to copy than latents, which then are
    decoded to where they belong.
    """
    samples = sum(len(part.places) for part in parts)
    broken = np.zeros(samples, bool)
    alike: dict[tuple[tuple[int, ...], int], list[Payloads]] = {}
    for part in parts:
        alike.setdefault((part.shape, id(part.coder)), []).append(part)
    shapes = {shape for shape, _ in alike}
    latents: Any = [None] * samples if len(shapes) > 1 else empty((samples, *(shapes or {(0,)}).pop()))
    for group in alike.values():
        together = _in_order(group)
        decoded = latents if len(alike) == 1 else np.empty((len(together.places), *together.shape), np.int8)
        broken[together.places] = _decode(together, decoded)
        if decoded is not latents:
            for place, sample in zip(together.places, decoded, strict=True):
                latents[place] = sample
    return latents, broken


def _in_order(group: Sequence[Payloads]) -> Payloads:
    """Payloads of one shape and coder as one part, by their places."""
    if len(group) == 1 and len(group[0].places) == 1:
        return group[0]
    stored: dict[int, tuple[Any, int | None]] = {}
    for part in group:
        stored.update(zip(part.places, zip(part.data, part.crcs, strict=True), strict=True))
    places = sorted(stored)
    data, crcs = zip(*map(stored.__getitem__, places), strict=True)
    return group[0]._replace(places=places, data=data, crcs=crcs)


def _decode(part: Payloads, out: NDArray[np.int8]) -> list[bool]:
    """Decode to `out`, int8 `[N, c, *space]`; which samples are damaged."""
    lengths = [len(payload) for payload in part.data]
    segments = np.array([[0, *accumulate(lengths[:-1])], lengths], np.uint64).T
    try:
        part.coder.decode(b"".join(part.data), segments, out)
    except CoderError:
        if len(out) == 1:
            return [True]
        alone = [part._replace(places=[0], data=[d], crcs=[c]) for d, c in zip(part.data, part.crcs, strict=True)]
        return [_decode(one, sample[None])[0] for one, sample in zip(alone, out, strict=True)]
    return [crc is not None and crc32(sample) != crc for sample, crc in zip(out, part.crcs, strict=True)]
