"""Fits the tables of `rans` to a sample of a dataset. Floats are welcome here: what comes out are integers."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy.rans.context import ERROR_TAPS, RANKS, REFERENCES, UNIT, ranks
from walloc_data.entropy.rans.layout import Shape, shape_of
from walloc_data.entropy.rans.stream import ESCAPE, TOTAL

__all__ = ["fit_distributions", "fit_weights"]

Floats = NDArray[np.float32]
_PLACES = 1 << 16  # of a channel are enough to fit its two dozen weights
_BUDGET = 1 << 21  # places of all channels together
_BLOCK = 512  # places multiplied at a time: more would wake threads of a BLAS, whose number changes sums
_ROUNDS = 2
_LEAST = np.float32(0.05)  # error, so that none is expected to be nothing
_SPLIT = 30.0  # nats a distribution must save, for it takes some 60 bytes itself
_PRIOR = 4.0  # symbols as usual anywhere that every distribution starts with
_WORTH = 0.004  # bits a latent; a smaller gain is not worth the time to predict a channel's mean
_NEAR = ((0, -1), (-1, 0), (-1, 1), (-1, -1), (0, -2), (-2, 0))  # (row, column) of the first taps, in their order
MAXIMUM = 32  # distributions, so that their slots stay near a core


def fit_weights(latents: Sequence[NDArray[np.int8]]) -> tuple[NDArray[np.int16], NDArray[np.int16], NDArray[np.uint16]]:
    """Weights of the mean, of the error, and reference channels: int16 `[c, 9]`, int16 `[c, 13]`, uint16 `[c, 4]`."""
    channels = latents[0].shape[0]
    groups = _groups(latents, min(_PLACES, _BUDGET // channels))
    mean = np.zeros((channels, 9), np.int16)
    error = np.zeros((channels, len(ERROR_TAPS)), np.int16)
    references = np.zeros((channels, REFERENCES), np.uint16)
    errors: list[list[Floats]] = []  # a channel, a group: float32 [n, depth, rows, columns], in latents
    flat: list[Floats] = []  # the same a channel, of coded places alone, standardised: correlations are dot products
    for channel in range(channels):
        planes = [group[:, channel] for group, _ in groups]
        target = _places(planes, groups)
        of_planes = [[_mean_tap(plane, tap) for tap in range(8)] for plane in planes]
        taps = np.stack([*(_places(list(tap), groups) for tap in zip(*of_planes, strict=True)), np.ones_like(target)])
        chosen = _references(flat, np.abs(target))
        outside = [np.ones_like(target)]
        outside += [_places([_smooth(e) for e in errors[r]], groups) for r in chosen]
        trust = np.ones_like(target)
        zero, _, _, plain = _fit_error([np.abs(p) for p in planes], groups, outside)
        for _ in range(_ROUNDS):
            weights = _solve(taps, target, trust)
            moved = [plane - _predicted(found, weights) for plane, found in zip(planes, of_planes, strict=True)]
            solution, scale, off, cost = _fit_error([np.abs(m) for m in moved], groups, outside)
            trust = 1 / (scale * np.maximum(off, 0.3 * scale) + _LEAST)
        if plain - cost > _WORTH:
            mean[channel] = _integers(weights, 64)
        else:
            moved, solution = planes, zero
        errors.append([np.abs(m) for m in moved])
        flat.append(_standard(_places(errors[-1], groups)))
        references[channel, : len(chosen)] = chosen
        error[channel, : 9 + len(chosen)] = _integers(solution, 128)
    return mean, error, references


def _groups(latents: Sequence[NDArray[np.int8]], places: int) -> list[tuple[Floats, Shape]]:
    """Samples of one shape together, `[n, c, depth, rows, columns]`, evenly chosen to hold about `places` a channel."""
    size = int(np.mean([sample[0].size for sample in latents]))
    count = min(len(latents), max(1, places // max(size, 1)))
    by_shape: dict[tuple[int, ...], list[NDArray[np.int8]]] = {}
    for index in np.linspace(0, len(latents) - 1, count).round().astype(int):
        by_shape.setdefault(latents[index].shape[1:], []).append(latents[index])
    groups = []
    for space, samples in by_shape.items():
        shape = shape_of(space)
        folded = np.zeros((len(samples), len(samples[0]), shape.depth, shape.rows * shape.columns), np.float32)
        for row, sample in zip(folded, samples, strict=True):
            planes = sample.reshape(len(sample), shape.depth, -1)
            row[..., : planes.shape[-1]] = planes
        groups.append((folded.reshape(*folded.shape[:3], shape.rows, shape.columns), shape))
    return groups


def _places(planes: list[Floats], groups: list[tuple[Floats, Shape]]) -> Floats:
    """All coded places of a channel's planes, in one dimension."""
    parts = []
    for plane, (_, shape) in zip(planes, groups, strict=True):
        kept = plane.reshape(*plane.shape[:2], -1)[..., : (shape.rows - 1) * shape.columns + shape.last]
        parts.append(kept.reshape(-1))
    return np.concatenate(parts)


