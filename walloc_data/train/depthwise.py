"""Depthwise convolutions that learn: their gradients on a CPU, where libraries take many times as long as they need."""

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from walloc_data.codec.conv import depthwise
from walloc_data.entropy.compiled import compiled

__all__ = ["learned_depthwise"]


def learned_depthwise(x: Tensor, kernels: Tensor, bias: Tensor) -> Tensor:
    """`codec.conv.depthwise`, of kernels that learn."""
    if x.device.type != "cpu":
        return depthwise(x, kernels, bias)
    found: Tensor = _Depthwise.apply(x, kernels, bias)  # type: ignore[no-untyped-call]
    return found


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kernels: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, kernels)
        return depthwise(x, kernels, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, kernels = ctx.saved_tensors
        g, (given, trained, shifted) = gradients[0], ctx.needs_input_grad
        dims, side = x.dim() - 2, kernels.shape[-1]
        of_x = None
        if given:
            each = [[number] * dims for number in (1, side // 2, 1)]
            rows = kernels[:, None].to(g.dtype)
            of_x = torch.ops.aten.convolution_backward(
                g, x.to(g.dtype), rows, None, *each, False, [0] * dims, len(kernels), [True, False, False]
            )[0]
        of_kernels = _of_kernels(x, g, side).to(kernels) if trained else None
        return of_x, of_kernels, g.float().sum([0, *range(2, 2 + dims)]) if shifted else None


def _of_kernels(x: Tensor, g: Tensor, side: int) -> Tensor:
    """The gradient `[w, *k]` of the kernels, of inputs and gradients `[B, w, *space]`."""
    dims = x.dim() - 2
    around, last = (side // 2,) * 2, [each.detach().movedim(1, -1).float() for each in (x, g)]
    last[0] = pad(last[0], (0, 0) + around * dims)
    arrays = [each.contiguous().reshape(len(x), *(1,) * (3 - dims), *each.shape[1:]).numpy() for each in last]
    found = torch.zeros(side**dims, x.shape[1])
    _correlate(*arrays, found.reshape(*[1] * (3 - dims), *[side] * dims, -1).numpy())
    return found.T.reshape(-1, *[side] * dims)


@partial(compiled, fastmath=True)
def _correlate(x: NDArray[np.float32], g: NDArray[np.float32], found: NDArray[np.float32]) -> None:
    """Add to `found` `[*k, w]` the sums over positions of `g` `[B, *space, w]` times `x` moved by so much."""
    for b in range(g.shape[0]):
        for d in range(g.shape[1]):
            for h in range(g.shape[2]):
                for i in range(found.shape[0]):
                    for j in range(found.shape[1]):
                        for position in range(g.shape[3]):
                            here = g[b, d, h, position]
                            for k in range(found.shape[2]):
                                there, total = x[b, d + i, h + j, position + k], found[i, j, k]
                                for c in range(total.shape[0]):
                                    total[c] += here[c] * there[c]
