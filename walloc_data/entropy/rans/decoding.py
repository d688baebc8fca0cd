# mypy: disable-error-code="no-untyped-def,var-annotated"
"""The decoder of `rans`, compiled."""

import numpy as np

from walloc_data.entropy.rans.context import expect, jit, rows_of, settle, sum_boxes
from walloc_data.entropy.rans.lanes import WIDTH, address
from walloc_data.entropy.rans.stream import (
    BYTE,
    ESCAPE,
    FIRST,
    LANES,
    LOW,
    MARGIN,
    SLOT_BITS,
    SLOT_MASK,
    WORD,
    pointers_of,
)

__all__ = ["decode_batch"]


@jit
def _take(state, cursor, words, slots, ranges, table):  # pragma: no cover
    """One symbol off a state: `(symbol, state, cursor)`."""
    slot = state & SLOT_MASK
    symbol = np.uint64(slots[(np.uint64(table) << SLOT_BITS) | slot])
    entry = np.uint64(ranges[(np.uint64(table) << BYTE) | symbol])
    state = (entry >> WORD) * (state >> SLOT_BITS) + slot - (entry & np.uint64(0xFFFF))
    word = np.uint64(words[cursor])
    if state < FIRST:
        state = (state << WORD) | word
        cursor += 1
    if symbol == np.uint64(ESCAPE):
        symbol = state & LOW
        state >>= BYTE
        if state < FIRST:
            state = (state << WORD) | np.uint64(words[cursor])
            cursor += 1
    return np.int8(np.uint8(symbol)), state, cursor


@jit
def _tail(i, count, contexts, lookup, slots, ranges, words, cursor, s0, s1, s2, symbols):  # pragma: no cover
    """The last one to three symbols of a chunk."""
    symbols[i], s0, cursor = _take(s0, cursor, words, slots, ranges, lookup[contexts[i]])
    if i + 1 < count:
        symbols[i + 1], s1, cursor = _take(s1, cursor, words, slots, ranges, lookup[contexts[i + 1]])
    if i + 2 < count:
        symbols[i + 2], s2, cursor = _take(s2, cursor, words, slots, ranges, lookup[contexts[i + 2]])
    return cursor, s0, s1, s2


@jit
def _state(words, lane):  # pragma: no cover
    return np.uint64(words[2 * lane]) | np.uint64(words[2 * lane + 1]) << WORD


@jit
def _unskew(space, values, shape, out, at):  # pragma: no cover
    for y in range(shape[1]):
        cell = values + (2 * y + 4) * shape[5] + 2 + y
        for x in range(shape[3] if y == shape[1] - 1 else shape[2]):
            out[at + y * shape[2] + x] = np.int8(space[cell + x * shape[5]])


