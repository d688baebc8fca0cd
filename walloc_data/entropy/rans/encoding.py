# mypy: disable-error-code="no-untyped-def,var-annotated"
"""The encoder of `rans`, compiled, and the counts that its tables are fitted to."""

import numpy as np

from walloc_data.entropy.rans.context import expect, jit, rows_of, sum_boxes, unsettle
from walloc_data.entropy.rans.lanes import WIDTH, address
from walloc_data.entropy.rans.stream import BITS, BYTE, ESCAPE, FIRST, LANES, SLOT_BITS, WORD, ZERO, pointers_of

__all__ = ["encode_batch", "gather"]


@jit
def _analyse(latents, at, shape, channels, pointers, space, sums, chunk, symbols, contexts, coded):  # pragma: no cover
    """Context, and state's number and symbol, of every latent of a sample, in coding order."""
    depth, rows, columns, last, fronts, stride, cells = shape
    planes, boxed, counts, offsets, weights, biases = pointers
    places = (rows - 1) * columns + last
    done = 0
    for plane in range(depth):
        phase = min(plane, 2 - (plane & 1))
        for channel in range(channels):
            row = phase * channels + channel
            values, errors, boxes = planes[3 * row], planes[3 * row + 1], planes[3 * row + 2]
            source = at + (channel * depth + plane) * places
            for y in range(rows):
                cell = values + (2 * y + 4) * stride + 2 + y
                for x in range(last if y == rows - 1 else columns):
                    space[cell + x * stride] = latents[source + y * columns + x]
            for front in range(fronts):
                low, high = rows_of(front, rows, columns, last)
                for first in range(low, high, WIDTH):
                    cell = (front + 4) * stride + 2 + first
                    count = min(high - first, WIDTH)
                    moved = expect(space, values, stride, cell, channel, row, counts, offsets, weights, biases, chunk)
                    unsettle(space, values, errors, cell, count, moved, chunk, symbols)
                    for i in range(count):
                        contexts[done] = chunk[i]
                        coded[done] = (i & 3) << 8 | np.uint8(symbols[i])
                        done += 1
            if boxed[channel]:
                sum_boxes(space, errors, boxes, sums, cells, stride)


@jit
def _put(state, cursor, words, frequency, start):  # pragma: no cover
    if state >= frequency << np.uint64(32 - BITS):
        cursor -= 1
        words[cursor] = np.uint16(state)
        state >>= WORD
    return (state // frequency << SLOT_BITS) + state % frequency + start, cursor


@jit
def encode_batch(
    latents, ranges, lookup, plan, work, contexts, coded, words, states, payloads, lengths, size
):  # pragma: no cover
    """Payloads of int8 `[N * size]`, each at the start of its `size` bytes of `payloads`, and their lengths."""
    pointers = pointers_of(plan)
    channels = len(plan.boxed)
    source, target, stream, states_ = address(latents), address(payloads), address(words), address(states)
    each_context, each_symbol = address(contexts), address(coded)
    for sample in range(len(lengths)):
        _analyse(
            source, sample * size, plan.shape, channels, pointers, address(work.space),
            plan.sums, address(work.chunk), address(work.symbols), each_context, each_symbol,
        )  # fmt: skip
        for lane in range(LANES):
            states_[lane] = FIRST
        top = len(words)
        cursor = top
        for back in range(size):
            i = size - 1 - back
            symbol = np.uint64(each_symbol[i] & 255)
            lane = np.int64(each_symbol[i] >> 8)
            table = np.uint64(lookup[each_context[i]]) << BYTE
            state = states_[lane]
            entry = np.uint64(ranges[table | symbol])
            if entry >> WORD == ZERO or symbol == np.uint64(ESCAPE):
                if state >= np.uint64(1 << 24):
                    cursor -= 1
                    stream[cursor] = np.uint16(state)
                    state >>= WORD
                state = state << BYTE | symbol
                entry = np.uint64(ranges[table | np.uint64(ESCAPE)])
            states_[lane], cursor = _put(state, cursor, stream, entry >> WORD, entry & np.uint64(0xFFFF))
        payload = sample * size
        length = 2 * (top - cursor) + 4 * LANES
        if length >= size:
            for i in range(size):
                target[payload + i] = np.uint8(source[payload + i])
            lengths[sample] = size
            continue
        for lane in range(LANES):
            for byte in range(4):
                target[payload + 4 * lane + byte] = np.uint8(states_[lane] >> np.uint64(8 * byte))
        payload += 4 * LANES
        for i in range(top - cursor):
            target[payload + 2 * i] = np.uint8(stream[cursor + i])
            target[payload + 2 * i + 1] = np.uint8(stream[cursor + i] >> 8)
        lengths[sample] = length


@jit
def gather(latents, plan, work, contexts, coded, frequencies, size):  # pragma: no cover
    """Add up how often each symbol stands in each context, uint32 `[CONTEXTS, 256]`, over int8 `[N * size]`."""
    pointers = pointers_of(plan)
    channels = len(plan.boxed)
    for sample in range(len(latents) // size):
        _analyse(
            address(latents), sample * size, plan.shape, channels, pointers, address(work.space),
            plan.sums, address(work.chunk), address(work.symbols), address(contexts), address(coded),
        )  # fmt: skip
        for i in range(size):
            frequencies[contexts[i], coded[i] & 255] += 1
