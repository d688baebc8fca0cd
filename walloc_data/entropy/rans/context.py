# mypy: disable-error-code="no-untyped-def,var-annotated"
"""The context model of `rans`: what a latent is expected to be, and how far off, from latents coded before it.

A channel's plane is coded in *fronts*. Front `t` holds the places `(row, column)` with `column + 2 * row == t`:
all that a latent is predicted from (its row to the left, the two rows above as far as one column to the right)
lies in earlier fronts, so a front's contexts are computed together, in vector registers, though
each sees its left neighbour. Planes are kept skewed, a front a row, so a neighbour is a constant distance away.

Two linear forms a latent, both of integers of 16 bits, sums of `value * weight >> 16`:

- its **mean**, in 64ths, from eight latents of its own channel (`MEAN_TAPS`), taken in 256ths;
- its expected **error**, in 128ths, from the errors of eight places of its own channel and, in up to four
  earlier channels, from the smoothed error of the same place (`ERROR_TAPS`), taken in 512ths. "Smooth" is the
  average over the 3x3 places around, weighted 1 6 1 both ways.

The error's logarithm (`STEPS` steps an octave) and the mean's distance from the next integer make the context. One
set of distributions serves all channels. One space dimension is folded into rows; of three, the
first counts planes, and "back" is the same place in the plane before.
"""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy.compiled import compiled
from walloc_data.entropy.rans.lanes import (
    WIDTH,
    clip,
    load,
    magnitude,
    masked,
    med,
    minus,
    octave,
    plus,
    shifted,
    spread,
    store,
    times,
    xor,
)

__all__ = [
    "BINS",
    "CONTEXTS",
    "ERROR_TAPS",
    "FINE",
    "LEVELS",
    "MEAN_TAPS",
    "NEAR",
    "NOTHING",
    "OTHERS",
    "RANKS",
    "REFERENCES",
    "ROOM",
    "TAPS",
    "UNIT",
    "expect",
    "jit",
    "ranks",
    "rows_of",
    "settle",
    "smooth",
    "unsettle",
]

REFERENCES = 4
NEAR = 6  # taps that lie in the same plane
MEAN_TAPS = ("w", "n", "ne", "nw", "ww", "nn", "med", "back", "bias")
ERROR_TAPS = ("w", "n", "ne", "nw", "ww", "nn", "back", "back smooth", "bias", *["reference smooth"] * REFERENCES)
UNIT = 1 << 14  # a weight of one
BINS = 4  # of the mean's distance from an integer, mirrored
STEPS = 8  # levels an octave of the expected error
LEVELS = 11 * STEPS  # from 0 to all that 15 bits hold
FINE = 32  # levels whose bins are told apart
ROOM = 7  # bits of a level, and the literal in `_write_mean`: bins lie 128 contexts apart
CONTEXTS = BINS << ROOM
NOTHING = CONTEXTS  # the context of a place that there is not
RANKS = (BINS - 1) * FINE + LEVELS
OTHERS = 2 + REFERENCES  # taps of the error that lie in other planes
TAPS = 2 * NEAR + 2 + OTHERS
_FIRST = (127 + 4) * STEPS  # the level of 1/8 (16 units) as `octave` gives it

jit = partial(compiled, boundscheck=False, error_model="numpy")
_inline = partial(jit, forceinline=True)


def ranks() -> NDArray[np.int64]:
    """The order of contexts in which runs of them share a distribution, `[CONTEXTS]`, below `RANKS`.

    Where large errors are expected, what is behind the point matters no more: there, all bins have one rank.
    """
    bin_, level = np.divmod(np.arange(CONTEXTS), 1 << ROOM)
    return np.where(level < FINE, bin_ * FINE + level, BINS * FINE + np.minimum(level, LEVELS - 1) - FINE)


@jit
def rows_of(front, rows, columns, last):  # pragma: no cover  (compiled)
    """The first and one past the last row that have a place in this front."""
    low = max(0, (front - columns + 2) >> 1)
    high = min(rows, (front >> 1) + 1)
    if high == rows and front - 2 * (rows - 1) >= last:
        high -= 1
    return low, high


@_inline
def _near(total, space, here, stride, weights, first):  # pragma: no cover
    total = times(total, load(space, here - 2 * stride - 1), weights[first + 1])
    total = times(total, load(space, here - 3 * stride - 1), weights[first + 3])
    total = times(total, load(space, here - 2 * stride), weights[first + 4])
    total = times(total, load(space, here - 4 * stride - 2), weights[first + 5])
    total = times(total, load(space, here - stride - 1), weights[first + 2])
    return times(total, load(space, here - stride), weights[first])  # last what was last written


