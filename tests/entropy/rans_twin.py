"""`rans` once more, in plain Python: the format's definition, place by place, and what tests hold the kernels to.

Nothing here is shared with the compiled loops: planes are not skewed, and neighbours outside them are 0.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy.rans import RansCoder

__all__ = ["decode", "encode"]

_LOW = 1 << 26
_WORD = 1 << 32
_SLOTS = 1 << 10
_NEAR = ((0, -1), (-1, 0), (-1, 1), (-1, -1), (0, -2), (-2, 0))


def encode(coder: RansCoder, sample: NDArray[np.int8]) -> bytes:
    """The payload of one sample, int8 `[c, *space]`."""
    model = _Model(coder, sample.shape)
    truth = model.folded(sample)
    runs, escapes = list[tuple[int, list[tuple[int, int]]]](), list[int]()
    for lane, places in model.runs():
        run = []
        for place in places:
            context, guess, sign, mean = model.context(place)
            value = int(truth[place])
            model.keep(place, value, mean)
            symbol = (sign * (value - guess)) % 256
            frequencies = model.distribution(context)
            if symbol == 128 or not frequencies[symbol]:
                escapes.append(symbol)
                symbol = 128
            run.append((int(frequencies[symbol]), int(frequencies[:symbol].sum())))
        runs.append((lane, run))
    states, words = [_LOW] * 2, list[int]()
    for lane, run in reversed(runs):
        state = states[lane]
        after = state
        for frequency, first in reversed(run):
            after = after // frequency * _SLOTS + after % frequency + first
        if after >= _LOW * _WORD:
            words.append(state % _WORD)
            state //= _WORD
            for frequency, first in reversed(run):
                state = state // frequency * _SLOTS + state % frequency + first
            after = state
        states[lane] = after
    payload = np.array(states, "<u8").tobytes() + np.array(words[::-1], "<u4").tobytes() + bytes(escapes[::-1])
    return payload if len(payload) < sample.size else model.upright(sample).tobytes()


def decode(coder: RansCoder, payload: bytes, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """The sample, int8 of `shape` `[c, *space]`, of a payload. Raises `ValueError` for one that is damaged."""
    model = _Model(coder, shape)
    if len(payload) == np.prod(shape):
        raw = np.frombuffer(payload, np.int8)
        return model.upright(raw.reshape(*shape[:-2], shape[-1], shape[-2])) if model.sideways else raw.reshape(shape)
    if not 16 <= len(payload) < np.prod(shape):
        raise ValueError("no payload has this length")
    states = [int(state) for state in np.frombuffer(payload[:16], "<u8")]
    if min(states) < _LOW or max(states) >= _LOW * _WORD:
        raise ValueError("a state is out of bounds")
    at, end = 16, len(payload)
    for lane, places in model.runs():
        for place in places:
            context, guess, sign, mean = model.context(place)
            frequencies = model.distribution(context)
            bounds = np.cumsum(frequencies)
            slot = states[lane] % _SLOTS
            symbol = int(np.searchsorted(bounds, slot, side="right"))
            states[lane] = int(frequencies[symbol]) * (states[lane] // _SLOTS) + slot
            states[lane] -= int(bounds[symbol] - frequencies[symbol])
            if symbol == 128:
                end -= 1
                if end < at:
                    raise ValueError("bytes are missing")
                symbol = payload[end]
            model.keep(place, _byte(guess + sign * _byte(symbol)), mean)
        if states[lane] < _LOW:
            if at + 4 > end:
                raise ValueError("words are missing")
            states[lane] = states[lane] * _WORD + int.from_bytes(payload[at : at + 4], "little")
            at += 4
    if at != end or states != [_LOW] * 2:
        raise ValueError("the payload goes on, or ends wrongly")
    return model.unfolded(shape)


Place = tuple[int, int, int, int]  # channel, plane, row, column


def _byte(value: int) -> int:
    return (value + 128) % 256 - 128


class _Model:
    """Contexts of one sample, of shape `[c, *space]`, from its places seen so far."""

    def __init__(self, coder: RansCoder, shape: tuple[int, ...]) -> None:
        self.coder = coder
        self.sideways = len(shape) > 2 and shape[-2] > 4 * shape[-1]
        space = (*shape[1:-2], shape[-1], shape[-2]) if self.sideways else shape[1:]
        if len(space) == 1:
            columns = -(-space[0] // max(1, min(16, space[0] // 16)))
            space = (1, -(-space[0] // columns), columns)
        self.depth, self.rows, self.columns = space if len(space) == 3 else (1, *space)
        self.coded = int(np.prod(shape[1:])) // self.depth  # places of a plane; the last row may have fewer than others
        self.values = np.zeros((shape[0], self.depth, self.rows, self.columns), np.int64)
        self.errors = np.zeros_like(self.values)

    def upright(self, sample: NDArray[np.int8]) -> NDArray[np.int8]:
        """Tall planes on their side; what a payload holds, coded or not. Its own inverse."""
        return sample.swapaxes(-1, -2) if self.sideways else sample

    def folded(self, sample: NDArray[np.int8]) -> NDArray[np.int64]:
        flat = np.zeros((*self.values.shape[:2], self.rows * self.columns), np.int64)
        flat[..., : self.coded] = self.upright(sample).reshape(*self.values.shape[:2], -1)
        return flat.reshape(self.values.shape)

    def unfolded(self, shape: tuple[int, ...]) -> NDArray[np.int8]:
        flat = self.values.reshape(*self.values.shape[:2], -1)[..., : self.coded].astype(np.int8)
        if not self.sideways:
            return flat.reshape(shape)
        return np.ascontiguousarray(flat.reshape(*shape[:-2], shape[-1], shape[-2]).swapaxes(-1, -2))

    def runs(self) -> Iterator[tuple[int, list[Place]]]:
        """All places in coding order, in runs of two or one that a state codes at once, with its number."""
        for plane in range(self.depth):
            for channel in range(len(self.values)):
                for front in range(self.columns + 2 * self.rows - 2):
                    row = [(y, front - 2 * y) for y in range(self.rows)]
                    row = [(y, x) for y, x in row if 0 <= x < self.columns and y * self.columns + x < self.coded]
                    for index in range(0, len(row), 2):
                        yield index // 2 % 2, [(channel, plane, y, x) for y, x in row[index : index + 2]]

    def context(self, place: Place) -> tuple[int, int, int, int]:
        """The context, prediction, sign of residuals, and mean in 64ths, of a place."""
        channel, plane, y, x = place
        means, errors = (table[channel].astype(int).tolist() for table in (self.coder.mean, self.coder.error))
        values = [256 * self._at(self.values, channel, plane, y + dy, x + dx) for dy, dx in _NEAR]
        w, n, nw = values[0], values[1], values[3]
        values += [sorted((w, n, w + n - nw))[1], 256 * self._at(self.values, channel, plane - 1, y, x)]
        mean = min(max(_weighed(means, values), -8192), 8191)
        guess = (mean + 32) >> 6
        fraction = mean - 64 * guess
        near = [self._at(self.errors, channel, plane, y + dy, x + dx) for dy, dx in _NEAR]
        near += [self._at(self.errors, channel, plane - 1, y, x), self._smooth(channel, plane - 1, y, x)]
        others = [int(other) for other in self.coder.references[channel]]
        near += [self._smooth(other, plane, y, x) if other != channel else 0 for other in others]
        expected = min(max(_weighed(errors, near), 0), 32751) + 16
        octave = expected.bit_length() - 1  # from 4 on
        level = 8 * (octave - 4) + (expected * 8 >> octave) - 8
        return ((fraction if fraction >= 0 else ~fraction) >> 3) * 128 + level, guess, -1 if fraction < 0 else 1, mean

    def keep(self, place: Place, value: int, mean: int) -> None:
        self.values[place] = value
        self.errors[place] = 8 * min(abs(64 * value - mean), 4095)

    def distribution(self, context: int) -> NDArray[np.uint32]:
        """Frequencies of the 256 symbols, that of the escape at 128."""
        bin_, level = divmod(context, 128)
        rank = 32 * bin_ + level if level < 32 else 3 * 32 + min(level, 87)
        run = int(np.searchsorted(self.coder.starts, rank, side="right")) - 1
        return np.asarray(self.coder.distributions[run])

    def _at(self, array: NDArray[np.int64], channel: int, plane: int, y: int, x: int) -> int:
        inside = plane >= 0 and 0 <= y < self.rows and 0 <= x < self.columns
        return int(array[channel, plane, y, x]) if inside else 0

    def _smooth(self, channel: int, plane: int, y: int, x: int) -> int:
        rows = [[self._at(self.errors, channel, plane, y + dy, x + dx) for dx in (-1, 0, 1)] for dy in (-1, 0, 1)]
        return _blurred([_blurred(row) for row in rows])


def _blurred(three: list[int]) -> int:
    return (three[0] >> 3) + (three[1] >> 1) + (three[1] >> 2) + (three[2] >> 3)


def _weighed(weights: list[int], values: list[int]) -> int:
    """The ninth weight is a bias; sums are of 16 bits."""
    total = weights[8] + sum(
        weight * value >> 16 for weight, value in zip(weights[:8] + weights[9:], values, strict=True)
    )
    return (total + (1 << 15)) % (1 << 16) - (1 << 15)
