"""Codecs of the package `walloc`: the first WaLLoC, as its authors trained it."""

import copy
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from walloc_data.codec.codec import Codec
from walloc_data.codec.config import CodecConfig
from walloc_data.codec.exact import exact
from walloc_data.codec.fused import encode_linear, synthesize_fast
from walloc_data.codec.original.architecture import Architecture
from walloc_data.codec.original.decoder import OriginalDecoder
from walloc_data.codec.original.placed import Placed
from walloc_data.codec.padding import crop, pad
from walloc_data.codec.state import told_of
from walloc_data.errors import CodecError
from walloc_data.numbers import is_number

__all__ = ["OriginalCodec"]

_WAVELET = "bior4.4"
_KINDS = {1: "audio", 2: "image"}
_RANGES = {"audio": (0.0, 0.5), "image": (0.5, 1.0)}  # what is subtracted from a signal, and what it is multiplied by
_SPREAD = 1.85  # the largest latent is so many of the encoder's standard deviations, as that package has it
_TAIL = 1e-4  # of a normal distribution, at each end: no latent is decoded to what lies further out
_LEAST, _MOST = -128, 127
_PREFIX = "original."
_OF_LATENTS = ("dims", "channels", "J", "latent_dim", "latent_bits", "lightweight_encode")  # frozen


