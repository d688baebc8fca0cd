"""Luma and chroma of photographs, and how far coloured images are from the true ones."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.images import list_images, read_image
from walloc_data import ImageReader

__all__ = ["from_ycc", "psnr_each", "read_crops", "ssim_each", "to_ycc"]

# ITU-R BT.601 in full range, as JPEG has it: rows are Y, Cb, Cr of R, G, B.
_FORWARD = torch.tensor(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], dtype=torch.float64
)
_WINDOW, _SIGMA = 11, 1.5  # of SSIM, as its paper has them
_C1, _C2 = 0.01**2, 0.03**2


def read_crops(folders: Sequence[Path], *, crop: int, cuts: int, most: int | None = None) -> Tensor:
    """Squares uint8 `[N, 3, crop, crop]`: the middle of each photograph below the folders, cut into `cuts` x `cuts`.

    `most` photographs are taken, evenly spread over the list; all of them without it.
    """
    reader = ImageReader(size=crop * cuts)
    paths = list_images(*folders)
    every = 1 if most is None else -(-len(paths) // most)
    whole = torch.stack([read_image(path, reader) for path in paths[::every]])
    tiles = whole.reshape(len(whole), 3, cuts, crop, cuts, crop)
    crops: Tensor = tiles.permute(0, 2, 4, 1, 3, 5).flatten(0, 2).contiguous()
    return crops


def to_ycc(rgb: Tensor) -> Tensor:
    """Uint8 images `[B, 3, H, W]` as Y, Cb, Cr, float32 in [0, 1], chroma about 0.5."""
    ycc = torch.einsum("ij,bjhw->bihw", _FORWARD.float(), rgb.float() / 255)
    ycc[:, 1:] += 0.5
    return ycc.clamp_(0, 1)


def from_ycc(luma: Tensor, chroma: Tensor) -> Tensor:
    """Luma `[B, 1, H, W]` and chroma `[B, 2, H, W]` as RGB, float32 in [0, 1]."""
    ycc = torch.cat([luma, chroma - 0.5], 1)
    return torch.einsum("ij,bjhw->bihw", _FORWARD.inverse().float(), ycc).clamp_(0, 1)


def psnr_each(found: Tensor, true: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of each image `[B, C, H, W]` in [0, 1], at most 100."""
    error = (found - true).double().square().mean((1, 2, 3))
    return -10 * error.clamp_min(1e-10).log10()


def ssim_each(found: Tensor, true: Tensor) -> Tensor:
    """Structural similarity of each image `[B, C, H, W]` in [0, 1], mean over channels and places.

    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity",
    2004: a Gaussian window of 11 x 11 and where it lies inside the image.
    """
    x, y = (image.double() for image in (found, true))
    mean_x, mean_y = _blur(x), _blur(y)
    var_x, var_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    both = _blur(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * both + _C2) / (var_x + var_y + _C2)
    return (luminance * structure).mean((1, 2, 3))


def _blur(x: Tensor) -> Tensor:
    down, across = (_windows(length) for length in x.shape[-2:])
    return down @ x @ across.T


def _windows(length: int) -> Tensor:
    """The Gaussian window at every place where it fits, float64 `[length - 10, length]`."""
    places = torch.arange(length - _WINDOW + 1)[:, None] - torch.arange(length) + _WINDOW // 2
    weights = torch.exp(-(places.double() ** 2) / (2 * _SIGMA**2)) * (places.abs() <= _WINDOW // 2)
    return weights / weights.sum(1, keepdim=True)
