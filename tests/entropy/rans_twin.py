"""`rans` once more, in plain Python: the format's definition, place by place, and what tests hold the kernels to.

Nothing here is shared with the compiled loops: planes are not skewed, and neighbours outside them are 0.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy.rans import RansCoder

__all__ = ["decode", "encode"]

_LOW = 1 << 16
_SLOTS = 1 << 10
_NEAR = ((0, -1), (-1, 0), (-1, 1), (-1, -1), (0, -2), (-2, 0))


def encode(coder: RansCoder, sample: NDArray[np.int8]) -> bytes:
    """The payload of one sample, int8 `[c, *space]`."""
    model = _Model(coder, sample.shape)
    truth = model.folded(sample)
    coded = []
    for place, lane in model.places():
        context, guess, sign, eighths = model.context(place)
        value = int(truth[place])
        model.keep(place, value, eighths)
        coded.append((lane, context, (sign * (value - guess)) % 256))
    states, words = [_LOW] * 4, list[int]()

    def put(lane: int, frequency: int, first: int, bits: int) -> None:
        if states[lane] >= frequency << (32 - bits):
            words.append(states[lane] % _LOW)
            states[lane] >>= 16
        states[lane] = (states[lane] // frequency << bits) + states[lane] % frequency + first

    for lane, context, symbol in reversed(coded):
        frequencies = model.distribution(context)
        if symbol == 128 or not frequencies[symbol]:
            put(lane, 1, symbol, 8)
            symbol = 128
        put(lane, int(frequencies[symbol]), int(frequencies[:symbol].sum()), 10)
    payload = np.array(states, "<u4").tobytes() + np.array(words[::-1], "<u2").tobytes()
    return payload if len(payload) < sample.size else model.upright(sample).tobytes()


def decode(coder: RansCoder, payload: bytes, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """The sample, int8 of `shape` `[c, *space]`, of a payload. Raises `ValueError` for one that is damaged."""
    model = _Model(coder, shape)
    if len(payload) == np.prod(shape):
        raw = np.frombuffer(payload, np.int8)
        return model.upright(raw.reshape(*shape[:-2], shape[-1], shape[-2])) if model.sideways else raw.reshape(shape)
    if len(payload) % 2 or not 16 <= len(payload) < np.prod(shape):
        raise ValueError("no payload has this length")
    states = [int(state) for state in np.frombuffer(payload[:16], "<u4")]
    if min(states) < _LOW:
        raise ValueError("a state is too low")
    words = iter(np.frombuffer(payload[16:], "<u2"))

    def refill(state: int) -> int:
        if state >= _LOW:
            return state
        word = next(words, None)
        if word is None:
            raise ValueError("words are missing")
        return state << 16 | int(word)

    for place, lane in model.places():
        context, guess, sign, eighths = model.context(place)
        frequencies = model.distribution(context)
        bounds = np.cumsum(frequencies)
        slot = states[lane] % _SLOTS
        symbol = int(np.searchsorted(bounds, slot, side="right"))
        first = int(bounds[symbol] - frequencies[symbol])
        states[lane] = refill(int(frequencies[symbol]) * (states[lane] // _SLOTS) + slot - first)
        if symbol == 128:
            symbol = states[lane] % 256
            states[lane] = refill(states[lane] >> 8)
        model.keep(place, _byte(guess + sign * _byte(symbol)), eighths)
    if next(words, None) is not None or states != [_LOW] * 4:
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

    def places(self) -> Iterator[tuple[Place, int]]:
        """All places in coding order, and the state that each belongs to."""
        for plane in range(self.depth):
            for channel in range(len(self.values)):
                for front in range(self.columns + 2 * self.rows - 2):
                    row = [(y, front - 2 * y) for y in range(self.rows)]
                    row = [(y, x) for y, x in row if 0 <= x < self.columns and y * self.columns + x < self.coded]
                    for index, (y, x) in enumerate(row):
                        yield (channel, plane, y, x), index % 4

    def context(self, place: Place) -> tuple[int, int, int, int]:
        """The context, prediction, sign of residuals, and mean in eighths, of a place."""
        channel, plane, y, x = place
        mean, error = (table[channel].astype(int).tolist() for table in (self.coder.mean, self.coder.error))
        values = [self._at(self.values, channel, plane, y + dy, x + dx) for dy, dx in _NEAR]
        w, n, nw = values[0], values[1], values[3]
        values += [sorted((w, n, w + n - nw))[1], self._at(self.values, channel, plane - 1, y, x), 1]
        eighths = min(max(_dot(mean, values) >> 7, -1024), 1023)
        guess = (eighths + 4) >> 3
        fraction = eighths - 8 * guess
        errors = [self._at(self.errors, channel, plane, y + dy, x + dx) for dy, dx in _NEAR]
        errors += [self._at(self.errors, channel, plane - 1, y, x), self._around(channel, plane - 1, y, x), 32]
        others = [int(other) for other in self.coder.references[channel]]
        errors += [self._at(self.errors, other, plane, y, x) if other != channel else 0 for other in others]
        errors += [self._around(other, plane, y, x) if other != channel else 0 for other in others]
        expected = min(max(_dot(error, errors) >> 10, 0), 4095)
        return (fraction if fraction >= 0 else ~fraction) * 4096 + expected, guess, -1 if fraction < 0 else 1, eighths

    def keep(self, place: Place, value: int, eighths: int) -> None:
        self.values[place] = value
        self.errors[place] = min(abs(8 * value - eighths), 2047)

    def distribution(self, context: int) -> NDArray[np.uint32]:
        """Frequencies of the 256 symbols, that of the escape at 128."""
        run = int(np.searchsorted(self.coder.starts, context, side="right")) - 1
        return np.asarray(self.coder.distributions[run])

    def _at(self, array: NDArray[np.int64], channel: int, plane: int, y: int, x: int) -> int:
        inside = plane >= 0 and 0 <= y < self.rows and 0 <= x < self.columns
        return int(array[channel, plane, y, x]) if inside else 0

    def _around(self, channel: int, plane: int, y: int, x: int) -> int:
        return sum(self._at(self.errors, channel, plane, y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))


def _dot(weights: list[int], values: list[int]) -> int:
    return sum(weight * value for weight, value in zip(weights, values, strict=True))
