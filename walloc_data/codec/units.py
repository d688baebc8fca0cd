"""Bands in units of their own: what a codec for arrays subtracts from them, and divides them by."""

import math
from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor

from walloc_data.codec.config import CodecConfig
from walloc_data.errors import CodecError

__all__ = ["with_units"]


def with_units(signals: Iterable[Tensor], config: CodecConfig, *, common_scale: bool = False) -> CodecConfig:
    """The configuration of a codec for arrays, with what batches `[B, C, *space]` say of each band.

    `offsets` are the means of the bands, `scales` their standard deviations, or with `common_scale` the root of the
    mean of their squares for all. `peaks` are the spans of what they hold, and `dtype` is that of the batches, where
    all have the same. Bands that are constant count as if they had the unit 1.

    Raises `CodecError` where there are no signals, or what the codec does not take.
    """
    bands = config.signal_channels
    count, mean, squares = 0, torch.zeros(bands, dtype=torch.float64), torch.zeros(bands, dtype=torch.float64)
    least, most = torch.full((bands,), math.inf).double(), torch.full((bands,), -math.inf).double()
    dtypes = set()
    for batch in signals:
        for one in config.to_float(batch):
            values = one.detach().cpu().flatten(1)
            low, high = values.aminmax(dim=1)
            least, most = torch.minimum(least, low.double()), torch.maximum(most, high.double())
            # Chan, Golub and LeVeque (1979): means and squares of two parts to those of both, without cancellation.
            own = values.mean(1, dtype=torch.float64)
            apart, n = own - mean, values.shape[1]
            spread = (values - own[:, None].to(values)).square().sum(1, dtype=torch.float64)
            squares += spread + apart.square() * (count * n / (count + n))
            mean += apart * (n / (count + n))
            count += n
            dtypes.add(batch.dtype)
    if not count:
        raise CodecError("there are no signals to fit")
    variances = squares / count
    if common_scale:
        variances = variances.mean().expand(bands)
    scales, peaks = variances.sqrt(), most - least
    return replace(
        config,
        offsets=_floats(mean),
        scales=_floats(torch.where(scales > 0, scales, 1.0)),
        peaks=_floats(torch.where(peaks > 0, peaks, 1.0)),
        dtype=str(dtypes.pop()).removeprefix("torch.") if len(dtypes) == 1 else None,
    )


def _floats(values: Tensor) -> tuple[float, ...]:
    """Numbers that float32 holds, as the codec computes with them."""
    return tuple(values.float().tolist())