@_inline
def _gradient(space, here, stride):  # pragma: no cover
    return med(load(space, here - stride), load(space, here - 2 * stride - 1), load(space, here - 3 * stride - 1))


@_inline
def _write_mean(mean, level, chunk, at, count):  # pragma: no cover
    mean = clip(mean, -8192, 8191)
    guess = shifted(plus(mean, spread(32)), 6)
    fraction = minus(mean, shifted(guess, -6))
    flip = shifted(fraction, 15)
    store(chunk, at, masked(plus(level, shifted(shifted(xor(fraction, flip), 3), -7)), count, NOTHING))
    store(chunk, at + WIDTH, guess)
    store(chunk, at + 2 * WIDTH, flip)
    store(chunk, at + 3 * WIDTH, mean)


@_inline
def expect(
    space, values, errors, stride, cell, row, moved, counts, offsets, weights, biases, chunk, at, count
):  # pragma: no cover
    """Contexts of `count` places from `cell` of a plane on, and `NOTHING` for what lies behind them.

    Fills `chunk`, int16 `[4 * WIDTH]`, with contexts and, where the channel has a mean at all (`moved`),
    with predictions, signs (0 or -1) and means in 64ths.
    """
    taps = row * TAPS
    error = _near(spread(biases[2 * row + 1]), space, errors + cell, stride, weights, taps + NEAR + 2)
    first = taps + 2 * NEAR + 2
    for k in range(counts[2 * row + 1]):
        error = times(error, load(space, cell + offsets[(OTHERS + 1) * row + 1 + k]), weights[first + k])
    level = minus(octave(plus(clip(error, 0, 32751), spread(16))), spread(_FIRST))
    if moved:
        mean = _near(spread(biases[2 * row]), space, values + cell, stride, weights, taps)
        mean = times(mean, _gradient(space, values + cell, stride), weights[taps + NEAR])
        if counts[2 * row]:
            mean = times(mean, load(space, cell + offsets[(OTHERS + 1) * row]), weights[taps + NEAR + 1])
        _write_mean(mean, level, chunk, at, count)
    else:
        store(chunk, at, masked(level, count, NOTHING))


@_inline
def settle(space, values, errors, cell, count, moved, chunk, at, symbols):  # pragma: no cover
    """Turn `count` symbols, lanes, into values and errors at `cell`.

    Beyond them it writes zeros: there, a front has no places, or has them coded next.
    """
    value = symbols
    if moved:
        flip = load(chunk, at + 2 * WIDTH)
        value = shifted(plus(load(chunk, at + WIDTH), minus(xor(value, flip), flip)), -8)
        _keep(minus(shifted(value, 2), load(chunk, at + 3 * WIDTH)), space, errors + cell, count)
    else:
        value = shifted(value, -8)
        _keep(shifted(value, 2), space, errors + cell, count)
    store(space, values + cell, masked(value, count, 0))


@_inline
def _keep(difference, space, here, count):  # pragma: no cover
    """An error in 512ths, below 64, of a difference in 64ths."""
    store(space, here, masked(shifted(clip(magnitude(difference), 0, 4095), -3), count, 0))


@_inline
def unsettle(space, values, errors, cell, count, moved, chunk, at, symbols):  # pragma: no cover
    """The inverse of `settle`: symbols, int8 `[WIDTH]`, and errors, of values that are there."""
    value = load(space, values + cell)
    symbol = shifted(value, 8)
    if moved:
        flip = load(chunk, at + 2 * WIDTH)
        symbol = minus(xor(minus(symbol, load(chunk, at + WIDTH)), flip), flip)
        _keep(minus(shifted(value, 2), load(chunk, at + 3 * WIDTH)), space, errors + cell, count)
    else:
        _keep(shifted(value, 2), space, errors + cell, count)
    store(symbols, 0, symbol)


@jit
def smooth(space, errors, target, shape):  # pragma: no cover
    """Averages over the 3x3 places around each of a plane's errors."""
    _, rows, columns, _, fronts, stride, _ = shape
    for front in range(fronts):
        low, high = rows_of(front, rows, columns, columns)
        for i in range((front + 4) * stride + 2 + low, (front + 4) * stride + 2 + high, WIDTH):
            above = _across(space, errors + i - 2 * stride - 1, stride)
            below = _across(space, errors + i + 2 * stride + 1, stride)
            store(space, target + i, _blur(above, _across(space, errors + i, stride), below))


@_inline
def _across(space, here, stride):  # pragma: no cover
    return _blur(load(space, here - stride), load(space, here), load(space, here + stride))


@_inline
def _blur(before, middle, after):  # pragma: no cover
    return plus(plus(shifted(middle, 1), shifted(middle, 2)), plus(shifted(before, 3), shifted(after, 3)))
