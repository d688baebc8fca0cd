# mypy: disable-error-code="no-untyped-call,no-untyped-def,var-annotated"
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

__all__ = ["STEP", "decode_batch", "decode_prefix"]

STEP = 4  # samples at a time: one waits for its last front, and a core has something else to do meanwhile
_CHUNK = 4 * WIDTH  # numbers that `expect` writes of a sample
_8, _16, _HALF = np.uint64(8), np.uint64(16), np.uint64(0xFFFF)
_inlined = partial(jit, forceinline=True)


@jit
def _take(at, state, contexts, tables):  # pragma: no cover
    """One symbol off a state."""
    lookup, distributions = tables
    base = np.int64(lookup[contexts[at]])
    slot = state & SLOT_MASK
    symbol = np.uint64(distributions[base + np.int64(slot) + RANGES])
    entry = np.uint64(word(distributions, base + 4 * np.int64(symbol)))
    return symbol, (entry >> _16) * (state >> SLOT_BITS) + slot - (entry & _HALF)


@jit
def _refill(state, cursor, words):  # pragma: no cover
    following = np.uint64(words[cursor])
    if state < FIRST:
        state = state << WORD | following
        cursor += 1
    return state, cursor


@jit
def _two(at, state, cursor, words, contexts, tables):  # pragma: no cover
    first, state = _take(at, state, contexts, tables)
    second, state = _take(at + 1, state, contexts, tables)
    state, cursor = _refill(state, cursor, words)
    return first | second << _8, state, cursor


@jit
def _four(at, s0, s1, cursor, words, contexts, tables):  # pragma: no cover
    first, s0, cursor = _two(at, s0, cursor, words, contexts, tables)
    second, s1, cursor = _two(at + 2, s1, cursor, words, contexts, tables)
    return first | second << _16, s0, s1, cursor


@jit
def _fewer(at, count, s0, s1, cursor, words, contexts, tables):  # pragma: no cover
    """The last one to three symbols of a chunk."""
    symbols, s0 = _take(at, s0, contexts, tables)
    if count > 1:
        second, s0 = _take(at + 1, s0, contexts, tables)
        symbols |= second << _8
    s0, cursor = _refill(s0, cursor, words)
    if count > 2:
        third, s1 = _take(at + 2, s1, contexts, tables)
        s1, cursor = _refill(s1, cursor, words)
        symbols |= third << _16
    return symbols, s0, s1, cursor


@_inlined
def _draw(a, b, count, states, cursors, words, contexts, tables):  # pragma: no cover
    """A chunk's symbols of samples `a` and `b`, eight in an integer."""
    a0, a1, b0, b1 = states[2 * a], states[2 * a + 1], states[2 * b], states[2 * b + 1]
    at_a, at_b = cursors[a], cursors[b]
    low_a = high_a = low_b = high_b = ZERO
    i = 0
    while i < count:
        if i + 4 <= count:
            of_a, a0, a1, at_a = _four(a * _CHUNK + i, a0, a1, at_a, words, contexts, tables)
            of_b, b0, b1, at_b = _four(b * _CHUNK + i, b0, b1, at_b, words, contexts, tables)
        else:
            of_a, a0, a1, at_a = _fewer(a * _CHUNK + i, count - i, a0, a1, at_a, words, contexts, tables)
            of_b, b0, b1, at_b = _fewer(b * _CHUNK + i, count - i, b0, b1, at_b, words, contexts, tables)
        shift = np.uint64(8 * (i & 7))
        if i < 8:
            low_a |= of_a << shift
            low_b |= of_b << shift
        else:
            high_a |= of_a << shift
            high_b |= of_b << shift
        i += 4
    states[2 * a], states[2 * a + 1], states[2 * b], states[2 * b + 1] = a0, a1, b0, b1
    cursors[a], cursors[b] = at_a, at_b
    return low_a, high_a, low_b, high_b


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
def _unescaped(low, high, count, source, begins, ends, k):  # pragma: no cover
    low, ends[k] = _bytes_for(low, min(count, 8), source, ends[k], begins[k])
    high, ends[k] = _bytes_for(high, count - 8, source, ends[k], begins[k])
    return joined(low, high)


