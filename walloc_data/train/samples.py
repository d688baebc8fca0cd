"""Samples of a source as packets to train on, and signals to judge by."""

import math
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor
from tqdm import tqdm

from walloc_data.codec import Codec, one_thread
from walloc_data.codec.fused import encode_linear
from walloc_data.codec.padding import pad
from walloc_data.errors import SampleError, TrainError
from walloc_data.signals import Reader
from walloc_data.sources import Raw, Source, Split, evenly, samples_of
from walloc_data.storage.work import Work
from walloc_data.train.options import TrainOptions

__all__ = ["Samples", "read_samples"]

_WINDOW = {1: 256, 2: 24, 3: 8}  # positions a side
_VALUES = 1 << 20  # of a sample; of a larger one the middle is taken
_ALL_VALUES = 1 << 30  # of all samples, in half precision two gigabytes
_JUDGED, _EVERY = 12, 16  # samples that are kept to judge by, and of how many one is, where no split is for that
_FEWEST = 4  # samples to train on
_SPLITS = ("val", "validation", "valid", "dev", "test")


@dataclass
class Samples:
    """What is trained on: `rows`, float16 `[positions, n]`, the packets of one sample after another, whose `grids` are
    of at least `window` positions; `judged`, signals `[1, C, *space]` that are not trained on; `notes` on what was
    passed over."""

    rows: Tensor
    grids: list[tuple[int, ...]]
    judged: list[Tensor]
    window: tuple[int, ...]
    notes: list[str] = field(default_factory=list)

    @property
    def packets(self) -> list[Tensor]:
        """Those of each sample, `[*grid, n]`."""
        parts = self.rows.split_with_sizes([math.prod(grid) for grid in self.grids])
        return [part.reshape(*grid, -1) for part, grid in zip(parts, self.grids, strict=True)]

    def to(self, device: torch.device) -> "Samples":
        """With the rows on a device."""
        return replace(self, rows=self.rows.to(device))


@one_thread()
def read_samples(source: Source, reader: Reader, codec: Codec, options: TrainOptions, *, progress: bool) -> Samples:
    """Read what is trained on. Raises `TrainError` where too few samples can be read, or are large enough."""
    training, judged = _divided(source)
    reasons: list[str] = []
    held = list(_each(evenly(judged, _JUDGED), reader, reasons, partial(_middle, codec=codec)))
    packets: list[Tensor] = []
    values = 0
    chosen = evenly(training, options.limit)
    with tqdm(total=len(chosen), desc="reading", unit=" samples", leave=False, disable=not progress or None) as bar:
        for each in _each(chosen, reader, reasons, partial(_packets, codec=codec)):
            packets.append(each)
            values += each.numel()
            bar.update()
            if values > _ALL_VALUES:
                break
    notes = []
    if reasons:
        notes.append(f"{len(reasons):,} samples were passed over, such as {reasons[0]}")
    if values > _ALL_VALUES:
        notes.append(
            f"trained on {len(packets):,} of {len(chosen):,} samples: more would not fit the memory kept for them"
        )
    window = _window(packets, codec.config.dims, options.window)
    large = [each for each in packets if all(n >= m for n, m in zip(each.shape, window, strict=False))]
    if len(large) < _FEWEST or not held:
        raise TrainError(
            f"{source.name}: {len(large)} samples to train on and {len(held)} to judge by, of {window} positions "
            f"({'x'.join(str(n * f) for n, f in zip(window, codec.config.factors, strict=True))} values) or more: "
            f"{_FEWEST} and 1 are the fewest. Give more or larger samples, or a smaller window"
            + (f"; {notes[0]}" if reasons else "")
        )
    if len(large) < len(packets):
        notes.append(f"{len(packets) - len(large):,} samples are smaller than a window of {window} positions")
    grids = [tuple(each.shape[:-1]) for each in large]
    rows = torch.empty(sum(map(math.prod, grids)), codec.config.packet_channels, dtype=torch.float16)
    packets.clear()
    begin = 0
    for grid in grids:
        rows[begin : begin + math.prod(grid)] = large.pop(0).flatten(0, -2)  # which frees it
        begin += math.prod(grid)
    return Samples(rows, grids, held, window, notes)


def _divided(source: Source) -> tuple[list[tuple[Split, int]], list[tuple[Split, int]]]:
    """Samples to train on, and to judge by: those of a split for that, or each sixteenth."""
    others = [split for name, split in source.splits.items() if name not in _SPLITS]
    for name in _SPLITS:
        if others and len(source.splits.get(name, ())):
            return samples_of(others), samples_of([source.splits[name]])
    every = samples_of(source.splits.values())
    return [one for i, one in enumerate(every) if i % _EVERY], every[::_EVERY]


def _each(
    samples: Sequence[tuple[Split, int]], reader: Reader, reasons: list[str], make: Callable[[Tensor], Tensor]
) -> Iterator[Tensor]:
    """What `make` makes of signals `[1, C, *space]`, by threads (a source is read by one), in the order of samples."""

    def made(raw: Raw) -> Tensor:
        return make(torch.from_numpy(reader.read(raw.data, raw.name).values)[None])

    most = 2 * (os.cpu_count() or 1)
    coming: deque[Future[Tensor]] = deque()
    with Work(most // 2, "walloc-samples") as work:
        for number in range(len(samples) + most):
            try:
                if number < len(samples):
                    split, index = samples[number]
                    coming.append(work.submit(partial(made, split[index])))
                if number >= most and coming:
                    yield work.result(coming.popleft())
            except SampleError as error:
                reasons.append(str(error))


def _middle(signal: Tensor, codec: Codec) -> Tensor:
    """A signal, or of a large one the middle."""
    side = int((_VALUES / signal.shape[1]) ** (1 / codec.config.dims))
    for axis, factor in enumerate(codec.config.factors, 2):
        most = max(factor, side // factor * factor)
        if signal.shape[axis] > most:
            signal = signal.narrow(axis, (signal.shape[axis] - most) // 2, most)
    return signal.contiguous()


def _packets(signal: Tensor, codec: Codec) -> Tensor:
    """Float16 `[*grid, n]`."""
    config = codec.config
    x = pad(config.to_float(_middle(signal, codec)), config.factors)
    x = x - codec.mean.to(x).reshape(1, -1, *[1] * config.dims)
    odd = torch.zeros(1, config.dims, dtype=torch.bool)
    y = encode_linear(x, wavelet=config.wavelet, levels=config.levels, weight=None, odd=odd)
    return y[0].movedim(0, -1).half().contiguous()


def _window(packets: Sequence[Tensor], dims: int, wanted: int | None) -> tuple[int, ...]:
    """Positions a side: those asked for, or as many as half of the samples have."""
    if wanted is not None or not packets:
        return (wanted or _WINDOW[dims],) * dims
    sides = [sorted(each.shape[axis] for each in packets) for axis in range(dims)]
    return tuple(min(_WINDOW[dims], side[(len(side) - 1) // 2]) for side in sides)
