"""Reversible prediction of latents from their neighbours in the same channel.

A payload of the coder `zstd` (id 1) is one Zstandard frame of a sample's residuals, int8 `[c, *space]` in C
order. A predictor is a number a channel; residuals are modulo 256, so they stay int8. Of a latent's
neighbours `w` (before it in its row), `n` (above) and `nw`, with those outside taken from inside (the
first row from `w`, the first column from `n`, the first latent from 0), the predictors are

| number | name | prediction |
| --- | --- | --- |
| 0 | none | 0 |
| 1 | left | `w` |
| 2 | mean | `(w + n) >> 1` |
| 3 | med | the median of `w`, `n` and `w + n - nw` (Weinberger, Seroussi and Sapiro, LOCO-I, 2000) |
| 4 | back | the latent at the same place of the plane before (of three space dimensions) |
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy.compiled import compiled
from walloc_data.entropy.turning import TOGETHER, in_words, turn, turn_back

__all__ = ["PREDICTORS", "choose_predictors", "from_residuals", "planes", "to_residuals", "warm_up"]

PREDICTORS = ("none", "left", "mean", "med", "back")
_PLANE = 1 << 14  # latents; of a larger one, turned samples would not stay in the processor's cache
_WORTH = 0.02  # bits a latent; a smaller gain is not worth the time to undo a prediction


def planes(latents: NDArray[np.int8]) -> NDArray[np.int8]:
    """A view `[N, c, depth, rows, columns]` of latents of 1 to 3 space dimensions."""
    space = latents.shape[2:]
    return np.reshape(latents, (*latents.shape[:2], *(1,) * (3 - len(space)), *space))


def to_residuals(latents: NDArray[np.int8], predictors: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Residuals of `int8 [N, c, *space]`, same shape; `predictors` is uint8 `[c]`."""
    view = planes(latents)
    residuals = view.copy()
    for channel in np.flatnonzero(predictors) if view.size else ():
        residuals[:, channel] -= _predict(view[:, channel], int(predictors[channel]))
    return np.reshape(residuals, latents.shape)


def from_residuals(residuals: NDArray[np.int8], predictors: NDArray[np.uint8]) -> None:
    """Undo `to_residuals` in place on a C-contiguous `int8 [N, c, *space]`."""
    if predictors.any() and residuals.size:
        view = planes(residuals)
        _undo(view, in_words(view), predictors)


def warm_up() -> None:
    """Load what `from_residuals` runs."""
    nothing = np.zeros((0, 1, 1, 1, 1), np.int8)
    _undo(nothing, in_words(nothing), np.zeros(1, np.uint8))


def choose_predictors(latents: Sequence[NDArray[np.int8]]) -> NDArray[np.uint8]:
    """The predictor of each channel that leaves the least order-0 entropy, uint8 `[c]`; `latents` are `[c, *space]`."""
    counts = np.zeros((latents[0].shape[0], len(PREDICTORS), 256))
    for sample in latents:
        view = planes(sample[None])[0]
        for predictor in range(len(PREDICTORS)):
            residuals = view - _predict(view, predictor) if predictor else view
            for channel, values in enumerate(residuals):
                counts[channel, predictor] += np.bincount(values.ravel().view(np.uint8), minlength=256)
    share = counts / counts.sum(-1, keepdims=True)
    entropy = -(share * np.log2(np.where(share > 0, share, 1.0))).sum(-1)
    entropy[:, 0] -= _WORTH
    chosen: NDArray[np.uint8] = np.argmin(entropy, -1).astype(np.uint8)
    return chosen


def _predict(x: NDArray[np.int8], predictor: int) -> NDArray[np.int8]:
    """Predictions of every latent of int8 `[N, depth, rows, columns]`."""
    if predictor == 4:
        back = np.zeros_like(x)
        back[:, 1:] = x[:, :-1]
        return back
    w, n, nw = np.zeros((3, *x.shape), np.int16)
    w[..., 1:] = x[..., :-1]
    n[..., 1:, :] = x[..., :-1, :]
    nw[..., 1:, 1:] = x[..., :-1, :-1]
    w[..., 1:, 0] = nw[..., 1:, 0] = n[..., 1:, 0]
    n[..., 0, :] = nw[..., 0, :] = w[..., 0, :]
    prediction: NDArray[Any] = w
    if predictor == 2:
        prediction = (w + n) >> 1
    elif predictor == 3:
        prediction = np.clip(w + n - nw, np.minimum(w, n), np.maximum(w, n))
    wrapped: NDArray[np.int8] = prediction.astype(np.int8)
    return wrapped


@compiled
def _sum(guess: Any, residual: Any) -> Any:  # pragma: no cover  (compiled)
    return np.int32(np.int8(guess + residual))


