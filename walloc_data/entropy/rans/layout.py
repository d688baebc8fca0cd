"""How samples of one shape lie in memory while `rans` works on them, and which neighbours its kernels look at."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy.rans.context import REFERENCES, TOP
from walloc_data.entropy.rans.lanes import WIDTH

__all__ = ["Plan", "Shape", "Workspace", "error_bound", "plan_of", "shape_of", "workspace_of"]

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


def error_bound(weights: NDArray[Any]) -> int:
    """The largest sum that error weights, int `[..., 9 + 2 * REFERENCES]`, can reach; lanes hold 31 bits."""
    reach = np.array([TOP] * 7 + [9 * TOP, 32] + [TOP] * REFERENCES + [9 * TOP] * REFERENCES, np.int64)
    return int((np.abs(weights.astype(np.int64)) @ reach).max())


class Plan(NamedTuple):
    """What the kernels need of a model for samples of one shape. All but `shape` are int64 arrays.

    Planes of values, errors and 3x3 sums of errors lie in one workspace of int16. `phase` is 0 for the first plane of a
    sample, then 1 and 2 by turns: planes are kept for as long as the next one looks back.
    """

    shape: tuple[int, int, int, int, int, int, int]  # Shape's fields, then fronts, stride, cells
    sums: int  # where scratch of a plane starts in the workspace, after all planes
    planes: NDArray[np.int64]  # [phase, c, 3]: where a channel's values, errors and sums start
    boxed: NDArray[np.int64]  # [c]: whether anything looks at its sums
    counts: NDArray[np.int64]  # [phase, c, 2]: taps of its mean and of its error
    offsets: NDArray[np.int64]  # [phase, c, 8 + 16]: a tap's place less the latent's own; means, then errors
    weights: NDArray[np.int64]  # [phase, c, 8 + 16]
    biases: NDArray[np.int64]  # [c, 3]: of the mean, of the error, and the weight of the median


class Workspace(NamedTuple):
    """What a kernel writes while it works; zeros to begin with, and again what margins hold afterwards."""

    space: NDArray[np.int16]
    chunk: NDArray[np.int32]
    symbols: NDArray[np.int8]


def workspace_of(plan: Plan) -> Workspace:
    """A `Workspace` for samples of this plan, one at a time."""
    cells = plan.sums + plan.shape[6]
    return Workspace(np.zeros(cells, np.int16), np.zeros(4 * WIDTH, np.int32), np.zeros(WIDTH, np.int8))


def plan_of(shape: Shape, mean: NDArray[np.int16], error: NDArray[np.int16], references: NDArray[np.uint16]) -> Plan:
    """The `Plan` of a model: taps of weight 0 are left out, and channels that none looks at share a plane."""
    channels, stride, cells = len(mean), shape.stride, shape.cells
    used = (error[:, 9:13] != 0) | (error[:, 13:] != 0)
    watched = np.zeros(channels, np.int64)
    watched[references[used]] = 1
    planes = np.zeros((3, channels, 3), np.int64)
    if shape.depth == 1:
        kept = int(watched.sum())
        slot = np.where(watched, np.cumsum(watched) - 1, kept)
        planes[..., 1], planes[..., 2] = 1 + slot, 2 + kept + slot
        total = 3 + 2 * kept
        boxed = watched
    else:
        planes += np.arange(3) + 3 * np.arange(channels)[:, None]
        planes[1] += 3 * channels
        total = 6 * channels
        boxed = np.ones(channels, np.int64)
    planes *= cells
    near = np.array([-stride, -2 * stride - 1, -stride - 1, -3 * stride - 1, -2 * stride, -4 * stride - 2])
    counts = np.zeros((3, channels, 2), np.int64)
    offsets = np.zeros((3, channels, 24), np.int64)
    weights = np.zeros((3, channels, 24), np.int64)
    for phase in range(3):
        before = planes[(0, 2, 1)[phase]]
        for channel in range(channels):
            values, errors, _ = planes[phase, channel]
            first = [(values + near[tap], mean[channel, tap]) for tap in range(6)]
            second = [(errors + near[tap], error[channel, tap]) for tap in range(6)]
            for i, other in enumerate(references[channel]):
                second.append((planes[phase, other, 1], error[channel, 9 + i]))
                second.append((planes[phase, other, 2], error[channel, 13 + i]))
            if phase:
                first.append((before[channel, 0], mean[channel, 7]))
                second += [(before[channel, 1], error[channel, 6]), (before[channel, 2], error[channel, 7])]
            for part, (start, taps) in enumerate(((0, first), (8, second))):
                kept_taps = [tap for tap in taps if tap[1]]
                counts[phase, channel, part] = len(kept_taps)
                for i, (offset, weight) in enumerate(kept_taps):
                    offsets[phase, channel, start + i] = offset
                    weights[phase, channel, start + i] = weight
    biases = np.stack([mean[:, 8], error[:, 8].astype(np.int64) * 32, mean[:, 6]], 1).astype(np.int64)
    sizes = (*shape, shape.fronts, stride, cells)
    return Plan(sizes, total * cells, planes, boxed, counts, offsets, weights, biases)
