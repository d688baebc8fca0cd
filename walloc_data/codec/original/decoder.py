"""The decoder of an original codec: a deep network from latents to packets, and of sound a filter behind them."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from walloc_data.codec.levels import Ends
from walloc_data.codec.original.architecture import Architecture
from walloc_data.codec.original.oobleck import REACH
from walloc_data.codec.original.placed import Placed
from walloc_data.errors import CodecError

__all__ = ["OriginalDecoder"]


class OriginalDecoder:
    """The decoder `original`: what it gives is all of the packets, since such codecs have no linear decoder.

    It computes with its tensors as they are; in files they are of half precision.
    """

    name: ClassVar[str] = "original"

    def __init__(self, architecture: Architecture, tensors: Mapping[str, Tensor]) -> None:
        """`tensors` are named as in checkpoints, and were checked."""
        self.architecture = architecture
        self._placed = Placed(architecture.modules(tensors, "decoder", "post"))

    @property
    def parameters(self) -> int:
        """How many numbers it has."""
        return sum(tensor.numel() for tensor in self._placed.modules.state_dict().values())

    @property
    def reach(self) -> int:
        """How many positions away something may change a packet; raises `CodecError` for images, where all may."""
        if self.architecture.dims == 2:
            raise CodecError("the decoder of an original codec for images has no reach: all latents count everywhere")
        return REACH

    def detail(self, f: Callable[[], Tensor]) -> Tensor:
        """Packets `[B, n, *space]`, in the order of checkpoints; `f` gives latents as the encoder had them."""
        return self._placed("decoder", f())

    def filtered(self, x: Tensor) -> Tensor:
        """The signal `[B, C, *space]` behind the filter, if there is one."""
        return self._placed("post", x) if self.architecture.post_filter else x

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors of half precision by their names in checkpoints, and the hyper-parameters.

        Raises `CodecError` where half precision does not hold one.
        """
        tensors = {name: tensor.half() for name, tensor in self._placed.modules.state_dict().items()}
        for name, tensor in tensors.items():
            if not bool(torch.isfinite(tensor).all()):
                raise CodecError(f"{name} has numbers that are not finite in half precision, as files hold them")
        return tensors, self.architecture.state()

    @classmethod
    def from_state(cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any], ends: Ends) -> "OriginalDecoder":
        """A decoder of what `state` gave."""
        return cls(Architecture.of(settings, dims=len(ends.levels)), tensors)