@jit
def _unskew(space, values, shape, out, at):  # pragma: no cover
    for y in range(shape[1]):
        cell = values + (2 * y + 4) * shape[5] + 2 + y
        for x in range(shape[3] if y == shape[1] - 1 else shape[2]):
            out[at + y * shape[2] + x] = np.int8(space[cell + x * shape[5]] >> 8)


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
def _load(sample, segments, source, kept, size, words, room, states, work, out):  # pragma: no cover
    """Get the next samples ready to be decoded, and copy those that were not coded on the way.

    Returns where to go on; how many are ready, an even number; and the number of a bad one, or -1.
    """
    numbers, begins, ends, stops, cursors = work
    held = 0
    while held < STEP and sample < len(segments):
        offset, length = np.int64(segments[sample, 0]), np.int64(segments[sample, 1])
        if length == size:
            for i in range(kept):
                out[sample * kept + i] = np.int8(source[offset + i])
        elif length > size or length < HEADER:
            return sample, 0, sample
        else:
            numbers[held] = sample
            held += 1
        sample += 1
    if held & 1:
        numbers[held] = numbers[held - 1]
        held += 1
    for k in range(held):
        begins[k] = np.int64(segments[numbers[k], 0])
        length = np.int64(segments[numbers[k], 1])
        ends[k] = begins[k] + length
        stops[k] = _words(source, begins[k], length, words, k * room)
        cursors[k] = k * room + HEADER // 4
        for i in range(STATES):
            at = k * room + 2 * i
            state = np.uint64(words[at]) | np.uint64(words[at + 1]) << WORD
            if state < FIRST or state >= TOP:
                return sample, 0, numbers[k]
            states[STATES * k + i] = state
    return sample, held, -1


def _decoder(whole):
    """The loop that decodes all channels (`whole`) or the first: one source, and one more number to keep track of costs
    the former up to a third of its speed.
    """

    def decode(buffer, segments, distributions, lookup, plan, work, streams, out, size):  # pragma: no cover
        """Payloads at `segments`, within `buffer` for certain, to `out`, int8 `[N * kept]`. -1, or a bad one's number.

        Of each sample's `size` latents those of the plan's channels are kept, which come first. `work` is a
        workspace for `STEP` samples, `streams` are uint32 `[STEP, size // 4 + MARGIN]`.
        """
        # This is one function on purpose: numba would optimise one within another twice, and lose a third of the speed.
        kept = size
        if not whole:
            kept = len(out) // max(1, len(segments))
        depth, rows, columns, last, fronts, stride, _ = plan.shape
        planes, watched, moving, counts, offsets, weights, biases = pointers_of(plan)
        channels, cells, room = len(plan.watched), plan.cells, streams.shape[1]
        source, target, words = address(buffer), address(out), address(streams)
        space, chunk, states = address(work.space), address(work.chunk), address(work.states)
        tables = (address(lookup), address(distributions))
        samples = (
            address(work.samples[0]), address(work.samples[1]), address(work.samples[2]), address(work.samples[3]),
            address(work.samples[4]),
        )  # fmt: skip
        numbers, begins, ends, stops, cursors = samples
        sample = 0
        while True:
            sample, live, bad = _load(sample, segments, source, kept, size, words, room, states, samples, target)
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
                                    offsets, weights, biases, chunk, k * _CHUNK,
                                )  # fmt: skip
                            for a in range(0, live, 2):
                                b = a + 1
                                low_a, high_a, low_b, high_b = _draw(a, b, count, states, cursors, words, chunk, tables)
                                of_a, of_b = joined(low_a, high_a), joined(low_b, high_b)
                                if holds(of_a, -ESCAPE):
                                    of_a = _unescaped(low_a, high_a, count, source, begins, ends, a)
                                if holds(of_b, -ESCAPE):
                                    of_b = _unescaped(low_b, high_b, count, source, begins, ends, b)
                                settle(space, values, errors, cell + a * cells, count, moved, chunk, a * _CHUNK, of_a)
                                settle(space, values, errors, cell + b * cells, count, moved, chunk, b * _CHUNK, of_b)
                                if cursors[a] > stops[a]:
                                    return numbers[a]
                                if cursors[b] > stops[b]:
                                    return numbers[b]
                    place = (channel * depth + plane) * ((rows - 1) * columns + last)
                    for k in range(live):
                        _unskew(space, values + k * cells, plan.shape, target, numbers[k] * kept + place)
                        if watched[channel]:
                            smooth(space, errors + k * cells, planes[3 * row + 2] + k * cells, plan.shape)
            if whole:
                for k in range(live):
                    used_up = ends[k] - begins[k] == 4 * (cursors[k] - k * room)
                    if not used_up or states[2 * k] != FIRST or states[2 * k + 1] != FIRST:
                        return numbers[k]

    return jit(decode)


decode_batch, decode_prefix = _decoder(whole=True), _decoder(whole=False)
