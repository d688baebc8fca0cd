"""The coder `rans`: a distribution a latent, chosen by its neighbours, and interleaved rANS. The smallest.

Payload: the two states, uint64, the words that refill them, uint32, all little-endian, and bytes that no
distribution has a slot for, the first one last; or, where that would not be smaller, the latents as they are, which
the length tells. Planes of more than four times as many rows as columns are coded with the two exchanged.
Duda, "Asymmetric numeral systems", 2013 (rANS); Giesen, "Interleaved entropy coders", 2014.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy.rans.context import CONTEXTS, ERROR_TAPS, MEAN_TAPS, RANKS, REFERENCES, ranks
from walloc_data.entropy.rans.decoding import decode_batch
from walloc_data.entropy.rans.encoding import encode_batch, gather, tally
from walloc_data.entropy.rans.fit import MAXIMUM, fit_distributions, fit_weights
from walloc_data.entropy.rans.layout import STEP, Plan, Workspace, plan_of, shape_of, workspace_of
from walloc_data.entropy.rans.stream import ESCAPE, RANGES, TOTAL
from walloc_data.errors import CoderError

__all__ = ["RansCoder"]

_IDLE, _MODEST = 8, 1 << 24  # workspaces that are kept, and bytes of one, at most
_CELLS = 1 << 30  # of the workspace a sample, 2 bytes each; hostile shapes could ask for any number


class RansCoder:
    """Predicts each latent and its error from coded neighbours (see `context`), and codes it with what is usual there.

    All tables are integers, and so is all arithmetic: every machine decodes the same.
    """

    id: ClassVar[int] = 2
    name: ClassVar[str] = "rans"
    bits_are: ClassVar[str] = "lengths of their codes"

    def __init__(
        self,
        mean: NDArray[np.int16],
        error: NDArray[np.int16],
        references: NDArray[np.uint16],
        starts: NDArray[np.uint16],
        reaches: NDArray[np.uint8],
        frequencies: NDArray[np.uint16],
    ) -> None:
        """The arrays of `tables`. Raises `CoderError` unless every payload, true or false, decodes safely with them."""
        channels = len(mean) if mean.ndim == 2 else 0
        _expect("mean", mean, np.int16, (channels, len(MEAN_TAPS)))
        _expect("error", error, np.int16, (channels, len(ERROR_TAPS)))
        _expect("references", references, np.uint16, (channels, REFERENCES))
        runs = len(starts) if starts.ndim == 1 else 0
        _expect("starts", starts, np.uint16, (runs,))
        _expect("reaches", reaches, np.uint8, (runs,))
        if not channels or not 0 < runs <= MAXIMUM:
            raise CoderError(f"rans tables: {channels} channels with {runs} distributions, not 1 to {MAXIMUM}")
        if (references >= np.maximum(np.arange(channels), 1)[:, None]).any():
            raise CoderError("rans tables: a channel refers to one that is not decoded before it")
        if starts[0] or (np.diff(starts.astype(np.int64)) <= 0).any() or starts[-1] >= RANKS:
            raise CoderError(f"rans tables: starts must rise from 0 to below {RANKS}")
        if reaches.max() > 127:
            raise CoderError("rans tables: a distribution reaches beyond 127")
        _expect("frequencies", frequencies, np.uint16, (int((2 * reaches.astype(np.int64) + 1).sum()),))
        self.mean, self.error, self.references = mean, error, references
        self.starts, self.reaches, self.frequencies = starts, reaches, frequencies
        self.distributions = _distributions(reaches, frequencies)
        self._runs = np.searchsorted(starts, ranks(), side="right") - 1  # by context, the distribution
        self._lookup = np.append(self._runs, runs).astype(np.int32) * (RANGES + TOTAL)  # the last is of `NOTHING`
        self._tables = _compiled(self.distributions)
        self._plans: dict[tuple[int, ...], Plan] = {}
        self._idle: deque[tuple[Plan, Workspace]] = deque(maxlen=_IDLE)  # a new one costs a page fault a page

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_tables, (self.tables(),)

    @classmethod
    def fit(cls, latents: Sequence[NDArray[np.int8]]) -> "RansCoder":
        """Tables for a dataset of which `latents`, int8 arrays `[c, *space]` of one to three space dims, are a sample.

        Raises `CoderError` where there are none, or their channels or dimensions differ.
        """
        samples = [np.ascontiguousarray(_upright(sample[None])[0]) for sample in latents if sample.size]
        if not samples:
            raise CoderError("a coder cannot be fitted to no samples")
        for sample in samples:
            if (
                sample.dtype != np.int8
                or not 2 <= sample.ndim <= 4
                or (sample.ndim, len(sample)) != (samples[0].ndim, len(samples[0]))
            ):
                raise CoderError(
                    f"a coder is fitted to int8 [{len(samples[0])}, {samples[0].ndim - 1} space dims], "
                    f"not {sample.dtype} {list(sample.shape)}"
                )
        return cls.from_weights(*fit_weights(samples), samples)

    @classmethod
    def from_weights(
        cls,
        mean: NDArray[np.int16],
        error: NDArray[np.int16],
        references: NDArray[np.uint16],
        latents: Sequence[NDArray[np.int8]],
        *,
        most: int = MAXIMUM,
    ) -> "RansCoder":
        """A coder with these weights, and at most so many distributions fitted to int8 arrays `[c, *space]`."""
        blank = cls(mean, error, references, np.zeros(1, np.uint16), np.zeros(1, np.uint8), np.ones(1, np.uint16))
        counts = np.zeros((CONTEXTS, 256), np.uint32)
        for sample in latents:
            upright = np.ascontiguousarray(_upright(sample[None])[0])
            plan = blank._plan(upright.shape[1:], len(mean))
            contexts, coded = np.empty(sample.size, np.int16), np.empty(sample.size, np.uint16)
            gather(upright.reshape(-1), plan, workspace_of(plan), contexts, coded, counts, sample.size)
        return cls(mean, error, references, *fit_distributions(counts, most))

    def encode(self, latents: NDArray[np.int8]) -> list[bytes]:
        """One payload a sample of `int8 [N, c, *space]`, none longer than the sample."""
        self._check(latents)
        upright = np.ascontiguousarray(_upright(latents))
        plan = self._plan(upright.shape[2:], len(self.mean))
        size = latents[0].size if len(latents) else 0
        payloads = np.empty((len(latents), size), np.uint8)
        lengths = np.empty(len(latents), np.int64)
        encode_batch(
            upright.reshape(-1),
            self._tables,
            self._lookup,
            plan,
            workspace_of(plan),
            np.empty(size, np.int16),
            np.empty(size, np.uint16),
            np.empty(size, np.uint32),
            np.empty(size, np.uint32),
            np.empty(size, np.uint8),
            payloads.reshape(-1),
            lengths,
            size,
        )
        return [payload[:length].tobytes() for payload, length in zip(payloads, lengths, strict=True)]

    def decode(self, buffer: Any, segments: NDArray[np.uint64], out: NDArray[np.int8]) -> None:
        """Fill `out`, C-contiguous `int8 [N, k, *space]`, from payloads at `segments`, uint64 `[N, 2]` (offset, bytes).

        A prefix, k channels of more, is all that is decoded; but of three space dimensions, whose planes hold all
        channels, everything. Raises `CoderError` for segments beyond `buffer`, and for a payload that does not end as
        it must, unless decoding has not come to its end.
        """
        self._check(out, least=1)
        if not out.flags.c_contiguous or not out.flags.writeable:
            raise CoderError("latents are decoded to writable, C-contiguous arrays")
        view = memoryview(buffer).cast("B")
        data = np.frombuffer(view, np.uint8) if view.nbytes else np.zeros(0, np.uint8)
        if segments.dtype != np.uint64 or segments.shape != (len(out), 2):
            raise CoderError(f"{len(out)} samples need uint64 segments of [{len(out)}, 2], not {list(segments.shape)}")
        offsets, lengths = segments[:, 0], segments[:, 1]
        if ((offsets > len(data)) | (lengths > np.uint64(len(data)) - np.minimum(offsets, np.uint64(len(data))))).any():
            raise CoderError(f"a payload lies beyond the {len(data)} bytes there are")
        kept, space = out.shape[1], out.shape[2:]
        if kept < len(self.mean) and len(space) == 3:
            whole = np.empty((len(out), len(self.mean), *space), np.int8)
            self.decode(buffer, segments, whole)
            out[...] = whole[:, :kept]
            return
        upright = _upright(out)
        target = np.ascontiguousarray(upright)  # `out` itself, if it is upright
        plan = self._plan(upright.shape[2:], kept)
        size = len(self.mean) * math.prod(space)
        work = self._workspace(plan, size // 4)
        bad = decode_batch(
            data,
            np.ascontiguousarray(segments),
            self._tables,
            self._lookup,
            plan,
            work,
            target.reshape(-1),
            size,
        )
        if work.space.nbytes <= _MODEST:
            self._idle.append((plan, work))
        if bad >= 0:
            raise CoderError(f"payload {bad} is damaged, or was made with other tables or for another shape")
        if not np.shares_memory(target, out):
            upright[...] = target

    def warm_up(self, channels: int | None = None) -> None:
        """See `Coder.warm_up`."""
        # Not b"": an array that may be written to is another type, for which all would be compiled again.
        self.decode(b"\0", np.empty((0, 2), np.uint64), np.empty((0, channels or len(self.mean), 1), np.int8))

    def bits_by_channel(self, latents: Sequence[NDArray[np.int8]]) -> NDArray[np.float64]:
        """Mean bits that a latent's code takes, float64 `[c]`, of int8 arrays `[c, *space]`: by its distribution."""
        escapes = 8 + np.log2(TOTAL / self.distributions[:, ESCAPE, None])
        costs = np.where(self.distributions > 0, np.log2(TOTAL / np.maximum(self.distributions, 1)), escapes)
        costs[:, ESCAPE] = escapes[:, 0]
        bits, places = np.zeros(len(self.mean)), 0
        for sample in latents:
            self._check(sample[None])
            upright = np.ascontiguousarray(_upright(sample[None])[0])
            plan, size = self._plan(upright.shape[1:], len(self.mean)), sample.size
            contexts, coded = np.empty(size, np.int16), np.empty(size, np.uint16)
            tally(upright.reshape(-1), plan, workspace_of(plan), contexts, coded, costs[self._runs], bits, size)
            places += sample[0].size
        return bits / places

    def tables(self) -> dict[str, NDArray[Any]]:
        """All that decoding needs besides payloads.

        `mean` int16 `[c, 9]`, `error` int16 `[c, 13]` and `references` uint16 `[c, 4]` (see `context`); `starts` uint16
        `[n]`, the first context of each distribution; `reaches` uint8 `[n]`, its largest residual; and
        `frequencies` uint16, those of all residuals from -reach to reach, a distribution after the other.
        """
        names = ("mean", "error", "references", "starts", "reaches", "frequencies")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_tables(cls, tables: Mapping[str, NDArray[Any]]) -> "RansCoder":
        """The inverse of `tables`. Raises `CoderError` where they are damaged."""
        names = ("mean", "error", "references", "starts", "reaches", "frequencies")
        missing = [name for name in names if name not in tables]
        if missing:
            raise CoderError(f"rans tables: {', '.join(missing)} missing")
        return cls(*(np.ascontiguousarray(tables[name]) for name in names))

    def _plan(self, space: tuple[int, ...], channels: int) -> Plan:
        plan = self._plans.get((channels, *space))
        if plan is None:
            plan = plan_of(shape_of(space), self.mean[:channels], self.error[:channels], self.references[:channels])
            if plan.cells > _CELLS:
                raise CoderError(f"latents of {list(space)} with {channels} channels are too many for rans")
            # One is enough: a dataset's batches are of one shape, or change it rarely.
            self._plans = {(channels, *space): plan}
        return plan

    def _workspace(self, plan: Plan, words: int) -> Workspace:
        """One that no thread works in, for payloads of so many words: that of a batch before, if of this plan."""
        with suppress(IndexError):
            last, work = self._idle.pop()
            if last is plan:
                return work
        return workspace_of(plan, STEP, words)

    def _check(self, latents: NDArray[np.int8], least: int | None = None) -> None:
        channels = len(self.mean)
        if (
            latents.dtype != np.int8
            or not 3 <= latents.ndim <= 5
            or not (least or channels) <= latents.shape[1] <= channels
            or 0 in latents.shape[2:]
        ):
            raise CoderError(
                f"this coder takes int8 [N, {channels}, 1 to 3 space dims], not {latents.dtype} {list(latents.shape)}"
            )


