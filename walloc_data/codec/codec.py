"""The codec: signals to int8 latents and back."""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from walloc_data.codec.config import CodecConfig
from walloc_data.codec.decoders import Decoder, LinearDecoder, decode_by
from walloc_data.codec.exact import exact
from walloc_data.codec.fingerprint import fingerprint_of
from walloc_data.codec.fused import encode_linear
from walloc_data.codec.memory import in_parts
from walloc_data.codec.packets import spread_rows
from walloc_data.codec.padding import crop, pad
from walloc_data.codec.state import TENSORS, check_parts, network_of, parts_of, state_of, told_of
from walloc_data.codec.wavelets import has_parity
from walloc_data.errors import CodecError
from walloc_data.numbers import is_number

__all__ = ["LATENT_MAX", "Codec"]

LATENT_MAX = 127  # -128 is left out, so that every latent has a negative
_CHUNK = 1 << 19  # samples encoded at a time, so that they stay in cache


class Codec:
    """A signal `[B, C, *space]` to latents `int8 [B, c, *space / f]` and back.

    `latents = round(A @ packets(x - mean) / steps)`, `x = inverse_packets(D @ (latents * steps)) + mean`, to whose
    packets a `network` may add (`decoders.DECODERS`).
    Made by `fit`, `load_codec` or `Codec.from_state`. Constants follow the device of what is passed.
    """

    def __init__(
        self,
        config: CodecConfig,
        *,
        mean: Tensor,
        odd: Tensor,
        encoder: Tensor,
        decoder: Tensor,
        steps: Tensor,
        scale: float,
        network: Decoder | None = None,
    ) -> None:
        """`mean` is `[C]`; `odd` bool `[c, dims]`, the axes whose reversal negates a channel; `encoder` and
        `decoder` (transposed) `[c, n]` over the `config.row_length` subbands of a channel's parity; `steps` `[c]`."""
        parts = {"mean": mean, "odd": odd, "encoder": encoder, "decoder": decoder, "steps": steps}
        check_parts(config, parts, scale)
        self.config = config
        # Copies: two of them may be one tensor of the caller's, which safetensors would not save.
        self.mean, self.encoder, self.decoder, self.steps = (
            t.detach().to("cpu", torch.float32, copy=True).contiguous() for t in (mean, encoder, decoder, steps)
        )
        self.odd = odd.detach().to("cpu", torch.bool, copy=True).contiguous()
        self.scale = float(np.float32(scale))
        self.network: Decoder = network or LinearDecoder()
        self._cache: dict[tuple[str, torch.device, torch.dtype], Tensor] = {}

    def __repr__(self) -> str:
        return f"Codec({self.name!r}, fingerprint={self.fingerprint})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": {}}

    @property
    def name(self) -> str:
        """For people: a zoo name such as `rgb-f8c12`, or what the fit was told."""
        return self.config.name

    @property
    def channels(self) -> int:
        """Channels c of the latents."""
        return len(self.steps)

    @property
    def factor(self) -> int | tuple[int, ...]:
        """Samples a side that one latent position stands for; a tuple where they differ by dimension."""
        return self.config.factor

    @property
    def margin(self) -> int | tuple[int, ...]:
        """Positions at each end of a slice of latents that depend on what lies beyond; a tuple where dimensions differ.

        All others are the latents of that part of the signal, if it begins and ends at multiples of the factor from
        where the padded signal does (but for values on a rounding tie); and decode to that part of what all decode to.

        >>> from walloc_data import load_codec
        >>> codec, image = load_codec("rgb-f8c12"), torch.rand(1, 3, 256, 8, dtype=torch.float64)
        >>> part, k = codec.encode(image[:, :, 64:192]), codec.margin
        >>> k, bool((part[:, :, k:-k] == codec.encode(image)[:, :, 8 + k : 24 - k]).all())
        (7, True)
        """
        margin, reach = self.config.margin, self.network.reach
        return tuple(each + reach for each in margin) if isinstance(margin, tuple) else margin + reach

    @property
    def parity(self) -> Tensor:
        """Bool `[c, dims]`: reversing axis `i` of a signal reverses the latents and negates channels where `[:, i]`.

        Raises `CodecError` for a codec whose wavelet has no such property.
        """
        if not has_parity(self.config.wavelet):
            raise CodecError(
                f"codec {self.name!r} uses the wavelet {self.config.wavelet!r}, whose packets of a reversed signal "
                "are not the reversed packets: its latents cannot be flipped. Use a codec with an even symmetric "
                "wavelet ('10/18', 'rbio1.3', 'haar'), or flip the signal before encoding."
            )
        return self.odd

    @property
    def fingerprint(self) -> str:
        """16 hex digits; equal for two codecs that give equal latents (the decoder does not count)."""
        return fingerprint_of(self.config, mean=self.mean, odd=self.odd, encoder=self.encoder, steps=self.steps)

    def latent_shape(self, size: Sequence[int]) -> tuple[int, ...]:
        """Shape `(c, *space / f)` of the latents of a signal of `size`, which is padded to a multiple of f.

        Raises `CodecError` for a size of another number of dimensions.
        """
        if len(size) != self.config.dims:
            raise CodecError(f"codec {self.name!r} is for {self.config.dims} dimensions, not a size of {len(size)}")
        return (self.channels, *[-(-n // factor) for n, factor in zip(size, self.config.factors, strict=True)])

    def coarser(self, times: float) -> "Codec":
        """The codec with steps `times` as large, named like `rgb-f8c48x4`: about a bit a latent less for each doubling.

        Raises `CodecError` for less than 1, where latents would leave int8.

        >>> from walloc_data import load_codec
        >>> load_codec("rgb-f8c48").coarser(4).name
        'rgb-f8c48x4'
        """
        if not (is_number(times) and times >= 1):
            raise CodecError(f"coarser({times}): steps are multiplied by a number from 1 on")
        if times == 1:
            return self
        return self._changed(f"{self.name}x{times:g}", steps=self.steps * times)

    def prefix(self, channels: int) -> "Codec":
        """The codec of the first `channels` of this one's: a coarser one of its own, named like `rgb-f8c48:12`.

        Its latents are the first channels of this one's, and are dequantised to the same floats; its decoder is linear.
        Raises `CodecError` for a number that is not from 1 to `channels` of this codec.

        >>> from walloc_data import load_codec
        >>> load_codec("rgb-f8c48").prefix(12).channels
        12
        """
        try:
            count = operator.index(channels)
        except TypeError:
            count = 0
        if not 1 <= count <= self.channels:
            raise CodecError(
                f"codec {self.name!r} has {self.channels} channels: take 1 to {self.channels}, not {channels!r}"
            )
        if count == self.channels:
            return self
        cut = {name: getattr(self, name)[:count] for name in ("odd", "encoder", "decoder", "steps")}
        return self._changed(f"{self.name}:{count}", **cut, network=None)

    def with_decoder(self, other: "Codec") -> "Codec":
        """This codec with the decoder of another: its latents, name and fingerprint stay.

        Raises `CodecError` for a codec whose latents are others.
        """
        if other.fingerprint != self.fingerprint:
            raise CodecError(
                f"the decoder of codec {other.name!r} (fingerprint {other.fingerprint}) is of other latents than those "
                f"of {self.name!r} ({self.fingerprint}): only a decoder that was trained for these can read them"
            )
        return self._changed(self.name, decoder=other.decoder, network=other.network)

    def encode(self, x: Tensor) -> Tensor:
        """Signals `[B, C, *space]` of any size to latents `int8 [B, c, *ceil(space / f)]` in [-127, 127].

        `x` is uint8 (audio: int16; arrays: also int16 and uint16), or float in the range of the codec's kind. float64
        is computed in float64, all else in float32. Sizes that are no multiple of f are padded symmetrically. Raises
        `CodecError` for another shape, dtype or range.
        """
        self.config.check(x)
        if not len(x):
            return x.new_empty(0, *self.latent_shape(x.shape[2:]), dtype=torch.int8)
        with exact(x.device):
            return in_parts(self._encode, x, self.at_once(x.shape[1:]))

    def at_once(self, shape: Sequence[int]) -> int:
        """How many signals `[C, *space]` `encode` computes at a time: those of a larger batch follow one another."""
        return max(1, _CHUNK // max(1, math.prod(shape)))

    def _encode(self, x: Tensor) -> Tensor:
        begin = self._centred if x.dtype == torch.uint8 else None  # clips of bytes are folded before
        x = pad(self._centred(x) if begin is None else x, self.config.factors)
        like = x.new_empty(0, dtype=torch.float64 if x.dtype == torch.float64 else torch.float32)
        weight = self._constant("encode", like, lambda: self.encoder.double() / self.steps.double()[:, None])
        levels, wavelet = self.config.levels, self.config.wavelet
        y = encode_linear(x, wavelet=wavelet, levels=levels, weight=weight, odd=self.odd, begin=begin)
        return y.round_().clamp_(-LATENT_MAX, LATENT_MAX).to(torch.int8)

    def _centred(self, x: Tensor) -> Tensor:
        """Signals as the transform takes them: floats, the mean of each channel subtracted."""
        given, x = x, self.config.to_float(x)
        mean = self._constant("mean", x, lambda: self.mean).reshape(-1, *[1] * self.config.dims)
        return x - mean if x.data_ptr() == given.data_ptr() else x.sub_(mean)  # large ones take as long to allocate

    def dequantize(self, z: Tensor) -> Tensor:
        """Latents `int8 [..., c, *space]`, batched or not, to float32 of about unit variance over all channels.

        One scale for all channels: distances stay those of the signal and small channels stay small.
        """
        self.config.check_latents(z, self.channels, "int8")
        return z * self._scaled(z.new_empty(0, dtype=torch.float32))

    def quantize(self, f: Tensor) -> Tensor:
        """The inverse of `dequantize`: floats `[..., c, *space]`, as a model predicts them, to the nearest int8.

        What lies beyond [-127, 127] becomes the end of it. Raises `CodecError` for another shape or dtype, and for NaN.
        """
        self.config.check_latents(f, self.channels, "float")
        exact = f.detach() if f.dtype == torch.float64 else f.detach().float()
        if bool(exact.isnan().any()):
            raise CodecError(f"codec {self.name!r}: NaN cannot be quantised")
        return (exact / self._scaled(exact)).round_().clamp_(-LATENT_MAX, LATENT_MAX).to(torch.int8)

    def decode(self, z: Tensor, size: Sequence[int] | None = None) -> Tensor:
        """Latents `[B, c, *space]` to signals, float32 `[B, C, *size]` in the range of the codec's kind.

        `z` is int8, or float as `dequantize` gives it and a model predicts it: then gradients pass, but where the
        signal leaves its range, and float64 gives float64. `size` crops what padding added; without it the signal has
        `f` samples a latent position. Raises `CodecError` for latents of another shape or dtype, or a size that was
        not padded to theirs.
        """
        self.config.check_latents(z, self.channels, "int8", "float")
        config, stored = self.config, z.dtype == torch.int8
        if z.dim() != config.dims + 2:
            raise CodecError(f"decode takes a batch [B, {self.channels}, *space], not shape {tuple(z.shape)}")
        signal = (config.signal_channels, *map(operator.mul, z.shape[2:], config.factors))
        step = self.at_once(signal) if config.dims < 3 else len(z)  # clips go by frames
        with exact(z.device, gradients=not stored):
            return crop(in_parts(partial(self._decode, stored=stored), z, step), size, config.factors)

    def _decode(self, z: Tensor, *, stored: bool) -> Tensor:
        floats = z if z.dtype == torch.float64 else z.float()
        config, name = self.config, "decode" if stored else "synthesize"
        matrix = self._constant(name, floats, partial(self._dense_decoder, stored=stored))
        mean = self._constant("mean", floats, lambda: self.mean).reshape(-1, *[1] * config.dims)
        latents, form = partial(self._unscaled, floats, stored=stored), (config.wavelet, config.levels)
        return decode_by(self.network, latents, floats, matrix, *form, finish=lambda x: config.in_units(x.add_(mean)))

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and metadata (of JSON values) for a safetensors file, the inverse of `from_state`."""
        tensors = {name: getattr(self, name) for name in TENSORS}
        return state_of(tensors, {**self.config.state(), "scale": self.scale}, self.network)

    @classmethod
    def from_state(cls, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], *, origin: str) -> "Codec":
        """A codec of what `state` gave; `origin` names the file in errors (`CodecError`)."""
        with told_of(origin):
            parts, config, scale = parts_of(tensors, metadata)
            codec = cls(CodecConfig(**config), scale=scale, **parts)
            codec.network = network_of(tensors, metadata, codec.config, channels=codec.channels)
            return codec

    def _changed(self, name: str, **changes: Any) -> "Codec":
        parts = {part: getattr(self, part) for part in (*TENSORS, "scale", "network")}
        return Codec(replace(self.config, name=name), **{**parts, **changes})

    def _constant(self, name: str, like: Tensor, make: Callable[[], Tensor]) -> Tensor:
        key = (name, like.device, like.dtype)
        if key not in self._cache:
            with torch.inference_mode(mode=False):  # or no gradient could pass what was first used there
                self._cache[key] = make().to(like.device, like.dtype).contiguous()
        return self._cache[key]

    def _scaled(self, like: Tensor) -> Tensor:
        """What a latent of 1 is dequantised to, `[c, 1, ...]`."""
        return self._constant("scaled", like, lambda: self.steps * self.scale).reshape(-1, *[1] * self.config.dims)

    def _unscaled(self, f: Tensor, *, stored: bool) -> Tensor:
        """Latents as they are `stored` or dequantised, in the units of the encoder, which no scale changes."""
        if not stored:
            return f / self.scale
        return f * self._constant("steps", f, lambda: self.steps).reshape(-1, *[1] * self.config.dims)

    def _dense_decoder(self, *, stored: bool) -> Tensor:
        """Float64 `[packets, c]`, for latents as they are `stored` or dequantised: the compact rows, spread."""
        rows, config = self.decoder.double(), self.config
        dense = spread_rows(rows, self.odd, config.signal_channels, config.levels, wavelet=config.wavelet)
        return (dense * self.steps.double()[:, None] if stored else dense / self.scale).T
