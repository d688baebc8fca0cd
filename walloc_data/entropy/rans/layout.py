"""How samples of one shape lie in memory while `rans` works on them, and which neighbours its kernels look at."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy.rans.context import CONTEXTS, NEAR, OTHERS, TAPS
from walloc_data.entropy.rans.lanes import WIDTH

__all__ = ["STEP", "Plan", "Shape", "Workspace", "plan_of", "shape_of", "workspace_of"]

STEP = 4  # samples that are decoded at a time: while one waits for memory, a core gets on with the others

_LINE = 128  # bytes: a cache line, and the one that the processor fetches beside it
_FOLD = 16  # rows that one space dimension is folded into


class Shape(NamedTuple):
    """How a sample's planes lie: `depth` planes of `rows` of `columns`, the last row with only `last` of them."""

    depth: int
    rows: int
    columns: int
    last: int

    @property
    def fronts(self) -> int:
        return self.columns + 2 * (self.rows - 1)

    @property
    def stride(self) -> int:
        return self.rows + 2

    @property
    def cells(self) -> int:
        """Of a skewed plane, with margins that all neighbours and a whole chunk stay within."""
        return (self.fronts + 8) * self.stride + 2 * WIDTH


def shape_of(space: tuple[int, ...]) -> Shape:
    """The `Shape` of one to three space dimensions."""
    if len(space) == 1:
        rows = max(1, min(_FOLD, space[0] // _FOLD))
        columns = -(-space[0] // rows)
        rows = -(-space[0] // columns)
        return Shape(1, rows, columns, space[0] - (rows - 1) * columns)
    depth, rows, columns = (1, *space) if len(space) == 2 else space
    return Shape(depth, rows, columns, columns)


class Plan(NamedTuple):
    """What the kernels need of a model for samples of one shape. All but `shape` are int64 arrays.

    Planes of values, errors and smoothed errors lie in one workspace of int16. `phase` is 0 for the first plane of a
    sample, then 1 and 2 by turns: planes are kept for as long as the next one looks back.
    """

    shape: tuple[int, int, int, int, int, int, int]  # Shape's fields, then fronts, stride, cells
    cells: int  # of a workspace
    planes: NDArray[np.int64]  # [phase, c, 3]: where a channel's values, errors and smoothed errors start
    watched: NDArray[np.int64]  # [c]: whether anything looks at its smoothed errors
    moved: NDArray[np.int64]  # [c]: whether it has a mean
    counts: NDArray[np.int64]  # [phase, c, 2]: taps of its mean and of its error in other planes
    offsets: NDArray[np.int64]  # [phase, c, 1 + OTHERS]: their places less the latent's own
    weights: NDArray[np.int16]  # [phase, c, TAPS]: of the mean, NEAR, the median and another plane; of the error
    biases: NDArray[np.int64]  # [phase, c, 2]: of the mean, of the error


class Workspace(NamedTuple):
    """What a kernel writes while it works; zeros to begin with, and again what margins hold afterwards."""

    space: NDArray[np.int16]
    chunk: NDArray[np.int16]
    symbols: NDArray[np.int8]
    states: NDArray[np.uint64]
    samples: NDArray[np.int64]
    bases: NDArray[np.uint64]  # by context: where its distribution is
    words: NDArray[np.uint32]  # [samples, room]: payloads


def workspace_of(plan: Plan, samples: int = 1, words: int = 0) -> Workspace:
    """A `Workspace` for so many samples of this plan at a time, and payloads of so many words.

    Behind these lie as many as a plane can take before anyone looks whether there were so many: a chunk takes one each
    two places, rounded up to four places, and one more is looked at.
    """
    _, rows, columns, _, fronts, _, _ = plan.shape
    words += rows * columns // 2 + 2 * fronts * -(-rows // WIDTH) + 1
    return Workspace(
        np.zeros(samples * plan.cells, np.int16),
        _apart(np.zeros(samples * 4 * WIDTH, np.int16)),
        _apart(np.zeros(WIDTH, np.int8)),
        _apart(np.zeros(2 * samples, np.uint64)),
        _apart(np.zeros((5, samples), np.int64)),
        _apart(np.zeros(CONTEXTS + 1, np.uint64)),
        np.zeros((samples, words), np.uint32),
    )


def _apart(array: NDArray[Any]) -> NDArray[Any]:
    """The same in cache lines of its own: two threads that write to one line wait for each other."""
    lines = np.zeros(array.nbytes + 2 * _LINE, np.uint8)
    start = -lines.ctypes.data % _LINE
    return lines[start : start + array.nbytes].view(array.dtype).reshape(array.shape)


def plan_of(shape: Shape, mean: NDArray[np.int16], error: NDArray[np.int16], references: NDArray[np.uint16]) -> Plan:
    """The `Plan` of a model: taps of weight 0 are left out, and channels that none looks at share a plane."""
    channels, stride, cells = len(mean), shape.stride, shape.cells
    used = error[:, 9:] != 0
    watched = np.zeros(channels, np.int64)
    watched[references[used]] = 1
    planes = np.zeros((3, channels, 3), np.int64)
    if shape.depth == 1:
        kept = int(watched.sum())
        slot = np.where(watched, np.cumsum(watched) - 1, kept)
        planes[..., 1], planes[..., 2] = 1, 2 + slot
        total = 3 + kept
    else:
        planes += np.arange(3) + 3 * np.arange(channels)[:, None]
        planes[1] += 3 * channels
        total = 6 * channels
        watched[:] = 1
    planes *= cells
    counts = np.zeros((3, channels, 2), np.int64)
    offsets = np.zeros((3, channels, 1 + OTHERS), np.int64)
    weights = np.zeros((3, channels, TAPS), np.int16)
    weights[..., : NEAR + 1] = mean[:, : NEAR + 1]
    weights[..., NEAR + 2 : 2 * NEAR + 2] = error[:, :NEAR]
    for phase in range(3):
        before = planes[(0, 2, 1)[phase]]
        for channel in range(channels):
            others = [(planes[phase, other, 2], error[channel, 9 + i]) for i, other in enumerate(references[channel])]
            if phase:
                others += [(before[channel, 1], error[channel, 6]), (before[channel, 2], error[channel, 7])]
                offsets[phase, channel, 0], weights[phase, channel, NEAR + 1] = before[channel, 0], mean[channel, 7]
                counts[phase, channel, 0] = mean[channel, 7] != 0
            others = [tap for tap in others if tap[1]]
            counts[phase, channel, 1] = len(others)
            for i, (offset, weight) in enumerate(others):
                offsets[phase, channel, 1 + i] = offset
                weights[phase, channel, 2 * NEAR + 2 + i] = weight
    biases = np.tile(np.stack([mean[:, 8], error[:, 8]], 1).astype(np.int64), (3, 1, 1))
    sizes = (*shape, shape.fronts, stride, cells)
    moved = np.asarray(mean.any(1), np.int64)
    return Plan(sizes, total * cells, planes, watched, moved, counts, offsets, weights, biases)
