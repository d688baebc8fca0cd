"""Memory of what is computed on the way, which stays with the process."""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

__all__ = ["in_parts"]

_LARGEST = 31 << 20  # bytes; glibc learns from no block above 32 MB


def in_parts(compute: Callable[[Tensor], Tensor], x: Tensor, step: int) -> Tensor:
    """`compute(x)`, of `step` entries of a batch at a time; of all at once where gradients have to pass."""
    _keep_memory()
    if len(x) <= step or (x.requires_grad and torch.is_grad_enabled()):
        return compute(x)
    first = compute(x[:step])
    whole = first.new_empty(len(x), *first.shape[1:])
    whole[:step] = first
    for start in range(step, len(x), step):
        whole[start : start + step] = compute(x[start : start + step])
    return whole


@cache
def _keep_memory() -> None:
    """Have blocks of up to 31 MB taken from what earlier ones left, where the C library is glibc.

    It gives large blocks back to the system when they are freed, and the next one is then mapped anew, page by page,
    which takes longer than most sums over it. From the largest block that was freed it learns up to which size they
    come again: here one that is never touched. About twice as much memory stays with the process at the most.
    """
    torch.empty(_LARGEST, dtype=torch.uint8)