def _shifted(planes: Floats, row: int, column: int) -> Floats:
    """What stands so many rows below and columns to the right of each place, 0 beyond the edge."""
    shifted, (rows, columns) = np.zeros_like(planes), planes.shape[2:]
    into = shifted[:, :, max(0, -row) : max(0, rows - row), max(0, -column) : max(0, columns - column)]
    into[...] = planes[:, :, max(0, row) : max(0, rows + row), max(0, column) : max(0, columns + column)]
    return shifted


def _back(planes: Floats) -> Floats:
    back = np.zeros_like(planes)
    back[:, 1:] = planes[:, :-1]
    return back


def _smooth(planes: Floats) -> Floats:
    across = np.asarray((_shifted(planes, 0, -1) + 6 * planes + _shifted(planes, 0, 1)) / 8, np.float32)
    return np.asarray((_shifted(across, -1, 0) + 6 * across + _shifted(across, 1, 0)) / 8, np.float32)


def _mean_tap(planes: Floats, tap: int) -> Floats:
    if tap < len(_NEAR):
        return _shifted(planes, *_NEAR[tap])
    if tap == 7:
        return _back(planes)
    w, n, nw = (_shifted(planes, *_NEAR[i]) for i in (0, 1, 3))
    return np.asarray(np.clip(w + n - nw, np.minimum(w, n), np.maximum(w, n)), np.float32)


def _predicted(taps: list[Floats], weights: Floats) -> Floats:
    total = np.full_like(taps[0], weights[8])
    for tap, weight in zip(taps, weights[:8], strict=True):
        total += weight * tap
    return total


def _solve(features: Floats, target: Floats, trust: Floats) -> Floats:
    """Weighted least squares, barely regularised, so that constant channels are no special case."""
    weighted, both = features * trust, np.concatenate([features, target[None]])
    whole = len(target) // _BLOCK * _BLOCK
    blocks = [part[:, :whole].reshape(len(part), -1, _BLOCK).swapaxes(0, 1) for part in (weighted, both)]
    products = np.matmul(blocks[0], blocks[1].swapaxes(1, 2)).sum(0, dtype=np.float64)
    products += weighted[:, whole:] @ both[:, whole:].T
    gram = products[:, :-1]
    gram[np.diag_indices(len(gram))] += 1e-5 * np.trace(gram) / len(gram) + 1e-9
    return np.asarray(np.linalg.solve(gram, products[:, -1]), np.float32)


def _fit_error(
    errors: list[Floats], groups: list[tuple[Floats, Shape]], outside: list[Floats]
) -> tuple[Floats, Floats, Floats, float]:
    """Weights of the error, the expected and actual error of every place that come of them, and the cost (`_scale`).

    Maximum likelihood of a Laplace distribution whose scale is linear in the taps, by damped Fisher scoring.
    """
    taps = [_places([_shifted(e, *near) for e in errors], groups) for near in _NEAR]
    taps += [_places([_back(e) for e in errors], groups), _places([_smooth(_back(e)) for e in errors], groups)]
    features = np.stack(taps + outside)
    actual = _places(errors, groups) + _LEAST
    weights = np.zeros(len(features), np.float32)
    weights[8] = actual.mean()
    scale, cost = _scale(features, weights, actual)
    for _ in range(5):
        step = _solve(features, actual, np.asarray(1 / scale**2, np.float32)) - weights
        for _ in range(4):
            tried, tried_cost = _scale(features, weights + step, actual)
            if tried_cost < cost:
                break
            step = step / 2
        else:
            break
        weights, scale, cost = weights + step, tried, tried_cost
    return weights, scale, actual, cost


def _scale(features: Floats, weights: Floats, actual: Floats) -> tuple[Floats, float]:
    """The expected error of every place, and what actual ones cost under it: bits a latent, but for a constant."""
    scale = np.maximum(np.einsum("j,ji->i", weights, features), _LEAST)
    return scale, float(np.log2(scale).mean() + (actual / scale).mean() / math.log(2))


