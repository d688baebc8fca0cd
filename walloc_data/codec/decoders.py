"""What a decoder is, and the literal table of all of them."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

from torch import Tensor

from walloc_data.codec.conv import ConvDecoder
from walloc_data.codec.fused import decode_linear
from walloc_data.codec.levels import Ends, Levels
from walloc_data.codec.partly import decode_partly
from walloc_data.codec.refine import RefineDecoder
from walloc_data.errors import CodecError

__all__ = ["DECODERS", "Decoder", "LinearDecoder", "decode_by", "load_decoder"]


class Decoder(Protocol):
    """What a codec adds to the packets that its linear decoder gives. Fingerprints never cover it.

    It can be pickled, and gradients pass it.
    """

    name: ClassVar[str]

    @property
    def parameters(self) -> int:
        """How many numbers it has of its own."""

    @property
    def reach(self) -> int:
        """How many positions away something may change what is added to one."""

    def detail(self, f: Callable[[], Tensor]) -> Tensor | None:
        """What is added, `[B, packets, *space]`; None for nothing.

        `f` gives latents times their steps, as floats `[B, c, *space]`: what adds nothing has no need of them.
        """

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors by name, and settings of JSON values, for the file of the codec."""

    @classmethod
    def from_state(cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any], ends: Ends) -> "Decoder":
        """The inverse of `state`. Raises `CodecError`, KeyError or TypeError for what is damaged."""


class LinearDecoder:
    """The linear decoder alone, which every codec has: nothing is added."""

    name: ClassVar[str] = "linear"
    parameters = 0
    reach = 0

    def detail(self, f: Callable[[], Tensor]) -> None:
        return None

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return {}, {}

    @classmethod
    def from_state(cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any], ends: Ends) -> "LinearDecoder":
        return cls()


DECODERS: dict[str, type[Decoder]] = {  # names that files hold: none ever changes its meaning
    "linear": LinearDecoder,
    "conv": ConvDecoder,
    "refine": RefineDecoder,
}


def load_decoder(name: str, tensors: Mapping[str, Tensor], settings: Mapping[str, Any], ends: Ends) -> Decoder:
    """The decoder called `name`. Raises `CodecError` for a name that this version does not know."""
    if name not in DECODERS:
        raise CodecError(
            f"its decoder {name!r} is none of those that this walloc_data knows ({', '.join(DECODERS)}): upgrade "
            "walloc_data"
        )
    return DECODERS[name].from_state(tensors, settings, ends)


def decode_by(
    network: Decoder,
    latents: Callable[[], Tensor],
    z: Tensor,
    matrix: Tensor,
    wavelet: str,
    levels: Levels,
    *,
    finish: Callable[[Tensor], Tensor],
) -> Tensor:
    """`fused.decode_linear` with what the network adds. `latents` gives what `Decoder.detail` takes, `z` are what the
    `matrix` takes."""
    detail = network.detail(latents)
    if isinstance(network, RefineDecoder):
        return decode_partly(z, matrix, detail, network.refined, wavelet, levels, network.finer, finish=finish)
    return decode_linear(z, matrix, detail, wavelet, levels, finish=finish)
