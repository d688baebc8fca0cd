# mypy: disable-error-code="no-untyped-def,var-annotated"
"""The encoder of `rans`, compiled, and the counts that its tables are fitted to."""

import numpy as np

from walloc_data.entropy.rans.context import expect, jit, rows_of, smooth, unsettle
from walloc_data.entropy.rans.lanes import WIDTH, address, number_of, word
from walloc_data.entropy.rans.stream import BITS, ESCAPE, FIRST, HEADER, SLOT_BITS, STATES, WORD, pointers_of

__all__ = ["encode_batch", "gather", "tally"]

_16, _HALF = np.uint64(16), np.uint64(0xFFFF)
_ONCE, _TWICE = np.uint64(58 - BITS), np.uint64(58 - 2 * BITS)  # a state stays below START << 32


@jit
def _analyse(latents, at, shape, channels, pointers, space, chunk, symbols, contexts, coded):  # pragma: no cover
    """Context, and place in its chunk and symbol, of every latent of a sample, in coding order."""
    depth, rows, columns, last, fronts, stride, _ = shape
    planes, watched, moving, counts, offsets, weights, biases = pointers
    places = (rows - 1) * columns + last
    done = 0
    for plane in range(depth):
        phase = min(plane, 2 - (plane & 1))
        for channel in range(channels):
            row = phase * channels + channel
            values, errors, moved = planes[3 * row], planes[3 * row + 1], moving[channel]
            source = at + (channel * depth + plane) * places
            for y in range(rows):
                cell = values + (2 * y + 4) * stride + 2 + y
                for x in range(last if y == rows - 1 else columns):
                    space[cell + x * stride] = np.int16(latents[source + y * columns + x]) << 8
            for front in range(fronts):
                low, high = rows_of(front, rows, columns, last)
                for first in range(low, high, WIDTH):
                    cell = (front + 4) * stride + 2 + first
                    count = min(high - first, WIDTH)
                    expect(
                        space, values, errors, stride, cell, row, moved, counts,
                        offsets, weights, biases, chunk, 0, count,
                    )  # fmt: skip
                    unsettle(space, values, errors, cell, count, moved, chunk, 0, symbols)
                    for i in range(count):
                        contexts[done] = chunk[i]
                        coded[done] = i << 8 | np.uint8(symbols[i])
                        done += 1
            if watched[channel]:
                smooth(space, errors, planes[3 * row + 2], shape)


@jit
def _put(state, entry):  # pragma: no cover
    frequency = entry >> _16
    return (state // frequency << SLOT_BITS) + state % frequency + (entry & _HALF)


@jit
def encode_batch(
    latents, distributions, lookup, plan, work, contexts, coded, entries, words, escapes, payloads, lengths, size
):  # pragma: no cover
    """Payloads of int8 `[N * size]`, each at the start of its `size` bytes of `payloads`, and their lengths."""
    pointers = pointers_of(plan)
    channels = len(plan.watched)
    source, target, stream, states_ = address(latents), address(payloads), address(words), address(work.states)
    table = number_of(address(distributions))
    each_context, each_symbol = address(contexts), address(coded)
    for sample in range(len(lengths)):
        _analyse(
            source, sample * size, plan.shape, channels, pointers, address(work.space),
            address(work.chunk), address(work.symbols), each_context, each_symbol,
        )  # fmt: skip
        escaped = 0
        for i in range(size):
            symbol = np.int64(each_symbol[i] & 255)
            base = table + np.uint64(lookup[each_context[i]])
            if symbol == ESCAPE or word(base, np.uint64(symbol)) >> 16 == 0:
                escapes[escaped] = symbol
                escaped += 1
                symbol = ESCAPE
            entries[i] = word(base, np.uint64(symbol))
        for lane in range(STATES):
            states_[lane] = FIRST
        top = len(words)
        cursor = top
        i = size
        while i > 0:
            i -= 1
            place = each_symbol[i] >> 8
            lane = np.int64(place >> 1 & 1)
            state = states_[lane]
            entry = np.uint64(entries[i])
            if place & 1:
                before = np.uint64(entries[i - 1])
                if state >= (entry >> _16) * (before >> _16) << _TWICE:
                    cursor -= 1
                    stream[cursor] = np.uint32(state)
                    state >>= WORD
                i -= 1
                state = _put(_put(state, entry), before)
            else:
                if state >= entry >> _16 << _ONCE:
                    cursor -= 1
                    stream[cursor] = np.uint32(state)
                    state >>= WORD
                state = _put(state, entry)
            states_[lane] = state
        payload = sample * size
        length = HEADER + 4 * (top - cursor) + escaped
        if length >= size:
            for i in range(size):
                target[payload + i] = np.uint8(source[payload + i])
            lengths[sample] = size
            continue
        for lane in range(STATES):
            for byte in range(8):
                target[payload + 8 * lane + byte] = np.uint8(states_[lane] >> np.uint64(8 * byte))
        for i in range(top - cursor):
            for byte in range(4):
                target[payload + HEADER + 4 * i + byte] = np.uint8(stream[cursor + i] >> (8 * byte))
        for i in range(escaped):
            target[payload + length - 1 - i] = escapes[i]
        lengths[sample] = length


@jit
def gather(latents, plan, work, contexts, coded, frequencies, size):  # pragma: no cover
    """Add up how often each symbol stands in each context, uint32 `[CONTEXTS, 256]`, over int8 `[N * size]`."""
    pointers = pointers_of(plan)
    channels = len(plan.watched)
    for sample in range(len(latents) // size):
        _analyse(
            address(latents), sample * size, plan.shape, channels, pointers, address(work.space),
            address(work.chunk), address(work.symbols), address(contexts), address(coded),
        )  # fmt: skip
        for i in range(size):
            frequencies[contexts[i], coded[i] & 255] += 1


@jit
def tally(latents, plan, work, contexts, coded, costs, bits, size):  # pragma: no cover
    """Add up, to float64 `[c]`, what symbols cost in their contexts, float64 `[CONTEXTS, 256]`, over int8 `[size]`."""
    pointers = pointers_of(plan)
    channels = len(plan.watched)
    places = size // (channels * plan.shape[0])
    _analyse(
        address(latents), 0, plan.shape, channels, pointers, address(work.space), address(work.chunk),
        address(work.symbols), address(contexts), address(coded),
    )  # fmt: skip
    for i in range(size):
        bits[i // places % channels] += costs[contexts[i], coded[i] & 255]
