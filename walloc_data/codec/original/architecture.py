"""What a checkpoint of the package `walloc` is of: its hyper-parameters, and the network that they say."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from walloc_data.codec.original.kl import GROUPS, KLDecoder, KLEncoder
from walloc_data.codec.original.oobleck import OobleckDecoder, OobleckEncoder
from walloc_data.errors import CodecError

__all__ = ["Architecture", "plain_weights"]

_TAPS = 129  # of the filter behind the synthesis
_LAYERS: dict[int, tuple[type[nn.Module], type[nn.Module], type[nn.Module]]] = {
    1: (nn.Conv1d, OobleckEncoder, OobleckDecoder),
    2: (nn.Conv2d, KLEncoder, KLDecoder),
}
_OF_WAVELETS = ("wt.", "iwt.")  # tensors that say nothing new


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The hyper-parameters of `Codec1D` and `Codec2D` under their own names, and the number of `dims`.

    Of `J` levels, `latent_dim` channels and `latent_bits` a latent; `Ne` and `Nd` are the widths of encoder and
    decoder, `lightweight_encode` a linear encoder, `post_filter` (in one dimension) a filter behind the synthesis.
    Raises `CodecError` for what no such codec is of.
    """

    dims: int
    channels: int
    J: int
    Ne: int
    Nd: int
    latent_dim: int
    latent_bits: int
    lightweight_encode: bool
    post_filter: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value, whole = getattr(self, field.name), field.type is int
            if type(value) is not field.type or (whole and value < 1):
                raise CodecError(f"{field.name} is {'a whole number from 1 on' if whole else 'a bool'}, not {value!r}")
        if self.dims > 2 or (self.post_filter and self.dims > 1):
            raise CodecError(f"it has {self.dims} dims, and post_filter={self.post_filter}: there is no such codec")
        if not 2 <= self.latent_bits <= 8:
            raise CodecError(f"latents of latent_bits={self.latent_bits} are not of 2 to 8 bits, as datasets hold them")
        if self.J > 12 or self.packets > 1 << 20 or max(self.Nd, self.Ne, self.latent_dim) > 1 << 14:
            raise CodecError(f"J={self.J}, channels={self.channels}, Ne, Nd or latent_dim are beyond any such codec")
        for name in ["Nd"] if self.lightweight_encode else ["Nd", "Ne"]:
            if self.dims == 2 and getattr(self, name) % GROUPS:
                raise CodecError(f"{name}={getattr(self, name)} is no multiple of {GROUPS}")
            if self.dims == 1 and getattr(self, name) < self.latent_dim:
                raise CodecError(f"{name}={getattr(self, name)} is below latent_dim={self.latent_dim}")

    @classmethod
    def of(cls, settings: Any, *, dims: int) -> "Architecture":
        """By what a checkpoint's JSON holds, which may hold more. Raises `CodecError`."""
        if not isinstance(settings, Mapping):
            raise CodecError("it holds no hyper-parameters by name")
        names = {field.name for field in fields(cls)} - {"dims"}
        missing = sorted(names - settings.keys() - ({"post_filter"} if dims == 2 else set()))
        if missing:
            raise CodecError(f"its hyper-parameters lack {', '.join(missing)}")
        return cls(dims=dims, **{name: settings[name] for name in names if name != "post_filter" or dims == 1})

    def state(self) -> dict[str, Any]:
        """Its fields, for JSON."""
        return asdict(self)

    @property
    def packets(self) -> int:
        """Channels of the packets."""
        return int(self.channels * 2 ** (self.dims * self.J))

    @property
    def ends(self) -> int:
        """Positions that latents have more than packets, at each end: of none but those of a convolutional encoder."""
        return int(self.dims == 1 and not self.lightweight_encode)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the tensors of such a codec."""
        return {name: tuple(tensor.shape) for name, tensor in self._modules().state_dict().items()}

    def check(self, tensors: Mapping[str, Tensor]) -> None:
        """Raises `CodecError` where tensors, named as in checkpoints, are not those of such a codec."""
        expected = self.shapes()
        given = {name: tensor for name, tensor in tensors.items() if not name.startswith(_OF_WAVELETS)}
        for name, wanted in expected.items():
            if name not in given:
                raise CodecError(f"tensor {name!r} is missing")
            found = tuple(given[name].shape)
            if found != wanted:
                raise CodecError(
                    f"{name} has shape {found}, and its hyper-parameters say {wanted}: they are of another checkpoint"
                )
            if not given[name].is_floating_point() or not bool(torch.isfinite(given[name]).all()):
                raise CodecError(f"{name} has numbers that are not finite floats")
        if more := sorted(given.keys() - expected.keys()):
            raise CodecError(f"{more[0]} is nothing that its hyper-parameters say: they are of another checkpoint")

    def modules(self, tensors: Mapping[str, Tensor], *parts: str) -> nn.ModuleDict:
        """Those `parts` of `encoder`, `decoder` and `post` that there are, of tensors that were checked."""
        kept = nn.ModuleDict({name: module for name, module in self._modules().items() if name in parts})
        kept.load_state_dict({name: tensors[name].detach().cpu() for name in kept.state_dict()}, assign=True)
        return kept.requires_grad_(False)

    def _modules(self) -> nn.ModuleDict:
        """Without numbers in them."""
        with torch.device("meta"):
            return self._whole()

    def _whole(self) -> nn.ModuleDict:
        packets, channels = self.packets, self.latent_dim
        convolution, encoder, decoder = _LAYERS[self.dims]
        first = convolution(packets, channels, 1)
        if not self.lightweight_encode:
            first = encoder(packets, channels, self._width(self.Ne))
        network = nn.ModuleDict(
            {
                "encoder": nn.Sequential(first),
                "decoder": nn.Sequential(nn.Identity(), decoder(packets, channels, self._width(self.Nd))),
            }
        )
        if self.post_filter:
            network["post"] = nn.Conv1d(self.channels, self.channels, _TAPS, padding=_TAPS // 2)
        return network

    def _width(self, asked: int) -> int:
        """Sound's networks are whole multiples of the latents wide."""
        return asked // self.latent_dim * self.latent_dim if self.dims == 1 else asked


def plain_weights(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a checkpoint whose weights are told as length and direction (`weight_g`, `weight_v`), as weights."""
    plain = dict(tensors)
    for name in tensors:
        stem = name.removesuffix("_g")
        if name.endswith(".weight_g") and f"{stem}_v" in plain:
            length, direction = plain.pop(name), plain.pop(f"{stem}_v")
            if length.shape[:1] != direction.shape[:1] or length.numel() != len(length):
                raise CodecError(f"{name} has shape {tuple(length.shape)}, and {stem}_v {tuple(direction.shape)}")
            exact = direction.double()  # so that every machine rounds to the same weights
            norm = exact.norm(dim=tuple(range(1, exact.dim())), keepdim=True)
            plain[stem] = (exact * (length / norm)).to(direction.dtype)
    return plain
