"""What a codec is made for, and the signals it takes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from walloc_data.codec.levels import Levels, each_axis, grid_name
from walloc_data.codec.wavelets import filter_bank, has_parity
from walloc_data.errors import CodecError

__all__ = ["RANGES", "CodecConfig"]

RANGES = {"image": (0.0, 1.0), "audio": (-1.0, 1.0), "video": (0.0, 1.0)}
_MOST_LEVELS = 12


@dataclass(frozen=True, kw_only=True)
class CodecConfig:
    """What a codec is made for.

    `signal_channels` is C of a signal `[C, *space]`, `dims` the number of space dimensions (1 to 3),
    `levels` the levels J of the packets: one number, or one for each dimension (time, height and width of video),
    where 0 leaves a dimension as it is; a latent stands for `2**J` samples a side. `kind` is `"image"` or `"video"`
    (three dimensions), with values in [0, 1], or `"audio"`, with values in [-1, 1].
    """

    name: str
    kind: str
    signal_channels: int
    dims: int
    levels: Levels
    wavelet: str

    def __post_init__(self) -> None:
        several = isinstance(self.levels, Sequence)
        levels = tuple(self.levels) if isinstance(self.levels, Sequence) else (self.levels,)
        if not isinstance(self.name, str) or any(
            type(number) is not int for number in (self.signal_channels, self.dims, *levels)
        ):  # JSON must hold them, and every machine read the same
            raise CodecError("a codec has a name of text, and whole numbers of signal_channels, dims and levels")
        if self.kind not in RANGES:
            raise CodecError(f"kind {self.kind!r} is not one of {sorted(RANGES)}")
        if not (
            1 <= self.dims <= 3
            and 1 <= self.signal_channels <= 65535
            and (len(levels) == self.dims or not several)
            and 1 <= max(levels) <= _MOST_LEVELS
            and min(levels) >= 0
        ):
            raise CodecError(
                f"a codec has 1 to 3 dims, 1 to {_MOST_LEVELS} levels (one number, or one for each dimension, not all "
                f"0) and at least one signal channel, not dims={self.dims}, levels={self.levels}, "
                f"signal_channels={self.signal_channels}"
            )
        if self.kind == "video" and self.dims != 3:
            raise CodecError(f"video has 3 dims (time, height and width), not {self.dims}")
        # One form for what is the same: files and fingerprints hold it.
        object.__setattr__(self, "levels", levels[0] if len(set(levels)) == 1 else levels)
        filter_bank(self.wavelet)

    @property
    def factors(self) -> tuple[int, ...]:
        """Samples a side that one latent position stands for, for each dimension."""
        return tuple(2**level for level in each_axis(self.levels, self.dims))

    @property
    def factor(self) -> int | tuple[int, ...]:
        """`factors` as one number, where all are equal."""
        factors = self.factors
        return factors[0] if len(set(factors)) == 1 else factors

    @property
    def grid(self) -> str:
        """`factors` as a codec's name has them, such as `f8` or `t4f8`."""
        return grid_name(self.factors)

    @property
    def packet_channels(self) -> int:
        """Channels of the packets: C times the samples that one latent position stands for."""
        return self.signal_channels * math.prod(self.factors)

    @property
    def row_length(self) -> int:
        """Subbands that one latent channel mixes: those of its parity, or all where the wavelet has none."""
        halved = sum(factor > 1 for factor in self.factors) if has_parity(self.wavelet) else 0
        return self.packet_channels >> halved

    def check(self, x: Tensor) -> None:
        """Raises `CodecError` for what is no tensor of signals `[B, C, *space]`, or of another dtype."""
        if not isinstance(x, Tensor):
            raise CodecError(f"codec {self.name!r} takes tensors, not {type(x).__name__}")
        if x.dim() != self.dims + 2 or x.shape[1] != self.signal_channels or 0 in x.shape[2:]:
            raise CodecError(
                f"codec {self.name!r} takes signals [B, {self.signal_channels}, {self.dims} space dims], "
                f"not {list(x.shape)}"
            )
        if not x.is_floating_point() and x.dtype != (torch.int16 if self.kind == "audio" else torch.uint8):
            raise CodecError(f"codec {self.name!r} takes uint8 (audio: int16) or float signals, not {x.dtype}")

    def to_float(self, x: Tensor) -> Tensor:
        """Signals `[B, C, *space]` as floats in the range of `kind`: float64 stays, all else is float32.

        Raises `CodecError` for another shape, dtype or range.
        """
        self.check(x)
        low, high = RANGES[self.kind]
        if not x.is_floating_point():
            return x.to(torch.float32) / (32768 if self.kind == "audio" else 255)
        x = x if x.dtype == torch.float64 else x.float()
        if x.numel():
            least, most = (v.item() for v in x.aminmax())
            slack = 0.01 * (high - low)
            if not (low - slack <= least and most <= high + slack):
                raise CodecError(
                    f"codec {self.name!r} takes floats in [{low:g}, {high:g}], and these span [{least:g}, {most:g}]"
                    + (": divide by 255, or pass uint8" if most > 2 and self.kind != "audio" else "")
                )
        return x
