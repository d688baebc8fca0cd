"""Payloads to latents, all of one shape and coder in one call of the coder."""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import accumulate, islice
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
_SPARE: "deque[NDArray[np.uint8]]" = deque(maxlen=8)  # one a thread that reads, which gives it back
_SPARE_BYTES = 1 << 24  # more is not kept


def new_array(shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Where latents are decoded to, unless there is a better place."""
    return np.empty(shape, np.int8)


class Payloads(NamedTuple):
    """Samples of one shape `(c, *space)` and one coder as they are stored.

    Their `places` in the batch, int64 `[N]`; what they lie in, bytes or an `OpenFile`; and of each the offset in that,
    its bytes, and the CRC32 of its latents (-1: it is not checked), int64 `[N, 3]`.
    """

    places: NDArray[np.int64]
    buffer: Any
    stored: NDArray[np.int64]
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
    stored, kept, shape = record.stored[slots], channels or record.channels, record.shape
    if kept != record.channels:
        stored[:, 2] = -1
        shape = shape and (kept, *shape[1:])
    if shape:
        return [Payloads(places, buffer, stored, shape, coder)]
    shapes = [(kept, *record.latent_shape(number)[1:]) for number in slots.tolist()]
    each = zip(places[:, None], stored[:, None], shapes, strict=True)
    return [Payloads(place, buffer, one, shape, coder) for place, one, shape in each]


def decode_payloads(parts: Sequence[Payloads], empty: Empty = new_array) -> tuple[Any, NDArray[np.bool_]]:
    """Latents of a batch, whose places the parts fill, and which of them are damaged, bool `[N]`.

    Latents are int8 `[N, c, *space]`, an array that `empty` gives, or a list of `[c, *space]` where their shapes
    differ. Raises `FormatError` or `DatasetError` where a file cannot be read.
    """
    samples = sum([len(part.places) for part in parts])
    if samples == 1 == len(parts):
        return _decode_one(parts[0], empty)
    broken = np.zeros(samples, bool)
    alike: dict[tuple[tuple[int, ...], int], list[Payloads]] = {}
    for part in parts:
        alike.setdefault((part.shape, id(part.coder)), []).append(part)
    shapes = {shape for shape, _ in alike}
    latents: Any = [None] * samples if len(shapes) > 1 else empty((samples, *(shapes or {(0,)}).pop()))
    for group in alike.values():
        places = np.concatenate([part.places for part in group])
        order = np.argsort(places)
        decoded = latents if len(alike) == 1 else np.empty((len(places), *group[0].shape), np.int8)
        broken[places[order]] = _decode(group, order, decoded)
        if decoded is not latents:
            for place, sample in zip(places[order].tolist(), decoded, strict=True):
                latents[place] = sample
    return latents, broken


def _decode_one(part: Payloads, empty: Empty) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """`decode_payloads` of one sample, for which there is nothing to lay out."""
    [(offset, size, crc)] = part.stored.tolist()
    out = empty((1, *part.shape))
    whole = _decodes(part.coder, part.buffer[offset : offset + size], np.array([[0, size]], np.uint64), out)
    return out, np.array([not whole or (crc >= 0 and crc32(out) != crc)])


def _decode(parts: Sequence[Payloads], order: NDArray[np.int64], out: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Decode parts of one shape and coder, in some order, to `out`, int8 `[N, c, *space]`; which are damaged."""
    stored = np.concatenate([part.stored for part in parts])
    _, sizes, crcs = stored[order].T
    segments = np.empty((len(order), 2), np.uint64)
    segments[:, 1] = sizes
    ends = sizes.cumsum()
    segments[:, 0] = starts = ends - sizes
    size = max(1, int(ends[-1]))
    memory = _spare(size)
    stored[order, 2] = starts
    _copy(parts, stored, memory.data)
    coder, whole = parts[0].coder, memory[:size]
    try:
        coder.decode(whole, segments, out)
        broken = np.zeros(len(out), bool)
    except CoderError:
        broken = np.array([not _decodes(coder, whole, segments[i : i + 1], out[i : i + 1]) for i in range(len(out))])
    if memory.nbytes <= _SPARE_BYTES:
        _SPARE.append(memory)
    if crcs.max() < 0:
        return broken
    each, flat = out[0].nbytes, out.data.cast("B")
    found = np.array([crc32(flat[start : start + each]) for start in range(0, out.nbytes, each)])
    broken |= (found != crcs) & (crcs >= 0)
    return broken


def _copy(parts: Sequence[Payloads], stored: NDArray[np.int64], memory: memoryview) -> None:
    """Bring payloads to memory, each to where the third column of `stored` says; in one piece what lies one behind the
    other here and there.

    They are less to copy than latents, which then are decoded to where they belong.
    """
    offsets, sizes, starts = stored.T
    others = [number for number, part in enumerate(parts) if not number or part.buffer is not parts[number - 1].buffer]
    edges = np.array([0, *accumulate([len(part.places) for part in parts])])[others]
    first = np.ones(len(stored), bool)
    first[1:] = (offsets[1:] != offsets[:-1] + sizes[:-1]) | (starts[1:] != starts[:-1] + sizes[:-1])
    first[edges] = True
    at = np.flatnonzero(first)
    pieces = zip(starts[at].tolist(), np.add.reduceat(sizes, at).tolist(), offsets[at].tolist(), strict=True)
    behind = [*at.searchsorted(edges[1:]).tolist(), len(at)]
    done = 0
    for buffer, until in zip([parts[number].buffer for number in others], behind, strict=True):
        some, done = islice(pieces, until - done), until
        if isinstance(buffer, OpenFile):
            buffer.read_into(memory, some)
        else:
            for start, size, offset in some:
                memory[start : start + size] = buffer[offset : offset + size]


def _decodes(coder: Coder, memory: Any, segments: NDArray[np.uint64], out: NDArray[np.int8]) -> bool:
    try:
        coder.decode(memory, segments, out)
    except CoderError:
        return False
    return True


def _spare(size: int) -> NDArray[np.uint8]:
    """Memory of so many bytes or more, used over and over: what is new costs more in page faults than in copying."""
    try:
        memory = _SPARE.pop()
    except IndexError:
        memory = np.empty(0, np.uint8)
    return memory if memory.nbytes >= size else np.empty(size + size // 4, np.uint8)