class OriginalCodec(Codec):
    """A codec of the package `walloc` (1.2), with the weights of one of its checkpoints.

    `latents = round(b * erf(y / sqrt(2)))` of `y = encoder(packets) / s`: each stands for the same share of a normal
    distribution, b is nearly the largest that the bits of a latent hold, and s what the package has for these bits.
    `dequantize` gives y, and `decode` makes packets of s * y by a deep network. There is no linear decoder, so prefixes
    of channels are refused.

    Signals are in the ranges that they have everywhere else here, and are brought to [-0.5, 0.5], as the package wants
    them. Of sound, it lets a column that no signal changes precede and follow what a linear encoder gives; these are
    not stored, but put back by `decode`.
    """

    KIND: ClassVar[str] = "walloc-original"  # in files
    network: OriginalDecoder

    def __init__(
        self, name: str, architecture: Architecture, tensors: Mapping[str, Tensor], *, times: float = 1.0
    ) -> None:
        """`tensors` are named as in checkpoints, and quantised `times` as coarsely as there.

        Raises `CodecError` for tensors that are not those of the architecture.
        """
        architecture.check(tensors)
        self.config = CodecConfig(
            name=name,
            kind=_KINDS[architecture.dims],
            signal_channels=architecture.channels,
            dims=architecture.dims,
            levels=architecture.J,
            wavelet=_WAVELET,
        )
        self.architecture, self.times = architecture, _coarse(times)
        self.network = OriginalDecoder(architecture, tensors)
        self._encoder = Placed(architecture.modules(tensors, "encoder").float())
        self._unit = (2 ** (architecture.latent_bits - 1) - 1) / _SPREAD
        self._cache = {}

    @property
    def _bound(self) -> float:
        """What latents come near to before they are rounded."""
        return float(2 ** (self.architecture.latent_bits - 1) - 0.501) / self.times

    @property
    def channels(self) -> int:
        """Channels c of the latents."""
        return self.architecture.latent_dim

    @property
    def fingerprint(self) -> str:
        """16 hex digits; equal for two codecs that give equal latents (the decoder does not count)."""
        settings = self.architecture.state()
        named = {"kind": self.KIND, "times": self.times, **{name: settings[name] for name in _OF_LATENTS}}
        digest = hashlib.sha256(json.dumps(named, sort_keys=True).encode())
        for _, tensor in sorted(self._encoder.modules.state_dict().items()):
            digest.update(tensor.numpy().tobytes())
        return digest.hexdigest()[:16]

    def latent_shape(self, size: Sequence[int]) -> tuple[int, ...]:
        """Shape of the latents of a signal of `size`: of sound, a convolutional encoder gives two positions more."""
        channels, *space = super().latent_shape(size)
        return (channels, *[n + 2 * self.architecture.ends for n in space])

    def coarser(self, times: float) -> "OriginalCodec":
        """The codec with `times` fewer latents to tell apart, named like `RGB_16x:x2`; 1 leaves it as it is.

        Raises `CodecError` for less than 1.
        """
        return self if times == 1 else self._changed(f"{self.name}:x{times:g}", times=self.times * _coarse(times))

    def prefix(self, channels: int) -> "OriginalCodec":
        """This codec, for all of its channels; raises `CodecError` for fewer, which nothing decodes."""
        if channels != self.channels:
            raise CodecError(
                f"codec {self.name!r} has no prefix of {channels!r} channels: its {self.channels} channels are in no "
                "order, and its decoder wants all; a codec of the zoo, or one of walloc fit, has prefixes"
            )
        return self

    def with_decoder(self, other: Codec) -> "OriginalCodec":
        """This codec with the decoder of another: its latents, name and fingerprint stay.

        Raises `CodecError` for a codec whose latents are others.
        """
        if not isinstance(other, OriginalCodec) or other.fingerprint != self.fingerprint:
            raise CodecError(
                f"the decoder of codec {other.name!r} (fingerprint {other.fingerprint}) is of other latents than those "
                f"of {self.name!r} ({self.fingerprint}): only a decoder that was trained for these can read them"
            )
        return self._changed(self.name, network=other.network)

    def dequantize(self, z: Tensor) -> Tensor:
        """Latents `int8 [..., c, *space]`, batched or not, to what the encoder gave, in float32 of about unit variance.

        One scale for all channels: distances stay those of what the encoder gave.
        """
        self.config.check_latents(z, self.channels, "int8")
        return self._looked_up(z, z.new_empty(0, dtype=torch.float32))

    def quantize(self, f: Tensor) -> Tensor:
        """The inverse of `dequantize`: floats `[..., c, *space]`, as a model predicts them, to the nearest int8.

        Raises `CodecError` for another shape or dtype, and for NaN.
        """
        self.config.check_latents(f, self.channels, "float")
        exact = f.detach() if f.dtype == torch.float64 else f.detach().float()
        if bool(exact.isnan().any()):
            raise CodecError(f"codec {self.name!r}: NaN cannot be quantised")
        return self._rounded(exact)

    def decode(self, z: Tensor, size: Sequence[int] | None = None) -> Tensor:
        """As any codec: latents, int8 or float, to signals `[B, C, *size]` in the range of the codec's kind."""
        self.config.check_latents(z, self.channels, "int8", "float")
        stored, config = z.dtype == torch.int8, self.config
        if z.dim() != config.dims + 2:
            raise CodecError(f"decode takes a batch [B, {self.channels}, *space], not shape {tuple(z.shape)}")
        with exact(z.device, gradients=not stored):
            f = self.dequantize(z) if stored else z if z.dtype == torch.float64 else z.float()
            if config.dims == 1 and not self.architecture.ends:
                end = self._looked_up(self._rounded(self._bias(f) / self._unit), f).expand(len(f), -1, -1)
                f = torch.cat([end, f, end], -1)
            packets = self.network.detail(lambda: f * self._unit)[:, self._places()]
            x = synthesize_fast(packets, wavelet=config.wavelet, levels=config.levels)
            offset, gain = _RANGES[config.kind]
            x = config.in_units(self.network.filtered(x) / gain + offset)
            return crop(x, size, config.factors)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors, those of the decoder in half precision, and metadata for a safetensors file."""
        decoder, settings = self.network.state()
        tensors = {_PREFIX + name: tensor for name, tensor in {**self._encoder.modules.state_dict(), **decoder}.items()}
        codec = {**settings, "name": self.name, "times": self.times}
        return tensors, {"kind": self.KIND, "version": 1, "codec": codec}

    @classmethod
    def from_state(cls, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], *, origin: str) -> "OriginalCodec":
        """A codec of what `state` gave; `origin` names the file in errors (`CodecError`)."""
        with told_of(origin):
            if metadata.get("version") != 1:
                raise CodecError(
                    f"it is an original codec of version {metadata.get('version')}, and this walloc_data reads version "
                    "1: upgrade walloc_data"
                )
            settings = dict(metadata["codec"])
            own = {name.removeprefix(_PREFIX): each for name, each in tensors.items() if name.startswith(_PREFIX)}
            architecture = Architecture.of(settings, dims=settings["dims"])
            return cls(settings["name"], architecture, own, times=settings["times"])

    def _encode(self, x: Tensor) -> Tensor:
        config, (offset, gain) = self.config, _RANGES[self.config.kind]
        x = pad((config.to_float(x) - offset) * gain, config.factors)
        odd, linear = torch.zeros(self.channels, config.dims).bool(), self.architecture.lightweight_encode
        weight = self._constant("weight", x, self._weight) if linear else None
        y = encode_linear(x, wavelet=config.wavelet, levels=config.levels, weight=weight, odd=odd)
        y = y + self._bias(x) if linear else self._encoder("encoder", y[:, self._order()])
        return self._rounded(y / self._unit)

    def _rounded(self, y: Tensor) -> Tensor:
        return (self._bound * torch.erf(y / math.sqrt(2))).round_().to(torch.int8)

    def _looked_up(self, z: Tensor, like: Tensor) -> Tensor:
        """What int8 latents stand for, in the dtype of another tensor."""
        floats: Tensor = self._constant("table", like, self._table)[z.long() - _LEAST]
        return floats

    def _table(self) -> Tensor:
        shares = torch.arange(_LEAST, _MOST + 1, dtype=torch.float64) / (2 * self._bound) + 0.5
        table: Tensor = torch.special.ndtri(shares.clamp(_TAIL, 1 - _TAIL))
        return table

    def _bias(self, like: Tensor) -> Tensor:
        """What a linear encoder gives where there is nothing, `[c, 1, ...]`."""
        bias = self._constant("bias", like, lambda: self._encoder.modules.state_dict()["encoder.0.bias"])
        return bias.reshape(-1, *[1] * self.config.dims)

    def _weight(self) -> Tensor:
        """The linear encoder `[c, n]`, over packets in our order."""
        weight: Tensor = self._encoder.modules.state_dict()["encoder.0.weight"]
        return weight.flatten(1)[:, self._places()]

    def _order(self) -> Tensor:
        """Which of our packets is that of each place in a checkpoint.

        There, level by level is split, each along the last axis before the one in front of it; here, axis by axis.
        """
        architecture = self.architecture
        levels, dims = architecture.J, architecture.dims
        ours = torch.arange(architecture.packets).reshape(architecture.channels, *[2] * (levels * dims))
        return ours.permute(
            0, *[axis * levels + level for level in range(1, levels + 1) for axis in reversed(range(dims))]
        ).flatten()

    def _places(self) -> Tensor:
        """The inverse of `_order`."""
        return self._order().argsort()

    def _changed(self, name: str, **changes: Any) -> "OriginalCodec":
        other = copy.copy(self)
        other.__dict__.update(config=replace(self.config, name=name), _cache={}, **changes)
        return other


def _coarse(times: float) -> float:
    if not (is_number(times) and times >= 1):
        raise CodecError(f"latents are told apart {times} times as coarsely: give a number from 1 on")
    return float(times)