def _expect(name: str, table: NDArray[Any], dtype: Any, shape: tuple[int, ...]) -> None:
    if table.dtype != dtype or table.shape != shape:
        raise CoderError(
            f"rans tables: {name} must be {np.dtype(dtype).name} {list(shape)}, not {table.dtype} {list(table.shape)}"
        )


def _upright(latents: NDArray[np.int8]) -> NDArray[np.int8]:
    """Tall planes on their side: skewed ones take a multiple of their rows squared."""
    tall = latents.ndim > 3 and latents.shape[-2] > 4 * latents.shape[-1]
    return latents.swapaxes(-1, -2) if tall else latents


def _distributions(reaches: NDArray[np.uint8], frequencies: NDArray[np.uint16]) -> NDArray[np.uint32]:
    """Frequencies of all bytes, uint32 `[n, 256]`; the escape gets what the others leave."""
    spread = np.zeros((len(reaches), 256), np.uint32)
    start = 0
    for row, reach in zip(spread, reaches.astype(int), strict=True):
        row[np.arange(-reach, reach + 1) % 256] = frequencies[start : start + 2 * reach + 1]
        start += 2 * reach + 1
    left = TOTAL - spread.sum(1, dtype=np.int64)
    if left.min() < 1:
        raise CoderError(f"rans tables: a distribution sums to {TOTAL - left.min()}, not to less than {TOTAL}")
    spread[:, ESCAPE] = left
    return spread


def _compiled(distributions: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """A distribution after the other: by symbol, its frequency and first slot; by slot, the symbol found there.

    Behind them lies one that has one symbol, 0, in all its slots, so that it may be drawn and nothing is taken.
    """
    nothing = np.eye(1, 256, dtype=np.uint32) * np.uint32(TOTAL)
    distributions = np.concatenate([distributions, nothing])
    first = np.cumsum(distributions, 1, dtype=np.uint32) - distributions
    ranges = np.asarray(distributions << 16 | first, np.uint32)
    symbols = np.tile(np.arange(256, dtype=np.uint8), len(distributions))
    slots = np.asarray(np.repeat(symbols, distributions.reshape(-1)), np.uint8).reshape(len(ranges), -1)
    return np.concatenate([ranges.view(np.uint8), slots], 1).ravel()
