"""How torch has to compute, so that latents are the same everywhere."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch

__all__ = ["exact"]


@contextmanager
def exact(device: torch.device, *, gradients: bool = False) -> Iterator[None]:
    """Autocast off, which would compute latents in half precision, the short floats that convolutions on a GPU would
    take, and autograd where no gradient can pass."""
    casts = torch.autocast(device.type, enabled=False) if device.type in ("cpu", "cuda") else nullcontext()
    cudnn = torch.backends.cudnn
    kept = {"enabled": cudnn.enabled, "benchmark": cudnn.benchmark, "deterministic": cudnn.deterministic}
    whole = cudnn.flags(**kept, allow_tf32=False) if device.type == "cuda" else nullcontext()
    with torch.set_grad_enabled(gradients and torch.is_grad_enabled()), casts, whole:
        yield
