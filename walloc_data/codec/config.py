"""What a codec is made for, and the signals it takes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from walloc_data.codec.wavelets import filter_bank, has_parity
from walloc_data.errors import CodecError

__all__ = ["RANGES", "CodecConfig"]

RANGES = {"image": (0.0, 1.0), "audio": (-1.0, 1.0)}


@dataclass(frozen=True, kw_only=True)
class CodecConfig:
    """What a codec is made for.

    `signal_channels` is C of a signal `[C, *space]`, `dims` the number of space dimensions (1 to 3),
    `levels` the levels J of the packets a dimension (so a latent stands for `2**J` samples a side),
    `kind` `"image"` (values in [0, 1]; video too) or `"audio"` (values in [-1, 1]).
    """

    name: str
    kind: str
    signal_channels: int
    dims: int
    levels: int
    wavelet: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or any(
            type(number) is not int for number in (self.signal_channels, self.dims, self.levels)
        ):  # JSON must hold them, and every machine read the same
            raise CodecError("a codec has a name of text, and whole numbers of signal_channels, dims and levels")
        if self.kind not in RANGES:
            raise CodecError(f"kind {self.kind!r} is not one of {sorted(RANGES)}")
        if not (1 <= self.dims <= 3 and 1 <= self.levels <= 12 and 1 <= self.signal_channels <= 65535):
            raise CodecError(
                f"a codec has 1 to 3 dims, 1 to 12 levels and at least one signal channel, not dims={self.dims}, "
                f"levels={self.levels}, signal_channels={self.signal_channels}"
            )
        filter_bank(self.wavelet)

    @property
    def factor(self) -> int:
        """Samples a side that one latent position stands for."""
        return int(2**self.levels)

    @property
    def packet_channels(self) -> int:
        """Channels of the packets: `C * f**dims`."""
        return int(self.signal_channels * self.factor**self.dims)

    @property
    def row_length(self) -> int:
        """Subbands that one latent channel mixes: those of its parity, or all where the wavelet has none."""
        return self.packet_channels // (2**self.dims if has_parity(self.wavelet) else 1)

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
                    + (": divide by 255, or pass uint8" if most > 2 and self.kind == "image" else "")
                )
        return x
