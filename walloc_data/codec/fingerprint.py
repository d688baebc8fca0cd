"""What makes two codecs give equal latents, as one number."""

import hashlib
import json

import torch
from torch import Tensor

from walloc_data.codec.config import CodecConfig

__all__ = ["fingerprint_of"]

# What latents depend on. Frozen: a later field counts only where it differs from its default.
_OF_LATENTS = ("dims", "kind", "levels", "offsets", "scales", "signal_channels", "wavelet")


def fingerprint_of(config: CodecConfig, *, mean: Tensor, odd: Tensor, encoder: Tensor, steps: Tensor) -> str:
    """16 hex digits of what latents depend on; of no decoder."""
    named = {name: value for name, value in config.state().items() if name in _OF_LATENTS}
    digest = hashlib.sha256(json.dumps(named, sort_keys=True).encode())
    for tensor in (mean, odd.to(torch.uint8), encoder, steps):
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:16]
