# mypy: disable-error-code="no-untyped-def,var-annotated"
"""The decoder of `rans`, compiled."""

from functools import partial

import numpy as np

from walloc_data.entropy.rans.context import NOTHING, expect, jit, rows_of, settle, smooth
from walloc_data.entropy.rans.lanes import WIDTH, address, byte, holds, joined, number_of, word
from walloc_data.entropy.rans.layout import STEP
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

_CHUNK = 4 * WIDTH  # numbers that `expect` writes of a sample
_8, _16, _32, _HALF = np.uint64(8), np.uint64(16), np.uint64(32), np.uint64(0xFFFF)
_RANGES = np.uint64(RANGES)
_inlined = partial(jit, forceinline=True)


@_inlined
def _take(at, state, contexts, bases):  # pragma: no cover
    """One symbol off a state."""
    base = bases[contexts[at]]
    slot = state & SLOT_MASK
    symbol = np.uint64(byte(base, slot + _RANGES))
    entry = np.uint64(word(base, symbol))
    return symbol, (entry >> _16) * (state >> SLOT_BITS) + (slot - (entry & _HALF))


@_inlined
def _two(at, sample, contexts, bases):  # pragma: no cover
    """A symbol off each state of a sample, which has two and a cursor."""
    even, odd, cursor = sample
    first, even = _take(at, even, contexts, bases)
    third, odd = _take(at + 2, odd, contexts, bases)
    return first | third << _16, (even, odd, cursor)


@_inlined
def _refill(state, cursor, words):  # pragma: no cover
    following = np.uint64(words[cursor])
    if state < FIRST:
        state = state << WORD | following
        cursor += 1
    return state, cursor


@_inlined
def _refilled(sample, words):  # pragma: no cover
    even, odd, cursor = sample
    even, cursor = _refill(even, cursor, words)
    odd, cursor = _refill(odd, cursor, words)
    return even, odd, cursor


@_inlined
def _four(at, samples, words, contexts, bases):  # pragma: no cover
    """Four symbols of each of four samples.

    In this order, eight states are at the same step at once: each waits for memory twice a symbol, and meanwhile a
    core gets on with the others, if they are not too far away in the code.
    """
    a, b, c, d = samples
    a_even, a = _two(at, a, contexts, bases)
    b_even, b = _two(at + _CHUNK, b, contexts, bases)
    c_even, c = _two(at + 2 * _CHUNK, c, contexts, bases)
    d_even, d = _two(at + 3 * _CHUNK, d, contexts, bases)
    a_odd, a = _two(at + 1, a, contexts, bases)
    b_odd, b = _two(at + 1 + _CHUNK, b, contexts, bases)
    c_odd, c = _two(at + 1 + 2 * _CHUNK, c, contexts, bases)
    d_odd, d = _two(at + 1 + 3 * _CHUNK, d, contexts, bases)
    samples = _refilled(a, words), _refilled(b, words), _refilled(c, words), _refilled(d, words)
    return (a_even | a_odd << _8, b_even | b_odd << _8, c_even | c_odd << _8, d_even | d_odd << _8), samples


@_inlined
def _followed(symbols, more):  # pragma: no cover
    a, b, c, d = symbols
    return a | more[0] << _32, b | more[1] << _32, c | more[2] << _32, d | more[3] << _32


@_inlined
def _draw(count, states, cursors, words, contexts, bases):  # pragma: no cover
    """A chunk's symbols of four samples, eight in an integer: the lower ones, and the higher ones."""
    a, b = (states[0], states[1], cursors[0]), (states[2], states[3], cursors[1])
    c, d = (states[4], states[5], cursors[2]), (states[6], states[7], cursors[3])
    low, samples = _four(0, (a, b, c, d), words, contexts, bases)
    high = (ZERO, ZERO, ZERO, ZERO)
    if count > 4:
        more, samples = _four(4, samples, words, contexts, bases)
        low = _followed(low, more)
        if count > 8:
            high, samples = _four(8, samples, words, contexts, bases)
            if count > 12:
                more, samples = _four(12, samples, words, contexts, bases)
                high = _followed(high, more)
    a, b, c, d = samples
    states[0], states[1], cursors[0] = a
    states[2], states[3], cursors[1] = b
    states[4], states[5], cursors[2] = c
    states[6], states[7], cursors[3] = d
    return low, high


@jit
def _bytes_for(symbols, count, source, end, begin):  # pragma: no cover
    """Symbols with bytes for escapes, which end at `end`; and where those left end."""
    for i in range(count):
        shift = np.uint64(8 * i)
        if symbols >> shift & LOW == np.uint64(ESCAPE) and end > begin:
            end -= 1
            symbols = symbols & ~(LOW << shift) | np.uint64(source[end]) << shift
    return symbols, end


@_inlined
def _unescaped(low, high, count, source, begins, ends, k):  # pragma: no cover
    """Symbols of sample `k` as lanes, with bytes for escapes."""
    symbols = joined(low, high)
    if holds(symbols, -ESCAPE):
        low, ends[k] = _bytes_for(low, min(count, 8), source, ends[k], begins[k])
        high, ends[k] = _bytes_for(high, count - 8, source, ends[k], begins[k])
        symbols = joined(low, high)
    return symbols


