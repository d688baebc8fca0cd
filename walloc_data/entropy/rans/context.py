# mypy: disable-error-code="no-untyped-def,var-annotated"
"""The context model of `rans`: what a latent is expected to be, and how far off, from latents coded before it.

A channel's plane is coded in *fronts*. Front `t` holds the places `(row, column)` with `column + 2 * row == t`:
all that a latent is predicted from (its row to the left, the two rows above as far as one column to the right)
lies in earlier fronts, so a front's contexts are computed together, in vector registers, though
each sees its left neighbour. Planes are kept skewed, a front a row, so a neighbour is a constant distance away.

Two linear forms a latent, both of integers:

- its **mean**, from eight latents of its own channel (`MEAN_TAPS`), to an eighth;
- its expected **error**, from the errors of eight places of its own channel (`ERROR_TAPS`) and, in up to four
  earlier channels, from the error at the same place and the sum over the 3x3 places around it.

The error, in 32nds and up to 4095, and the mean's distance from the next integer make the context. One
set of distributions serves all channels. One space dimension is folded into rows; of three, the
first counts planes, and "back" is the same place in the plane before.
"""

from functools import partial

from walloc_data.entropy.compiled import compiled
from walloc_data.entropy.rans.lanes import (
    WIDTH,
    clip,
    load,
    magnitude,
    masked,
    median,
    minus,
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
    "ERROR_SHIFT",
    "ERROR_TAPS",
    "LIMIT",
    "MEAN_SHIFT",
    "MEAN_TAPS",
    "REFERENCES",
    "TAPS",
    "TOP",
    "expect",
    "jit",
    "rows_of",
    "settle",
    "sum_boxes",
    "unsettle",
]

MEAN_TAPS = ("w", "n", "ne", "nw", "ww", "nn", "med", "back", "bias")
ERROR_TAPS = ("w", "n", "ne", "nw", "ww", "nn", "back", "back3x3", "bias")
REFERENCES = 4
MEAN_SHIFT, ERROR_SHIFT = 7, 10  # weights are 1024ths and 4096ths; means come out in eighths, errors in 32nds
LIMIT = 4096  # of expected errors
BINS = 4  # of the mean's distance from an integer, mirrored
CONTEXTS = BINS * LIMIT
TOP = 2047  # the largest error in eighths
TAPS = 24  # 8 of the mean, 16 of the error

jit = partial(compiled, boundscheck=False, error_model="numpy")


@jit
def rows_of(front, rows, columns, last):  # pragma: no cover  (compiled)
    """The first and one past the last row that have a place in this front."""
    low = max(0, (front - columns + 2) >> 1)
    high = min(rows, (front >> 1) + 1)
    if high == rows and front - 2 * (rows - 1) >= last:
        high -= 1
    return low, high


@jit
def _weigh(space, cell, first, count, offsets, weights, bias):  # pragma: no cover
    total = spread(bias)
    for k in range(first, first + count):
        total = times(total, load(space, cell + offsets[k]), weights[k])
    return total


@jit
def _median(space, here, stride):  # pragma: no cover
    left = load(space, here - stride)
    above = load(space, here - 2 * stride - 1)
    corner = load(space, here - 3 * stride - 1)
    return median(left, above, minus(plus(left, above), corner))


@jit
def _write_context(error, chunk):  # pragma: no cover
    store(chunk, 0, clip(shifted(error, ERROR_SHIFT), 0, LIMIT - 1))


@jit
def _write_mean(mean, chunk):  # pragma: no cover
    mean = clip(shifted(mean, MEAN_SHIFT), -1024, 1023)
    guess = shifted(plus(mean, spread(4)), 3)
    fraction = minus(mean, shifted(guess, -3))
    flip = shifted(fraction, 31)
    store(chunk, 0, plus(load(chunk, 0), shifted(xor(fraction, flip), -12)))
    store(chunk, WIDTH, guess)
    store(chunk, 2 * WIDTH, flip)
    store(chunk, 3 * WIDTH, mean)


@jit
def expect(space, values, stride, cell, channel, row, counts, offsets, weights, biases, chunk):  # pragma: no cover
    """Contexts of `WIDTH` places from `cell` of a plane on, whether they lie in it or not.

    Fills `chunk`, int32 `[4 * WIDTH]`, with contexts and, where the channel has a mean at all (which is returned),
    with predictions, signs (0 or -1) and means in eighths.
    """
    taps = row * TAPS
    bias, med = biases[3 * channel], biases[3 * channel + 2]
    count = counts[2 * row]
    _write_context(_weigh(space, cell, taps + 8, counts[2 * row + 1], offsets, weights, biases[3 * channel + 1]), chunk)
    moved = count != 0 or bias != 0 or med != 0
    if moved:
        mean = _weigh(space, cell, taps, count, offsets, weights, bias)
        if med != 0:
            mean = times(mean, _median(space, values + cell, stride), med)
        _write_mean(mean, chunk)
    return moved


@jit
def settle(space, values, errors, cell, count, moved, chunk, symbols):  # pragma: no cover
    """Turn `count` symbols, int8 `[WIDTH]`, into values and errors at `cell`.

    Beyond them it writes zeros: there, a front has no places, or has them coded next.
    """
    value = load(symbols, 0)
    if moved:
        flip = load(chunk, 2 * WIDTH)
        value = plus(load(chunk, WIDTH), minus(xor(value, flip), flip))
        value = shifted(shifted(value, -24), 24)
        error = magnitude(minus(shifted(value, -3), load(chunk, 3 * WIDTH)))
    else:
        error = magnitude(shifted(value, -3))
    store(space, values + cell, masked(value, count))
    store(space, errors + cell, masked(clip(error, 0, TOP), count))


@jit
def unsettle(space, values, errors, cell, count, moved, chunk, symbols):  # pragma: no cover
    """The inverse of `settle`: symbols, and errors, of values that are there."""
    value = load(space, values + cell)
    symbol = value
    if moved:
        flip = load(chunk, 2 * WIDTH)
        symbol = minus(xor(minus(value, load(chunk, WIDTH)), flip), flip)
        error = magnitude(minus(shifted(value, -3), load(chunk, 3 * WIDTH)))
    else:
        error = magnitude(shifted(value, -3))
    store(symbols, 0, symbol)
    store(space, errors + cell, masked(clip(error, 0, TOP), count))


@jit
def sum_boxes(space, errors, boxes, sums, cells, stride):  # pragma: no cover
    """Sums over the 3x3 places around each of a plane's errors; `sums` is scratch, int16 `[cells]`.

    What margins and places outside the plane get is never read.
    """
    for i in range(stride, cells - stride - WIDTH, WIDTH):
        row = plus(load(space, errors + i), plus(load(space, errors + i - stride), load(space, errors + i + stride)))
        store(space, sums + i, row)
    reach = 2 * stride + 1
    for i in range(reach, cells - reach - WIDTH, WIDTH):
        store(
            space,
            boxes + i,
            plus(load(space, sums + i), plus(load(space, sums + i - reach), load(space, sums + i + reach))),
        )
