"""Examples to fit a codec to, as they come: arrays and tensors, one signal each; and what codec they are for."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from walloc_data.codec.config import CodecConfig
from walloc_data.codec.levels import Levels
from walloc_data.errors import CodecError

__all__ = ["Examples", "config_for", "default_levels", "refuse_small"]

_LEVELS = {1: 8, 2: 3, 3: 2}  # by dimensions of space: a latent of 256 samples, 8 x 8 pixels, or 4 x 4 x 4
_ARRAY_LEVELS = 4  # in one dimension: sensors are sampled as slowly as they may be
_VIDEO_LEVELS = (2, 3, 3)
_LOOKED_AT = 16  # examples, where floats may be of images or of sound


@dataclass(frozen=True)
class Examples:
    """Signals of numpy or torch as batches of one, `[1, C, *space]`, anew at each pass."""

    signals: Iterable[Any]
    kind: str | None  # as it was said

    def __iter__(self) -> Iterator[Tensor]:
        return (_signal(one, self.kind)[None] for one in self.signals)


def default_levels(kind: str, dims: int) -> Levels:
    """Levels of packets unless they are said: 8, 3 or 2 in 1, 2 or 3 dimensions; 4 of arrays in one, and of video 2 in
    time and 3 in space."""
    if kind == "video":
        return _VIDEO_LEVELS
    return _ARRAY_LEVELS if (kind, dims) == ("array", 1) else _LEVELS[dims]


def config_for(
    signals: Iterable[Any], *, channels: int, kind: str | None, levels: Levels | None, wavelet: str
) -> CodecConfig:
    """The configuration of a codec for signals `[C, *space]`, or images `[H, W]` or `[H, W, C]`.

    C and the dimensions are those of the first. Without a `kind`, uint16 is of arrays, and int16 too in two or three
    dimensions; int16 in one is sound, and so are floats that have one dimension of space or of which any is negative;
    all else is video in three dimensions, and images in others. `levels` are `default_levels`, unless they are given.
    Raises `CodecError` where there are no signals, or what is none.
    """
    first, negative = None, False
    for number, one in enumerate(signals):
        signal = _signal(one, kind)
        first = signal if first is None else first
        negative = negative or bool((signal.float() < 0).any())
        if number == _LOOKED_AT:
            break
    if first is None:
        raise CodecError("there are no signals to fit")
    dims = first.dim() - 1
    if kind is None:
        if first.dtype == torch.uint16 or (first.dtype == torch.int16 and dims > 1):
            kind = "array"
        else:
            kind = "audio" if dims == 1 or negative else "video" if dims == 3 else "image"
    config = CodecConfig(
        name="fitted",
        kind=kind,
        signal_channels=first.shape[0],
        dims=dims,
        levels=default_levels(kind, dims) if levels is None else levels,
        wavelet=wavelet,
    )
    return replace(config, name=f"fitted-{config.grid}c{channels}")


def refuse_small(signals: Iterable[Any], config: CodecConfig) -> None:
    """Raise `CodecError` where the first few of some batches `[B, C, *space]` are all smaller than one position."""
    longest = [0] * config.dims
    for batch in islice(signals, _LOOKED_AT):
        config.check(batch)
        longest = list(map(max, longest, batch.shape[2:]))
    for size, factor in zip(longest, config.factors, strict=True):
        if 0 < size < factor:
            raise CodecError(
                f"levels={config.levels} make positions of {' x '.join(map(str, config.factors))} samples, and signals "
                f"are of {' x '.join(map(str, longest))} at most: take levels of which 2**levels is no more than that"
            )


def _native(array: NDArray[Any]) -> NDArray[Any]:
    """An array in the byte order of this machine, which torch wants."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _signal(one: Any, kind: str | None) -> Tensor:
    """A signal `[C, *space]`; what may be an image has its channels brought in front."""
    try:
        signal = one if isinstance(one, Tensor) else torch.from_numpy(_native(np.array(one)))
    except (TypeError, ValueError) as error:
        raise CodecError(f"{type(one).__name__} is no signal: fit takes arrays and tensors [C, *space]") from error
    if signal.is_complex():
        raise CodecError(f"a signal is of real numbers, not {str(signal.dtype).removeprefix('torch.')}")
    if signal.dtype == torch.uint8 and signal.dim() == 2 and kind != "array":
        signal = signal[None]
    if (
        kind != "array"
        and not isinstance(one, Tensor)
        and signal.dim() == 3
        and signal.shape[2] in (1, 3, 4)
        and signal.shape[0] > 4
    ):
        signal = signal.movedim(2, 0)
    if not 2 <= signal.dim() <= 4 or 0 in signal.shape:
        raise CodecError(
            f"a signal is [C, *space] in one to three dimensions of space, not {list(signal.shape)}: batches need a "
            "CodecConfig"
        )
    return signal
