# mypy: disable-error-code="no-untyped-def,var-annotated"
"""The decoder of `rans`, compiled."""

from functools import partial

import numpy as np

from walloc_data.entropy.rans.context import expect, jit, rows_of, settle, smooth
from walloc_data.entropy.rans.lanes import WIDTH, address, holds, joined, word
from walloc_data.entropy.rans.stream import (
    ESCAPE,
    FIRST,
    HEADER,
    LOW,
    RANGES,
    SLOT_BITS,
    SLOT_MASK,
    STATES,
    TOP,
    WORD,
    ZERO,
    pointers_of,
)

__all__ = ["decode_batch"]

CHUNK = 4 * WIDTH
_inline = partial(jit, forceinline=True)
_8, _16, _HALF = np.uint64(8), np.uint64(16), np.uint64(0xFFFF)


@jit
def _take(at, state, chunk, tables):  # pragma: no cover
    """One symbol off a state."""
    lookup, distributions = tables
    base = np.int64(lookup[chunk[at]])
    slot = state & SLOT_MASK
    symbol = np.uint64(distributions[base + np.int64(slot) + RANGES])
    entry = np.uint64(word(distributions, base + 4 * np.int64(symbol)))
    return symbol, (entry >> _16) * (state >> SLOT_BITS) + slot - (entry & _HALF)


@jit
def _refill(state, cursor, words):  # pragma: no cover
    word = np.uint64(words[cursor])
    if state < FIRST:
        state = state << WORD | word
        cursor += 1
    return state, cursor


@jit
def _two(at, state, cursor, words, chunk, tables):  # pragma: no cover
    first, state = _take(at, state, chunk, tables)
    second, state = _take(at + 1, state, chunk, tables)
    state, cursor = _refill(state, cursor, words)
    return first | second << _8, state, cursor


@jit
def _four(at, s0, s1, cursor, words, chunk, tables):  # pragma: no cover
    first, s0, cursor = _two(at, s0, cursor, words, chunk, tables)
    second, s1, cursor = _two(at + 2, s1, cursor, words, chunk, tables)
    return first | second << _16, s0, s1, cursor


@jit
def _fewer(at, count, s0, s1, cursor, words, chunk, tables):  # pragma: no cover
    """The last one to three symbols of a chunk."""
    first, s0 = _take(at, s0, chunk, tables)
    if count > 1:
        second, s0 = _take(at + 1, s0, chunk, tables)
        first |= second << _8
    s0, cursor = _refill(s0, cursor, words)
    if count > 2:
        third, s1 = _take(at + 2, s1, chunk, tables)
        s1, cursor = _refill(s1, cursor, words)
        first |= third << _16
    return first, s0, s1, cursor


@_inline
def _draw(pair, count, states, cursors, words, chunk, tables):  # pragma: no cover
    """A chunk's symbols of two samples, as two integers each."""
    a0, a1, b0, b1 = states[2 * pair], states[2 * pair + 1], states[2 * pair + 2], states[2 * pair + 3]
    ia, ib = cursors[pair], cursors[pair + 1]
    la = ha = lb = hb = ZERO
    a = pair * CHUNK
    b = a + CHUNK
    i = 0
    while i + 4 <= count:
        sa, a0, a1, ia = _four(a + i, a0, a1, ia, words, chunk, tables)
        sb, b0, b1, ib = _four(b + i, b0, b1, ib, words, chunk, tables)
        shift = np.uint64(8 * (i & 7))
        if i < 8:
            la |= sa << shift
            lb |= sb << shift
        else:
            ha |= sa << shift
            hb |= sb << shift
        i += 4
    if i < count:
        sa, a0, a1, ia = _fewer(a + i, count - i, a0, a1, ia, words, chunk, tables)
        sb, b0, b1, ib = _fewer(b + i, count - i, b0, b1, ib, words, chunk, tables)
        shift = np.uint64(8 * (i & 7))
        if i < 8:
            la |= sa << shift
            lb |= sb << shift
        else:
            ha |= sa << shift
            hb |= sb << shift
    states[2 * pair], states[2 * pair + 1], states[2 * pair + 2], states[2 * pair + 3] = a0, a1, b0, b1
    cursors[pair], cursors[pair + 1] = ia, ib
    return la, ha, lb, hb


@jit
def _bytes_for(symbols, count, source, end, begin):  # pragma: no cover
    """Symbols with bytes for escapes, which end at `end`; and where those left end."""
    for i in range(count):
        shift = np.uint64(8 * i)
        if symbols >> shift & LOW == np.uint64(ESCAPE) and end > begin:
            end -= 1
            symbols = symbols & ~(LOW << shift) | np.uint64(source[end]) << shift
    return symbols, end


@jit
def _unskew(space, values, shape, out, at):  # pragma: no cover
    for y in range(shape[1]):
        cell = values + (2 * y + 4) * shape[5] + 2 + y
        for x in range(shape[3] if y == shape[1] - 1 else shape[2]):
            out[at + y * shape[2] + x] = np.int8(space[cell + x * shape[5]] >> 8)


@jit
def _state(words, at):  # pragma: no cover
    return np.uint64(words[at]) | np.uint64(words[at + 1]) << WORD