@jit
def _unskew(space, values, shape, out, at):  # pragma: no cover
    for y in range(shape[1]):
        cell = values + (2 * y + 4) * shape[5] + 2 + y
        for x in range(shape[3] if y == shape[1] - 1 else shape[2]):
            out[at + y * shape[2] + x] = np.int8(space[cell + x * shape[5]] >> 8)


@jit
def _words(source, offset, length, words, at):  # pragma: no cover
    """Copy a payload's words. Returns one past the last."""
    for i in range(length >> 2):
        k = offset + 4 * i
        words[at + i] = (
            np.uint32(source[k]) | np.uint32(source[k + 1]) << 8
            | np.uint32(source[k + 2]) << 16 | np.uint32(source[k + 3]) << 24
        )  # fmt: skip
    return at + (length >> 2)


@jit
def _load(sample, segments, source, kept, size, words, room, work, out):  # pragma: no cover
    """Get the next samples ready to be decoded, and copy those that were not coded on the way.

    Returns where to go on; how many are ready; and the number of a bad one, or -1.
    """
    numbers, begins, ends, stops, cursors, states, chunk = work
    held = 0
    while held < STEP and sample < len(segments):
        offset, length = np.int64(segments[sample, 0]), np.int64(segments[sample, 1])
        if length == size:
            for i in range(kept):
                out[sample * kept + i] = np.int8(source[offset + i])
        elif length > size or length < HEADER:
            return sample, 0, sample
        else:
            numbers[held], begins[held], ends[held] = sample, offset, offset + length
            stops[held] = _words(source, offset, length, words, held * room)
            held += 1
        sample += 1
    for k in range(held):
        cursors[k] = k * room + HEADER // 4
        for i in range(STATES):
            at = k * room + 2 * i
            state = np.uint64(words[at]) | np.uint64(words[at + 1]) << WORD
            if state < FIRST or state >= TOP:
                return sample, 0, numbers[k]
            states[STATES * k + i] = state
    for k in range(held, STEP):  # nothing is drawn from
        cursors[k] = 0
        for i in range(STATES):
            states[STATES * k + i] = FIRST
        for i in range(WIDTH):
            chunk[k * _CHUNK + i] = NOTHING
    return sample, held, -1


@jit
def decode_batch(buffer, segments, distributions, lookup, plan, work, out, size):  # pragma: no cover
    """Payloads at `segments`, within `buffer` for certain, to `out`, int8 `[N * kept]`. -1, or a bad one's number.

    Of each sample's `size` latents those of the plan's channels are kept, which come first. `work` is a workspace for
    `STEP` samples.
    """
    # This is one function on purpose: numba would optimise one within another twice, and lose a third of the speed.
    kept = len(out) // max(1, len(segments))
    depth, rows, columns, last, fronts, stride, _ = plan.shape
    planes, watched, moving, counts, offsets, weights, biases = pointers_of(plan)
    channels, cells, room = len(plan.watched), plan.cells, work.words.shape[1]
    source, target, words = address(buffer), address(out), address(work.words)
    space, chunk, states, bases = address(work.space), address(work.chunk), address(work.states), address(work.bases)
    numbers, begins, ends = address(work.samples[0]), address(work.samples[1]), address(work.samples[2])
    stops, cursors = address(work.samples[3]), address(work.samples[4])
    for i in range(len(lookup)):
        bases[i] = number_of(address(distributions)) + np.uint64(lookup[i])
    sample = 0
    while True:
        ready = (numbers, begins, ends, stops, cursors, states, chunk)
        sample, live, bad = _load(sample, segments, source, kept, size, words, room, ready, target)
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
                                space, values, errors, stride, cell + k * cells, row, moved, counts,
                                offsets, weights, biases, chunk, k * _CHUNK, count,
                            )  # fmt: skip
                        lower, upper = _draw(count, states, cursors, words, chunk, bases)
                        found = _unescaped(lower[0], upper[0], count, source, begins, ends, 0)
                        settle(space, values, errors, cell, count, moved, chunk, 0, found)
                        if live > 1:
                            found = _unescaped(lower[1], upper[1], count, source, begins, ends, 1)
                            settle(space, values, errors, cell + cells, count, moved, chunk, _CHUNK, found)
                        if live > 2:
                            found = _unescaped(lower[2], upper[2], count, source, begins, ends, 2)
                            settle(space, values, errors, cell + 2 * cells, count, moved, chunk, 2 * _CHUNK, found)
                        if live > 3:
                            found = _unescaped(lower[3], upper[3], count, source, begins, ends, 3)
                            settle(space, values, errors, cell + 3 * cells, count, moved, chunk, 3 * _CHUNK, found)
                place = (channel * depth + plane) * ((rows - 1) * columns + last)
                for k in range(live):
                    if cursors[k] > stops[k]:
                        return numbers[k]
                    _unskew(space, values + k * cells, plan.shape, target, numbers[k] * kept + place)
                    if watched[channel]:
                        smooth(space, errors + k * cells, planes[3 * row + 2] + k * cells, plan.shape)
        for k in range(live):
            used_up = ends[k] - begins[k] == 4 * (cursors[k] - k * room)
            if kept == size and not (used_up and states[2 * k] == FIRST and states[2 * k + 1] == FIRST):
                return numbers[k]
