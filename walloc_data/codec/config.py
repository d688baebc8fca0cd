"""What a codec is made for, and the signals it takes."""

import math
from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor

from walloc_data.codec.levels import Levels, each_axis, grid_name
from walloc_data.codec.wavelets import filter_bank, has_parity, margin
from walloc_data.errors import CodecError
from walloc_data.numbers import whole_number

__all__ = ["RANGES", "CodecConfig"]

RANGES = {"image": (0.0, 1.0), "audio": (-1.0, 1.0), "video": (0.0, 1.0), "array": (-math.inf, math.inf)}
_WHOLE = {"audio": (torch.int16,), "array": (torch.uint8, torch.int16, torch.uint16)}  # dtypes; others: uint8
_WHOLE_RANGES = {str(dtype).removeprefix("torch."): torch.iinfo(dtype) for dtype in _WHOLE["array"]}
_MOST_LEVELS = 12


@dataclass(frozen=True, kw_only=True)
class CodecConfig:
    """What a codec is made for.

    `signal_channels` is C of a signal `[C, *space]`, `dims` the number of space dimensions (1 to 3),
    `levels` the levels J of the packets: one number, or one for each dimension (time, height and width of video),
    where 0 leaves a dimension as it is; a latent stands for `2**J` samples a side. `kind` is `"image"` or `"video"`
    (three dimensions), with values in [0, 1], `"audio"`, with values in [-1, 1], or `"array"`, with values in their own
    units. Of arrays, `offsets` and `scales` are what is subtracted from each band, and what it is divided by then,
    `peaks` the span that PSNR compares errors of a band with, and `dtype` what the codec was fitted to, whose range
    values keep to (None: any); `fit` finds them.
    """

    name: str
    kind: str
    signal_channels: int
    dims: int
    levels: Levels
    wavelet: str
    offsets: tuple[float, ...] = ()
    scales: tuple[float, ...] = ()
    peaks: tuple[float, ...] = ()
    dtype: str | None = None

    def __post_init__(self) -> None:
        several = isinstance(self.levels, Sequence)
        levels = tuple(self.levels) if isinstance(self.levels, Sequence) else (self.levels,)
        try:  # JSON must hold them, and every machine read the same
            numbers = [whole_number("", each, error=CodecError) for each in (self.signal_channels, self.dims, *levels)]
            if not isinstance(self.name, str):
                raise CodecError("no text")
        except CodecError as error:
            raise CodecError(
                "a codec has a name of text, and whole numbers of signal_channels, dims and levels"
            ) from error
        levels = tuple(numbers[2:])
        object.__setattr__(self, "signal_channels", numbers[0])
        object.__setattr__(self, "dims", numbers[1])
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
        self._check_units()

    def _check_units(self) -> None:
        for name in ("offsets", "scales", "peaks"):
            try:
                values = tuple(map(float, getattr(self, name)))
            except (TypeError, ValueError) as error:
                raise CodecError(f"{name} are a number for each band, not {getattr(self, name)!r}") from error
            object.__setattr__(self, name, values)  # lists, as JSON has them
            if len(values) != (self.signal_channels if self.scales else 0) or not all(map(math.isfinite, values)):
                raise CodecError(f"{name} are a finite number for each of {self.signal_channels} bands, or none at all")
            if name != "offsets" and not all(value > 0 for value in values):
                raise CodecError(f"{name} are above 0")
        if self.dtype is not None and self.dtype not in (*_WHOLE_RANGES, "float32", "float64", "float16", "bfloat16"):
            raise CodecError(f"dtype {self.dtype!r} is none that arrays are of")
        if self.kind != "array" and (self.scales or self.dtype is not None):
            raise CodecError(f"offsets, scales, peaks and dtype are of kind 'array', not {self.kind!r}")

    def state(self) -> dict[str, Any]:
        """Its fields, for JSON; those that came later only where they differ from their defaults."""
        later = {field.name: field.default for field in fields(self) if field.default is not MISSING}
        return {name: value for name, value in asdict(self).items() if value != later.get(name, MISSING)}

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
    def margin(self) -> int | tuple[int, ...]:
        """Positions at each end of latents that depend on samples beyond it; a tuple where dimensions differ."""
        margins = tuple(margin(self.wavelet, level) for level in each_axis(self.levels, self.dims))
        return margins[0] if len(set(margins)) == 1 else margins

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
        if not x.is_floating_point() and x.dtype not in _WHOLE.get(self.kind, (torch.uint8,)):
            whole = {"audio": "int16", "array": "uint8, int16, uint16"}.get(self.kind, "uint8")
            raise CodecError(f"codec {self.name!r} takes {whole} or float signals, not {x.dtype}")

    def check_latents(self, z: Tensor, channels: int, *kinds: str) -> None:
        """Raises `CodecError` for what is no latents `[..., channels, *space]` of one of `kinds`: "int8" or "float"."""
        if not isinstance(z, Tensor):
            raise CodecError(f"codec {self.name!r} takes latents as tensors, not {type(z).__name__}")
        found = "float" if z.is_floating_point() else str(z.dtype).removeprefix("torch.")
        if found not in kinds or z.dim() <= self.dims or z.shape[-self.dims - 1] != channels:
            raise CodecError(
                f"codec {self.name!r} takes latents {' or '.join(kinds)} [..., {channels}, {self.dims} space dims], "
                f"not {found} {list(z.shape)}"
            )

    def to_float(self, x: Tensor) -> Tensor:
        """Signals `[B, C, *space]` as the transform takes them: float64 stays, all else is float32.

        They are in the range of `kind`; bands of arrays have their offsets subtracted, and are divided by their scales.
        Raises `CodecError` for another shape, dtype or range.
        """
        self.check(x)
        low, high = self.range
        if not x.is_floating_point() and self.kind != "array":
            return x.to(torch.float32).div_(32768 if self.kind == "audio" else 255)
        x = x if x.dtype == torch.float64 else x.float()
        if x.numel():
            least, most = (v.item() for v in x.aminmax())
            slack = 0.0 if self.kind == "array" else 0.01 * (high - low)
            if not (low - slack <= least and most <= high + slack and math.isfinite(most - least)):
                raise CodecError(
                    f"codec {self.name!r} takes {'numbers' if self.kind == 'array' else 'floats'} in [{low:g}, "
                    f"{high:g}], and these "
                    + ("hold NaN" if math.isnan(least) else f"span [{least:g}, {most:g}]")
                    + (": divide by 255, or pass uint8" if most > 2 and self.kind in ("image", "video") else "")
                )
        return (x - self._of_bands(self.offsets, x)) / self._of_bands(self.scales, x) if self.scales else x

    def in_units(self, x: Tensor) -> Tensor:
        """The inverse of `to_float`, in place where it can: floats `[B, C, *space]` as `Codec.decode` gives them, in
        the range of `kind` and, of arrays, in their units."""
        if self.scales:
            x = x * self._of_bands(self.scales, x) + self._of_bands(self.offsets, x)
        return x.clamp_(*self.range)

    @property
    def range(self) -> tuple[float, float]:
        """The least and the largest value of a signal, as floats."""
        found = _WHOLE_RANGES.get(self.dtype or "")
        return RANGES[self.kind] if found is None else (float(found.min), float(found.max))

    def _of_bands(self, values: tuple[float, ...], like: Tensor) -> Tensor:
        return torch.tensor(values, dtype=like.dtype, device=like.device).reshape(-1, *[1] * self.dims)
