"""The losses and gradients of a step: computed, or on a GPU recorded once and replayed."""

from collections.abc import Callable, Sequence

import torch
import torch.distributed
from torch import Tensor

__all__ = ["Gradients"]

_BEFORE = 3  # steps before one is recorded, in which kernels are chosen and memory is found


class Gradients:
    """Called with a batch, it gives the losses `[k]` that `losses` gives, and leaves the gradients of the first in
    `grad` of the tensors that are `learning`.

    A GPU is done with most kernels of a step sooner than the processor has launched the next, so there all of them are
    launched as one. Batches are of one shape then, and what else `losses` reads stays where it is in memory.
    """

    def __init__(self, losses: Callable[..., Tensor], learning: Sequence[Tensor]) -> None:
        self._losses, self._learning = losses, list(learning)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._batch: list[Tensor] = []
        self._found = torch.empty(0)

    def __call__(self, *batch: Tensor) -> Tensor:
        if batch[0].device.type != "cuda":
            return self._compute(batch)
        if self._graph is None:
            self._record(batch)
        assert self._graph is not None
        for there, here in zip(self._batch, batch, strict=True):
            there.copy_(here)
        self._graph.replay()
        return self._found.clone()

    def _compute(self, batch: Sequence[Tensor]) -> Tensor:
        losses = self._losses(*batch)
        for tensor, gradient in zip(self._learning, torch.autograd.grad(losses[0], self._learning), strict=True):
            tensor.grad = gradient
        return losses.detach()

    def _record(self, batch: Sequence[Tensor]) -> None:
        self._batch = [each.clone() for each in batch]
        for _ in range(_BEFORE):
            self._compute(self._batch)
        self._graph = torch.cuda.CUDAGraph()
        # Of several processes, a thread of NCCL may ask meanwhile whether what was sent is there.
        several = torch.distributed.is_available() and torch.distributed.is_initialized()
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local" if several else "global"):
            self._found = self._compute(self._batch)
