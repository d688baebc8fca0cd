"""The decoder `refine`: the network of `conv` on a grid that is finer than that of the latents.

It works on packets of some levels fewer, and adds to them. What it learns holds for all the positions that a latent
stands for, so it learns from the same photographs with a tenth of the numbers. Before it there may be another network,
on the latents' grid, which sees farther.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor

from walloc_data.codec.conv import ConvDecoder
from walloc_data.codec.levels import Ends
from walloc_data.codec.partly import levels_left, levels_undone
from walloc_data.errors import CodecError

__all__ = ["FIRST", "RefineDecoder"]

FIRST = "first."  # before the names of the first network's tensors


class RefineDecoder:
    """The decoder `refine` of a codec of `levels`: a `network` whose channels are the packets of `finer` levels fewer
    an axis, and what it adds to them. They are made by the linear decoder and, if there is one, the `first` network."""

    name: ClassVar[str] = "refine"

    def __init__(
        self, network: ConvDecoder, levels: Sequence[int], finer: int, first: ConvDecoder | None = None
    ) -> None:
        self.network, self.levels, self.finer, self.first = network, tuple(levels), finer, first

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Those of the network, and of the first one."""
        before = self.first.tensors if self.first else {}
        return {**self.network.tensors, **{FIRST + name: tensor for name, tensor in before.items()}}

    @property
    def parameters(self) -> int:
        """How many numbers it has."""
        return sum(tensor.numel() for tensor in self.tensors.values())

    @property
    def reach(self) -> int:
        """How many positions of latents away something may change what is added to one."""
        own = -(-self.network.reach >> min(levels_undone(self.levels, self.finer)))
        return own + (self.first.reach if self.first else 0)

    def detail(self, f: Callable[[], Tensor]) -> Tensor | None:
        """What the first network adds, `[B, packets, *space]`; None if there is none."""
        return self.first.detail(f) if self.first else None

    def refined(self, packets: Tensor) -> Tensor:
        """Packets of the finer grid, `[B, few, *space]`, and what is added to them."""
        return packets + self.network.detail(lambda: packets)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors of half precision by name, and settings of JSON values: the inverse of `from_state`."""
        settings: dict[str, Any] = {**self.network.settings, "finer": self.finer}
        if self.first:
            settings["first"] = dict(self.first.settings)
        return {name: tensor.half() for name, tensor in self.tensors.items()}, settings

    @classmethod
    def from_state(cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any], ends: Ends) -> "RefineDecoder":
        """A decoder of what `state` gave; settings of a later version are passed over."""
        levels, finer, first = ends.levels, settings["finer"], None
        if type(finer) is not int or not 1 <= finer < max(levels):
            raise CodecError(f"decoder 'refine': finer={finer!r} is not a whole number from 1 to {max(levels) - 1}")
        if "first" in settings:
            own = {name.removeprefix(FIRST): each for name, each in tensors.items() if name.startswith(FIRST)}
            try:
                first = ConvDecoder.from_state(own, settings["first"], ends)
            except CodecError as error:
                raise CodecError(f"decoder 'refine', its first network: {error}") from error
        few = ends.packets >> sum(levels_undone(levels, finer))
        network = ConvDecoder.from_state(tensors, settings, Ends(few, few, levels_left(levels, finer)))
        return cls(network, levels, finer, first)