@jit
def _unescaped(low, high, count, source, ends, sample):  # pragma: no cover
    low, ends[sample] = _bytes_for(low, min(count, 8), source, ends[sample], ends[4 + sample])
    high, ends[sample] = _bytes_for(high, count - 8, source, ends[sample], ends[4 + sample])
    return joined(low, high)


@jit
def _words(source, offset, length, words, at):  # pragma: no cover
    """A payload's words, with as many zeros behind them as a chunk can take. Returns one past the last."""
    for i in range(length >> 2):
        k = offset + 4 * i
        words[at + i] = (
            np.uint32(source[k]) | np.uint32(source[k + 1]) << 8
            | np.uint32(source[k + 2]) << 16 | np.uint32(source[k + 3]) << 24
        )  # fmt: skip
    for i in range(length >> 2, (length >> 2) + WIDTH + 1):
        words[at + i] = 0
    return at + (length >> 2)


@jit
def _load(sample, segments, source, size, words, room, states, cursors, ends, at, numbers, out):  # pragma: no cover
    """Get up to four payloads ready, and copy what was not coded on the way.

    Returns the number of the next sample; how many wait, two, four or none; and that of a bad one, or -1.
    """
    held = 0
    while held < 4 and sample < len(segments):
        offset, length = np.int64(segments[sample, 0]), np.int64(segments[sample, 1])
        if length == size:
            for i in range(size):
                out[sample * size + i] = np.int8(source[offset + i])
        elif length > size or length < HEADER:
            return sample, 0, sample
        else:
            numbers[held] = sample
            held += 1
        sample += 1
    live = held + (held & 1)
    for k in range(live):
        number = numbers[min(k, held - 1)]
        offset, length = np.int64(segments[number, 0]), np.int64(segments[number, 1])
        ends[8 + k] = _words(source, offset, length, words, k * room)
        ends[k], ends[4 + k] = offset + length, offset
        cursors[k] = k * room + HEADER // 4
        at[k], numbers[k] = number * size, number
        for half in range(STATES):
            state = _state(words, k * room + 2 * half)
            if state < FIRST or state >= TOP:
                return sample, 0, number
            states[2 * k + half] = state
    return sample, live, -1


@jit
def decode_batch(
    buffer, segments, distributions, lookup, plan, space, chunk, words, states, work, out, size
):  # pragma: no cover
    """Payloads at `segments`, already within `buffer`, to `out`, int8 `[N * size]`. -1, or the number of a bad one.

    `words` is uint32 `[4, size // 4 + MARGIN]`, `states` uint64 `[8]`, `work` int64 `[24]`.

    Up to four samples are decoded in step: a front waits for the one before it, and with several samples, a core has
    something else to do meanwhile. All is one function: numba would optimise one within another twice, and worse.
    """
    depth, rows, columns, last, fronts, stride, _ = plan.shape
    planes, watched, moving, counts, offsets, weights, biases = pointers_of(plan)
    channels = len(plan.watched)
    places = (rows - 1) * columns + last
    cells, room = plan.cells, words.shape[1]
    source, target, stream, held = address(buffer), address(out), address(words), address(states)
    space_, front_ = address(space), address(chunk)
    tables = (address(lookup), address(distributions))
    cursors, ends, at, numbers = address(work), address(work[4:]), address(work[16:]), address(work[20:])
    sample = 0
    while True:
        sample, live, bad = _load(
            sample, segments, source, size, stream, room, held, cursors, ends, at, numbers, target
        )
        if live == 0:
            return bad
        for plane in range(depth):
            phase = min(plane, 2 - (plane & 1))
            for channel in range(channels):
                row = phase * channels + channel
                values, errors, moved = planes[3 * row], planes[3 * row + 1], moving[channel]
                for front in range(fronts):
                    low, high = rows_of(front, rows, columns, last)
                    for first in range(low, high, WIDTH):
                        cell = (front + 4) * stride + 2 + first
                        count = min(high - first, WIDTH)
                        for k in range(live):
                            expect(
                                space_, values, errors, stride, cell + k * cells,
                                row, moved, counts, offsets, weights, biases, front_, k * CHUNK,
                            )  # fmt: skip
                        for a in range(0, live, 2):
                            b = a + 1
                            la, ha, lb, hb = _draw(a, count, held, cursors, stream, front_, tables)
                            sa, sb = joined(la, ha), joined(lb, hb)
                            if holds(sa, -ESCAPE):
                                sa = _unescaped(la, ha, count, source, ends, a)
                            if holds(sb, -ESCAPE):
                                sb = _unescaped(lb, hb, count, source, ends, b)
                            settle(space_, values, errors, cell + a * cells, count, moved, front_, a * CHUNK, sa)
                            settle(space_, values, errors, cell + b * cells, count, moved, front_, b * CHUNK, sb)
                            if cursors[a] > ends[8 + a]:
                                return numbers[a]
                            if cursors[b] > ends[8 + b]:
                                return numbers[b]
                for k in range(live):
                    _unskew(space_, values + k * cells, plan.shape, target, at[k] + (channel * depth + plane) * places)
                    if watched[channel]:
                        smooth(space_, errors + k * cells, planes[3 * row + 2] + k * cells, plan.shape)
        for k in range(live):
            used = 4 * (cursors[k] - k * room)
            whole = held[2 * k] == FIRST and held[2 * k + 1] == FIRST
            if not whole or used != ends[k] - ends[4 + k]:
                return numbers[k]