@jit
def _decode(
    a,
    b,
    stop_a,
    stop_b,
    slots,
    ranges,
    lookup,
    shape,
    channels,
    pointers,
    spaces,
    sums,
    chunks,
    symbols,
    out,
    at_a,
    at_b,
):  # pragma: no cover
    """Samples of words `a` and `b` in step, to `out` from `at_a` and `at_b` on.

    Returns 0, or 1 or 2 for the one that is damaged.

    A front waits for the one before it. With two samples, a core has something else to do meanwhile.
    """
    depth, rows, columns, last, fronts, stride, cells = shape
    planes, boxed, counts, offsets, weights, biases = pointers
    space_a, space_b = spaces
    chunk_a, chunk_b = chunks
    symbols_a, symbols_b = symbols
    places = (rows - 1) * columns + last
    a0, a1, a2, a3 = _state(a, 0), _state(a, 1), _state(a, 2), _state(a, 3)
    b0, b1, b2, b3 = _state(b, 0), _state(b, 1), _state(b, 2), _state(b, 3)
    if min(min(a0, a1), min(a2, a3)) < FIRST:
        return 1
    if min(min(b0, b1), min(b2, b3)) < FIRST:
        return 2
    i_a = 2 * LANES
    i_b = 2 * LANES
    for plane in range(depth):
        phase = min(plane, 2 - (plane & 1))
        for channel in range(channels):
            row = phase * channels + channel
            values, errors, boxes = planes[3 * row], planes[3 * row + 1], planes[3 * row + 2]
            for front in range(fronts):
                low, high = rows_of(front, rows, columns, last)
                for first in range(low, high, WIDTH):
                    cell = (front + 4) * stride + 2 + first
                    count = min(high - first, WIDTH)
                    moved = expect(
                        space_a, values, stride, cell, channel, row, counts, offsets, weights, biases, chunk_a
                    )
                    expect(space_b, values, stride, cell, channel, row, counts, offsets, weights, biases, chunk_b)
                    i = 0
                    while i + 4 <= count:
                        symbols_a[i], a0, i_a = _take(a0, i_a, a, slots, ranges, lookup[chunk_a[i]])
                        symbols_a[i + 1], a1, i_a = _take(a1, i_a, a, slots, ranges, lookup[chunk_a[i + 1]])
                        symbols_a[i + 2], a2, i_a = _take(a2, i_a, a, slots, ranges, lookup[chunk_a[i + 2]])
                        symbols_a[i + 3], a3, i_a = _take(a3, i_a, a, slots, ranges, lookup[chunk_a[i + 3]])
                        symbols_b[i], b0, i_b = _take(b0, i_b, b, slots, ranges, lookup[chunk_b[i]])
                        symbols_b[i + 1], b1, i_b = _take(b1, i_b, b, slots, ranges, lookup[chunk_b[i + 1]])
                        symbols_b[i + 2], b2, i_b = _take(b2, i_b, b, slots, ranges, lookup[chunk_b[i + 2]])
                        symbols_b[i + 3], b3, i_b = _take(b3, i_b, b, slots, ranges, lookup[chunk_b[i + 3]])
                        i += 4
                    if i < count:
                        i_a, a0, a1, a2 = _tail(i, count, chunk_a, lookup, slots, ranges, a, i_a, a0, a1, a2, symbols_a)
                        i_b, b0, b1, b2 = _tail(i, count, chunk_b, lookup, slots, ranges, b, i_b, b0, b1, b2, symbols_b)
                    if i_a > stop_a:
                        return 1
                    if i_b > stop_b:
                        return 2
                    settle(space_a, values, errors, cell, count, moved, chunk_a, symbols_a)
                    settle(space_b, values, errors, cell, count, moved, chunk_b, symbols_b)
            done = (channel * depth + plane) * places
            _unskew(space_a, values, shape, out, at_a + done)
            _unskew(space_b, values, shape, out, at_b + done)
            if boxed[channel]:
                sum_boxes(space_a, errors, boxes, sums, cells, stride)
                sum_boxes(space_b, errors, boxes, sums, cells, stride)
    if i_a != stop_a or a0 != FIRST or a1 != FIRST or a2 != FIRST or a3 != FIRST:
        return 1
    if i_b != stop_b or b0 != FIRST or b1 != FIRST or b2 != FIRST or b3 != FIRST:
        return 2
    return 0


@jit
def _words(source, offset, length, words):  # pragma: no cover
    """A payload's words, with as many zeros behind them as a chunk can take."""
    stop = length >> 1
    for i in range(stop):
        words[i] = np.uint16(source[offset + 2 * i]) | np.uint16(source[offset + 2 * i + 1]) << 8
    for i in range(stop, stop + MARGIN):
        words[i] = 0
    return stop


@jit
def decode_batch(buffer, segments, slots, ranges, lookup, plan, work, words, other, out, size):  # pragma: no cover
    """Payloads at `segments`, already within `buffer`, to `out`, int8 `[N * size]`. -1, or the number of a bad one.

    `words` and `other` are uint16 `[size // 2 + MARGIN]`, `work` two workspaces.
    """
    pointers = pointers_of(plan)
    source, target, a = address(buffer), address(out), address(words)
    b = address(other)
    spaces = (address(work[0].space), address(work[1].space))
    chunks = (address(work[0].chunk), address(work[1].chunk))
    symbols = (address(work[0].symbols), address(work[1].symbols))
    held = -1
    stop_a = 0
    for sample in range(len(segments)):
        offset = np.int64(segments[sample, 0])
        length = np.int64(segments[sample, 1])
        if length == size:
            for i in range(size):
                target[sample * size + i] = np.int8(source[offset + i])
        elif length > size or length & 1 or length < 4 * LANES:
            return sample
        elif held < 0:
            held = sample
            stop_a = _words(source, offset, length, a)
        else:
            stop_b = _words(source, offset, length, b)
            bad = _decode(
                a, b, stop_a, stop_b, address(slots), address(ranges), address(lookup),
                plan.shape, len(plan.boxed), pointers, spaces, plan.sums,
                chunks, symbols, target, held * size, sample * size,
            )  # fmt: skip
            if bad:
                return held if bad == 1 else sample
            held = -1
    if held >= 0 and _decode(
        a, a, stop_a, stop_a, address(slots), address(ranges), address(lookup), plan.shape, len(plan.boxed), pointers,
        spaces, plan.sums, chunks, symbols, target, held * size, held * size,
    ):  # fmt: skip
        return held
    return -1