@compiled
def _guess(predictor: Any, w: Any, n: Any, nw: Any) -> Any:  # pragma: no cover  (compiled)
    if predictor == 1:
        return w
    if predictor == 2:
        return (w + n) >> 1
    return min(max(w + n - nw, min(w, n)), max(w, n))


@compiled
def _undo_one(x: Any, predictor: Any) -> None:  # pragma: no cover  (compiled)
    rows, columns = x.shape
    w = np.int32(0)
    for column in range(columns):
        w = _sum(w, x[0, column])
        x[0, column] = w
    for row in range(1, rows):
        w = nw = np.int32(x[row - 1, 0])
        for column in range(columns):
            n = np.int32(x[row - 1, column])
            w = _sum(_guess(predictor, w, n, nw), x[row, column])
            x[row, column] = w
            nw = n


@compiled
def _undo_four(a: Any, b: Any, c: Any, d: Any, predictor: Any) -> None:  # pragma: no cover  (compiled)
    """`_undo_one` of four planes in step: each latent waits for the one before it, but not for those of others."""
    rows, columns = a.shape
    wa = wb = wc = wd = np.int32(0)
    for column in range(columns):
        wa, wb, wc, wd = _sum(wa, a[0, column]), _sum(wb, b[0, column]), _sum(wc, c[0, column]), _sum(wd, d[0, column])
        a[0, column], b[0, column], c[0, column], d[0, column] = wa, wb, wc, wd
    for row in range(1, rows):
        wa, wb, wc, wd = (
            np.int32(a[row - 1, 0]),
            np.int32(b[row - 1, 0]),
            np.int32(c[row - 1, 0]),
            np.int32(d[row - 1, 0]),
        )
        nwa, nwb, nwc, nwd = wa, wb, wc, wd
        for column in range(columns):
            na, nb = np.int32(a[row - 1, column]), np.int32(b[row - 1, column])
            nc, nd = np.int32(c[row - 1, column]), np.int32(d[row - 1, column])
            wa = _sum(_guess(predictor, wa, na, nwa), a[row, column])
            wb = _sum(_guess(predictor, wb, nb, nwb), b[row, column])
            wc = _sum(_guess(predictor, wc, nc, nwc), c[row, column])
            wd = _sum(_guess(predictor, wd, nd, nwd), d[row, column])
            a[row, column], b[row, column], c[row, column], d[row, column] = wa, wb, wc, wd
            nwa, nwb, nwc, nwd = na, nb, nc, nd


@compiled
def _undo_med(turned: Any, rows: Any, columns: Any) -> None:  # pragma: no cover  (compiled)
    """`_undo_one` of planes of `TOGETHER` samples that were turned, all in step."""
    for here in range(1, columns):
        for k in range(TOGETHER):
            turned[here, k] += turned[here - 1, k]
    for row in range(1, rows):
        for k in range(TOGETHER):
            turned[row * columns, k] += turned[(row - 1) * columns, k]
        for here in range(row * columns + 1, (row + 1) * columns):
            for k in range(TOGETHER):
                w, n = np.int16(turned[here - 1, k]), np.int16(turned[here - columns, k])
                even = np.int16(w + n - np.int16(turned[here - columns - 1, k]))
                guess = min(max(even, min(w, n)), max(w, n))
                turned[here, k] = np.int8(np.int16(turned[here, k]) + guess)


@compiled
def _undo(x: Any, words: Any, predictors: Any) -> None:  # pragma: no cover  (compiled)
    samples, channels, depth, rows, columns = x.shape
    turning = samples >= TOGETHER and rows * columns <= _PLANE
    turned = np.empty((rows * columns if turning else 0, TOGETHER), np.int8)
    for channel in range(channels):
        predictor = predictors[channel]
        if predictor == 4:
            for sample in range(samples):
                for plane in range(1, depth):
                    x[sample, channel, plane] += x[sample, channel, plane - 1]
        elif predictor:
            together = samples - samples % TOGETHER if turning and predictor == 3 else 0
            for sample in range(0, together, TOGETHER):
                some = slice(sample, sample + TOGETHER)
                for plane in range(depth):
                    turn(x[some, channel, plane], words[some, channel, plane], turned)
                    _undo_med(turned, rows, columns)
                    turn_back(turned, words[some, channel, plane], x[some, channel, plane])
            four = samples - samples % 4
            for sample in range(together, four, 4):
                for plane in range(depth):
                    _undo_four(
                        x[sample, channel, plane],
                        x[sample + 1, channel, plane],
                        x[sample + 2, channel, plane],
                        x[sample + 3, channel, plane],
                        predictor,
                    )
            for sample in range(four, samples):
                for plane in range(depth):
                    _undo_one(x[sample, channel, plane], predictor)
