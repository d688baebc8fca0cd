"""The decoder `conv`: a small convolutional network that adds to the linear decoder's packets what it cannot know.

It works on the latent grid, where a position stands for many samples, in one to three dimensions alike: a pointwise
layer, residual blocks of a depthwise convolution and two pointwise layers, and a pointwise layer to packets. Its last
layers are zero at first, so that it starts as the linear decoder.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import conv1d, conv2d, conv3d, gelu, linear

from walloc_data.codec.levels import Ends
from walloc_data.errors import CodecError

__all__ = ["ConvDecoder", "conv_detail", "depthwise"]

_CONVOLUTIONS = {1: conv1d, 2: conv2d, 3: conv3d}
_ROWS = 1024  # positions that pass two pointwise layers at once on a CPU
_BLOCK = ("depthwise", "depthwise_bias", "expand", "expand_bias", "project", "project_bias")  # one of each a block


class ConvDecoder:
    """The decoder `conv` of a codec: its tensors, numbers of half precision, as float32 on the CPU.

    Of `width` w, `hidden` layers h, N `blocks`, kernels of k positions a side, c latent channels and n packets, they
    are `gain` `[c]` (of each latent), `input` `[w, c]`, `depthwise` `[N, w, *k]`, `expand` `[N, h, w]`, `project`
    `[N, w, h]`, their biases `depthwise_bias`, `expand_bias` and `project_bias`, `output` `[n, w]`, `output_bias` `[n]`
    and `direct` `[n, c]`.
    Raises `CodecError` for one that is missing, of another shape or not finite.
    """

    name: ClassVar[str] = "conv"

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        *,
        channels: int,
        packets: int,
        dims: int,
        width: int,
        hidden: int,
        blocks: int,
        kernel: int,
    ) -> None:
        sizes = {"width": width, "hidden": hidden, "blocks": blocks, "kernel": kernel}
        if any(type(size) is not int or size < 1 for size in sizes.values()) or kernel % 2 == 0:
            raise CodecError(f"decoder 'conv': {sizes} are not whole numbers from 1 on, of kernel an odd one")
        self.settings = sizes
        shapes = self._shapes(channels, packets, dims)
        for name, shape in shapes.items():
            if name not in tensors:
                raise CodecError(f"decoder 'conv': tensor {name!r} is missing")
            if tuple(tensors[name].shape) != shape:
                raise CodecError(f"decoder 'conv': {name} has shape {tuple(tensors[name].shape)}, not {shape}")
            if not bool(torch.isfinite(tensors[name].half()).all()):
                raise CodecError(f"decoder 'conv': {name} has numbers that are not finite in half precision")
        self.tensors = {name: tensors[name].detach().cpu().half().float().contiguous() for name in shapes}
        self._cache: dict[tuple[torch.device, torch.dtype], dict[str, Tensor]] = {}

    @classmethod
    def new(
        cls,
        channels: int,
        packets: int,
        dims: int,
        *,
        width: int,
        blocks: int,
        kernel: int = 5,
        gain: Tensor | None = None,
        seed: int = 0,
    ) -> "ConvDecoder":
        """One that adds nothing yet. `gain` `[c]` should bring each latent channel to about unit variance."""
        hidden = 2 * width
        draw = torch.Generator().manual_seed(seed)
        one = cls.__new__(cls)
        one.settings = {"width": width, "hidden": hidden, "blocks": blocks, "kernel": kernel}
        shapes = one._shapes(channels, packets, dims)
        tensors = {name: torch.zeros(shape) for name, shape in shapes.items()}
        tensors["gain"] = torch.ones(channels) if gain is None else gain
        for name, inputs in (
            ("input", channels),
            ("depthwise", kernel**dims),
            ("expand", width / 2),  # what passes is halved
            ("project", hidden * 4 * blocks),  # the sum of all blocks stays of the size of their input
        ):
            tensors[name] = torch.randn(shapes[name], generator=draw) / math.sqrt(inputs)
        return cls(tensors, channels=channels, packets=packets, dims=dims, **one.settings)

    def grown(self, blocks: int, *, seed: int = 0) -> dict[str, Tensor]:
        """Its tensors with `blocks` in all, no fewer than it has: those behind its own add nothing yet."""
        draw = torch.Generator().manual_seed(seed + self.settings["blocks"])
        inputs = {"depthwise": self.tensors["depthwise"][0, 0].numel(), "expand": self.settings["width"] / 2}
        tensors = dict(self.tensors)
        for name in _BLOCK:
            new = torch.zeros(blocks - self.settings["blocks"], *tensors[name].shape[1:])
            if name in inputs:
                new = torch.randn(new.shape, generator=draw) / math.sqrt(inputs[name])
            tensors[name] = torch.cat([tensors[name], new])
        return tensors

    @property
    def parameters(self) -> int:
        """How many numbers it has."""
        return sum(tensor.numel() for tensor in self.tensors.values())

    @property
    def reach(self) -> int:
        """How many positions away something may change what is added to one."""
        return int(self.settings["blocks"] * (self.settings["kernel"] // 2))

    def detail(self, f: Callable[[], Tensor]) -> Tensor:
        """What is added to the linear decoder's packets, `[B, n, *space]`; `f` gives latents `[B, c, *space]`."""
        latents = f()
        key = (latents.device, latents.dtype)
        if key not in self._cache:
            with torch.inference_mode(mode=False):  # or no gradient could pass what was first used there
                self._cache[key] = {name: tensor.to(*key) for name, tensor in self.tensors.items()}
        if torch.is_grad_enabled() or latents.device.type != "cpu":
            return conv_detail(self._cache[key], latents)
        # One sample at a time, in blocks of rows: what layers hand to one another stays in the processor's cache.
        y = latents.new_empty(len(latents), *latents.shape[2:], len(self.tensors["output"]))
        for number, sample in enumerate(latents):
            y[number] = conv_detail(self._cache[key], sample[None], rows=_ROWS)[0].movedim(0, -1)
        return y.movedim(-1, 1)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors of half precision by name, and settings of JSON values: the inverse of `from_state`."""
        return {name: tensor.half() for name, tensor in self.tensors.items()}, dict(self.settings)

    @classmethod
    def from_state(cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any], ends: Ends) -> "ConvDecoder":
        """A decoder of what `state` gave; settings of a later version are passed over."""
        sizes = {name: settings[name] for name in ("width", "hidden", "blocks", "kernel")}
        return cls(tensors, channels=ends.channels, packets=ends.packets, dims=len(ends.levels), **sizes)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": {}}

    def _shapes(self, channels: int, packets: int, dims: int) -> dict[str, tuple[int, ...]]:
        width, hidden, blocks, kernel = (self.settings[name] for name in ("width", "hidden", "blocks", "kernel"))
        return {
            "gain": (channels,),
            "input": (width, channels),
            "depthwise": (blocks, width, *[kernel] * dims),
            "depthwise_bias": (blocks, width),
            "expand": (blocks, hidden, width),
            "expand_bias": (blocks, hidden),
            "project": (blocks, width, hidden),
            "project_bias": (blocks, width),
            "output": (packets, width),
            "output_bias": (packets,),
            "direct": (packets, channels),
        }


def depthwise(x: Tensor, kernels: Tensor, bias: Tensor) -> Tensor:
    """Each channel of `x` `[B, w, *space]` by its own of `kernels` `[w, *k]`; positions outside count as zero."""
    convolve, padding = _CONVOLUTIONS[x.dim() - 2], kernels.shape[-1] // 2
    return convolve(x, kernels[:, None], bias, padding=padding, groups=len(kernels))


def conv_detail(
    tensors: Mapping[str, Tensor],
    f: Tensor,
    *,
    channels_first: bool = False,
    rows: int | None = None,
    convolve: Callable[[Tensor, Tensor, Tensor], Tensor] = depthwise,
) -> Tensor:
    """What `ConvDecoder.detail` gives, of any tensors, such as those that are trained, and latents `[B, c, *space]`.

    Channels are last in memory, where pointwise layers are plain products of matrices; `channels_first` has them first
    for the depthwise convolutions, which some devices want. Positions outside the grid count as zero. With `rows`, so
    many positions at a time pass a block's pointwise layers, and no gradients. `convolve` is `depthwise`, or computes
    the same.
    """
    width = len(tensors["input"])
    z = f.movedim(1, -1) * tensors["gain"]
    x = linear(z, tensors["input"])
    for kernels, depthwise_bias, expand, expand_bias, project, project_bias in zip(
        *(tensors[name].unbind() for name in _BLOCK), strict=True
    ):
        grid = x.movedim(-1, 1)
        grid = grid.contiguous() if channels_first else grid
        around = convolve(grid, kernels, depthwise_bias).movedim(1, -1)
        if rows is None:
            x = x + linear(gelu(linear(around, expand, expand_bias)), project, project_bias)
            continue
        for some, more in zip(
            torch.split(around.reshape(-1, width), rows), torch.split(x.view(-1, width), rows), strict=True
        ):
            more += linear(gelu(linear(some, expand, expand_bias)), project, project_bias)
    y = linear(x, tensors["output"], tensors["output_bias"]) + linear(z, tensors["direct"])
    return y.movedim(-1, 1)
