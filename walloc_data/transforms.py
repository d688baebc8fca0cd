"""Augmentations of latents: exact flips, and crops on the latent grid.

All take latents of one sample, `[c, *space]`, or of a batch, `[B, c, *space]`, int8 or dequantised, on any device; in a
batch every sample draws its own. A batch of samples that differ in shape is a list: crops make a batch `[B, c, *size]`
of it, flips a list. Axes are those of space: -1 is the last (columns), or counted from 0. Draws come from torch's
generator: `DataLoader` seeds it in each worker, `StreamingLatentDataset` for each step.
"""

from typing import TypeVar

import torch
from torch import Tensor

from walloc_data.codec import Codec
from walloc_data.errors import CodecError
from walloc_data.numbers import whole_number

__all__ = ["CenterCrop", "RandomCrop", "RandomFlip", "flip"]

_L = TypeVar("_L", Tensor, list[Tensor])


def flip(z: Tensor, codec: Codec, axis: int = -1) -> Tensor:
    """The latents of the reversed signal: positions reversed, odd channels negated.

    Equal to encoding the reversed signal (of an even size), but for values on a rounding tie.
    Raises `CodecError` for a codec whose wavelet has no parity, an axis that is not there, or other shapes.

    >>> from walloc_data import load_codec
    >>> codec, image = load_codec("rgb-f8c12"), torch.rand(1, 3, 64, 64, dtype=torch.float64)
    >>> bool((flip(codec.encode(image), codec) == codec.encode(image.flip(-1))).all())
    True
    """
    axis = _axis(axis, codec)
    signs = (1 - 2 * codec.parity[:, axis].to(z.device, torch.int8)).to(z.dtype)
    _is_batch(z, codec)
    dims = codec.config.dims
    return z.flip(axis - dims) * signs.reshape(-1, *[1] * dims)


class RandomFlip:
    """`flip` along one axis with probability `p`."""

    def __init__(self, codec: Codec, axis: int = -1, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise CodecError(f"p={p} is no probability")
        _axis(axis, codec)
        _ = codec.parity  # so that an unsuitable codec is refused here, not in a worker
        self.codec, self.axis, self.p = codec, axis, p

    def __repr__(self) -> str:
        return f"RandomFlip({self.codec.name!r}, axis={self.axis}, p={self.p})"

    def __call__(self, z: _L) -> _L:
        """Latents of the same shape and dtype."""
        if isinstance(z, list):
            return [self(sample) for sample in z]
        if not _is_batch(z, self.codec):
            return flip(z, self.codec, self.axis) if torch.rand(()) < self.p else z
        chosen = (torch.rand(len(z)) < self.p).to(z.device).reshape(-1, *[1] * (z.dim() - 1))
        return torch.where(chosen, flip(z, self.codec, self.axis), z)


class CenterCrop:
    """The middle of the latent grid; `size` in latent positions, one for all axes or one each."""

    def __init__(self, codec: Codec, size: int | tuple[int, ...]) -> None:
        self.codec, self.size = codec, _sizes(size, codec)

    def __repr__(self) -> str:
        return f"CenterCrop({self.codec.name!r}, size={self.size})"

    def __call__(self, z: Tensor | list[Tensor]) -> Tensor:
        """Latents `[..., c, *size]`. Raises `CodecError` where the latents are smaller."""
        if isinstance(z, list):
            return torch.stack([self(sample) for sample in z])
        _is_batch(z, self.codec)
        return _window(z, [(n - size) // 2 for n, size in zip(_room(z, self.size), self.size, strict=True)], self.size)


class RandomCrop:
    """A window of the latent grid, anywhere; `size` in latent positions, one for all axes or one each."""

    def __init__(self, codec: Codec, size: int | tuple[int, ...]) -> None:
        self.codec, self.size = codec, _sizes(size, codec)

    def __repr__(self) -> str:
        return f"RandomCrop({self.codec.name!r}, size={self.size})"

    def __call__(self, z: Tensor | list[Tensor]) -> Tensor:
        """Latents `[..., c, *size]`. Raises `CodecError` where the latents are smaller."""
        if isinstance(z, list) or (_is_batch(z, self.codec) and len(z)):
            return torch.stack([self(sample) for sample in z])
        room = zip(_room(z, self.size), self.size, strict=True)
        return _window(z, [int(torch.randint(n - size + 1, ())) for n, size in room], self.size)


def _axis(axis: int, codec: Codec) -> int:
    axis, dims = whole_number("axis", axis, error=CodecError), _of(codec).config.dims
    if not -dims <= axis < dims:
        raise CodecError(f"axis {axis} is not one of the {dims} space axes of codec {codec.name!r}")
    return axis % dims


def _of(codec: Codec) -> Codec:
    if not isinstance(codec, Codec):
        raise CodecError(f"latents are turned and cut by their codec, such as dataset.codec, not {codec!r:.100}")
    return codec


def _is_batch(z: Tensor, codec: Codec) -> bool:
    dims = codec.config.dims
    if not isinstance(z, Tensor):
        raise CodecError(f"latents are a tensor, or a list of them, not {type(z).__name__}")
    if z.dim() - dims not in (1, 2) or z.shape[-dims - 1] != codec.channels:
        raise CodecError(
            f"codec {codec.name!r} has latents [{codec.channels}, {dims} space dims] or a batch of them, "
            f"not {list(z.shape)}"
        )
    return z.dim() == dims + 2


def _sizes(size: int | tuple[int, ...], codec: Codec) -> tuple[int, ...]:
    dims = _of(codec).config.dims
    sizes = tuple(size) if isinstance(size, tuple | list) else (size,) * dims
    if len(sizes) != dims:
        raise CodecError(f"size {size} is not one or {dims} numbers of latent positions")
    return tuple(whole_number("size", n, least=1, error=CodecError) for n in sizes)


def _room(z: Tensor, sizes: tuple[int, ...]) -> tuple[int, ...]:
    space = tuple(z.shape[-len(sizes) :])
    if any(n < size for n, size in zip(space, sizes, strict=True)):
        raise CodecError(f"latents of {list(space)} positions are smaller than the crop {list(sizes)}")
    return space


def _window(z: Tensor, starts: list[int], sizes: tuple[int, ...]) -> Tensor:
    for axis, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        z = z.narrow(axis - len(sizes), start, size)
    return z
