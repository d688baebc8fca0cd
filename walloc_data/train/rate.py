"""How many bits latents will take, as something that gradients pass."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, avg_pool2d, avg_pool3d, pad

__all__ = ["laplace_bits"]

_POOLS = {1: avg_pool1d, 2: avg_pool2d, 3: avg_pool3d}
_ALIKE = 2.0  # how many neighbours the mean of a channel counts as
_LEAST = 0.03  # of a scale; rarer latents cost more bits than a coder's tables would say


def laplace_bits(z: Tensor) -> Tensor:
    """Bits of latents `[B, c, *space]`, whole or with noise, each under a Laplace distribution rounded to integers.

    Its scale is the mean magnitude of the latents around a position, drawn towards that of the sample's channel: much
    like the contexts of the coder `rans`, but looking to all sides. Noise stands for rounding as in Balle et al.,
    "End-to-end optimized image compression" (2017).
    """
    size, dims = z.abs(), z.dim() - 2
    count = 3**dims - 1
    around = _POOLS[dims](pad(size, (1, 1) * dims, mode="replicate"), 3, stride=1) * (count + 1) - size
    channel = size.mean(list(range(2, z.dim())), keepdim=True)
    scale = (around + _ALIKE * channel) / (count + _ALIKE) + _LEAST
    # The mass of [z - 1/2, z + 1/2], on both sides of the peak or on one; where it is tiny, by its logarithm.
    inner = 1 - ((-(0.5 - size).clamp_min(0) / scale).exp() + (-(0.5 + size) / scale).exp()) / 2
    outer = -(size - 0.5) / scale + (-torch.expm1(-1 / scale) / 2).log()
    nats: Tensor = -torch.where(size < 0.5, inner.clamp_min(1e-9).log(), outer)
    return nats / 0.6931471805599453