def _integers(weights: Floats, parts: int) -> NDArray[np.int16]:
    """A kernel's weights: the ninth is a bias, in `parts` of a latent, and makes up for what all others round down."""
    row = np.round(weights.astype(np.float64) * UNIT)
    row[8] = np.round(weights[8] * parts + np.count_nonzero(np.delete(row, 8)) / 2)
    return np.clip(row, -32768, 32767).astype(np.int16)


def _standard(errors: Floats) -> Floats:
    centred = errors - errors.mean()
    return np.asarray(centred / (np.linalg.norm(centred) + 1e-6), np.float32)


def _references(earlier: list[Floats], sizes: Floats) -> list[int]:
    """The earlier channels whose errors go along best with this channel's sizes."""
    if not earlier:
        return []
    standard = _standard(sizes)
    likeness = np.array([np.einsum("i,i", e, standard) for e in earlier])
    return sorted(int(i) for i in np.argsort(-likeness, kind="stable")[:REFERENCES])


def fit_distributions(
    counts: NDArray[np.uint32], most: int = MAXIMUM
) -> tuple[NDArray[np.uint16], NDArray[np.uint8], NDArray[np.uint16]]:
    """Contexts cut into at most so many runs, a distribution a run: three of `RansCoder.tables`.

    `counts`, uint32 `[CONTEXTS, 256]`, is how often each residual, modulo 256, stood in each context.
    """
    everything = counts.sum(0, dtype=np.float64) + 1e-3
    prior = _PRIOR * everything / everything.sum()
    starts, sums = _runs(counts, prior, most)
    reaches, frequencies = [], []
    for histogram in sums:
        whole = np.roll(_quantised(histogram + prior), 128)  # -128 comes first
        reach = int(np.abs(np.flatnonzero(np.append(whole[1:], 0)) - 127).max(initial=0))
        reaches.append(reach)
        frequencies.append(whole[128 - reach : 129 + reach])
    return starts.astype(np.uint16), np.array(reaches, np.uint8), np.concatenate(frequencies).astype(np.uint16)


def _quantised(weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Frequencies that sum to `TOTAL`; what is too rare for a slot goes to the escape."""
    share = weights / weights.sum() * TOTAL
    share[ESCAPE] = 0
    rare = share < 0.6
    frequency = np.where(rare, 0, np.maximum(np.round(share), 1)).astype(np.int64)
    frequency[ESCAPE] = max(1, round(share[rare].sum()))
    while (excess := int(frequency.sum()) - TOTAL) != 0:
        # the change that costs least: a symbol's cost is share * log(frequency)
        step = -1 if excess > 0 else 1
        open_ = (frequency > 1) | ((frequency > 0) & (step > 0))
        if not open_.any():
            raise ValueError("no symbol can give way")  # TOTAL exceeds 256, so never
        gain = np.full(256, -np.inf)
        gain[open_] = (share[open_] + 1e-6) * np.log((frequency[open_] + step) / frequency[open_])
        frequency[gain.argmax()] += step
    return frequency


def _cost(histograms: NDArray[np.float64], prior: NDArray[np.float64]) -> NDArray[np.float64]:
    """Nats that symbols cost under a distribution of their own that has to be learned from them, and kept.

    The Dirichlet-multinomial likelihood, so that runs without enough symbols to tell them apart are merged.
    """
    own = (_log_gamma(histograms + prior) - _log_gamma(prior)).sum(-1)
    total, weight = histograms.sum(-1), prior.sum()
    return np.asarray(_log_gamma(total + weight) - math.lgamma(weight) - own, np.float64)


def _log_gamma(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(_lgamma(values), np.float64)


_lgamma = np.frompyfunc(math.lgamma, 1, 1)


def _runs(
    counts: NDArray[np.uint32], prior: NDArray[np.float64], most: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """First ranks and histograms of the runs: single ranks merged with a neighbour while that costs least."""
    starts = list(range(RANKS))
    sums = np.zeros((RANKS, 256))
    np.add.at(sums, ranks(), counts)
    cost = _cost(sums, prior)
    loss = _cost(sums[1:] + sums[:-1], prior) - cost[1:] - cost[:-1]
    while len(starts) > 1:
        at = int(loss.argmin())
        if loss[at] > _SPLIT and len(starts) <= most:
            break
        sums[at] += sums[at + 1]
        cost[at] = _cost(sums[at], prior)
        del starts[at + 1]
        sums, cost = np.delete(sums, at + 1, axis=0), np.delete(cost, at + 1)
        loss = np.delete(loss, at)
        for side in (at - 1, at):
            if 0 <= side < len(loss):
                loss[side] = _cost(sums[side] + sums[side + 1], prior) - cost[side] - cost[side + 1]
    return np.array(starts), sums
