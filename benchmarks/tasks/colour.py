"""Colour from grey: the chroma of a 128 x 128 square of a photograph from its luma, on a grid of 16 x 16 positions.

Both are latents (of codecs fitted to the photographs of `--data`, from which the network learns too) or pixels of lower
resolution, folded into the positions. What the network makes comes back to full size, and is judged in pixels on the
photographs of `--test`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, mse_loss, pixel_shuffle, pixel_unshuffle
from torch.utils.data import DataLoader, SubsetRandomSampler, TensorDataset

from benchmarks.images import list_images, read_image
from benchmarks.tasks.networks import Scaled
from benchmarks.tasks.stored import Latents, fitted
from benchmarks.tasks.task import Arm, Figure, Stored, Task
from walloc_data import ImageReader

_SIDE, _CUTS, _LEVELS, _KNOWN = 128, 2, 3, 1024
# ITU-R BT.601 in full range, as JPEG has it: rows are Y, Cb, Cr of R, G, B.
_FORWARD = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
_ARMS = (
    Arm(name="pixels / 4", downscaled=4, against="pixels / 4"),
    Arm(name="latents of 4 and 8 channels", codec="fitted", channels=(4, 8), against="pixels / 4"),
    Arm(name="pixels / 2", downscaled=2, against="pixels / 2"),
    Arm(name="latents of 16 and 32 channels", codec="fitted", channels=(16, 32), against="pixels / 2"),
)


class Pixels:
    """Planes `[B, C, H, W]` in [0, 1] as uint8 pixels downscaled to `fold` a side of a position, bicubic both ways."""

    def __init__(self, fold: int) -> None:
        self.fold = fold

    def store(self, x: Tensor) -> Tensor:
        return (_resize(x, _SIDE // 2**_LEVELS * self.fold) * 255).round().to(torch.uint8)

    def flip(self, kept: Tensor) -> Tensor:
        return kept.flip(-1)

    def to_network(self, kept: Tensor) -> Tensor:
        return pixel_unshuffle(kept.float() / 255 - 0.5, self.fold)

    def to_signal(self, floats: Tensor) -> Tensor:
        return _resize((pixel_shuffle(floats, self.fold) + 0.5).clamp(0, 1), _SIDE)


class ColourTask(Task):
    """Squares of photographs, uint8 `[N, 3, 128, 128]`; `limit` is what the true chroma comes to as it is stored."""

    name, epochs, sets = "colour", 4, {"": _ARMS}
    figures = Figure("chroma_psnr", "chroma PSNR, dB"), Figure("limit", "chroma PSNR of true chroma")

    def __init__(self, train: Tensor, test: Tensor) -> None:
        self.train, self.test = train, test

    def prepare(self, arm: Arm, work: Path) -> Stored:
        """Luma and chroma, each in a form of its own, held in memory; nothing is coded."""
        known = to_ycc(self.train[:: -(-len(self.train) // _KNOWN)])
        form: list[Any] = [Pixels(2**_LEVELS // arm.downscaled)] * 2
        if arm.codec:
            planes = (torch.split(plane, self.batch) for plane in known)
            codecs = (fitted(*each, kind="image", levels=_LEVELS) for each in zip(planes, arm.channels, strict=True))
            form = list(map(Latents, codecs))
        splits = []
        for images in (self.train, self.test):
            cut = (to_ycc(batch) for batch in torch.split(images, self.batch))
            kept = [[each.store(x) for each, x in zip(form, planes, strict=True)] for planes in cut]
            splits.append(TensorDataset(*map(torch.cat, zip(*kept, strict=True))))
        channels = len(form[0].to_network(splits[0][:1][0])[0])
        return Stored(train=splits[0], val=splits[1], form=form, channels=channels)

    def network(self, data: Stored) -> nn.Module:
        return Scaled(*_floats(data, data.train[:_KNOWN]))

    def batches(self, data: Stored, order: torch.Generator) -> DataLoader[Any]:
        """In an order of torch's own generator, which draws what is mirrored as well."""
        sampler = SubsetRandomSampler(range(len(self.train)), torch.default_generator)
        return DataLoader(data.train, self.batch, sampler=sampler, drop_last=True, generator=order)

    def loss(self, model: nn.Module, data: Stored, batch: Any) -> Tensor:
        """Mean squared error in what the arm stores; half the batches are mirrored."""
        if torch.rand(()) < 0.5:
            batch = [each.flip(x) for each, x in zip(data.form, batch, strict=True)]
        (given, wanted), scale = _floats(data, batch), cast(Scaled, model).wanted
        return mse_loss(model(given) / scale, wanted / scale)

    def judge(self, model: nn.Module, data: Stored) -> dict[str, float]:
        given, wanted = _floats(data, data.val[:])
        found = torch.cat([model(batch) for batch in torch.split(given, self.batch)])
        figures = zip(("chroma_psnr", "limit"), (found, wanted), strict=True)
        return {name: self.psnr(data.form[1].to_signal(floats)) for name, floats in figures}

    def facts(self) -> dict[str, Any]:
        """How many squares there are, and what `grey`, no chroma at all, comes to."""
        grey = self.psnr(torch.full((len(self.test), 2, _SIDE, _SIDE), 0.5))
        return {"samples": {"train": len(self.train), "test": len(self.test)}, "grey": grey}

    def psnr(self, chroma: Tensor) -> float:
        """Of test squares with this chroma `[N, 2, H, W]`, the mean in dB, of a square at most 100."""
        pairs = zip(*(torch.split(x, self.batch) for x in (chroma, self.test)), strict=True)
        errors = [(found - to_ycc(true)[1]).double().square().mean((1, 2, 3)) for found, true in pairs]
        return float(-10 * torch.cat(errors).clamp_min(1e-10).log10().mean())


def read_squares(folders: Sequence[Path]) -> Tensor:
    """Squares uint8 `[N, 3, 128, 128]`: the middle of each photograph below the folders, cut into four."""
    reader = ImageReader(size=_SIDE * _CUTS)
    whole = torch.stack([read_image(path, reader) for path in list_images(*folders)])
    tiles = whole.reshape(len(whole), 3, _CUTS, _SIDE, _CUTS, _SIDE)
    return tiles.permute(0, 2, 4, 1, 3, 5).flatten(0, 2).contiguous()


def to_ycc(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Luma `[B, 1, H, W]` and chroma `[B, 2, H, W]`, about 0.5, of uint8 images `[B, 3, H, W]`: float32 in [0, 1]."""
    ycc = torch.einsum("ij,bjhw->bihw", _FORWARD, rgb.float() / 255)
    ycc[:, 1:] += 0.5
    ycc.clamp_(0, 1)
    return ycc[:, :1], ycc[:, 1:]


def _floats(data: Stored, kept: Sequence[Tensor]) -> list[Tensor]:
    """What a network gets and what it is to make, of luma and chroma as they are stored."""
    return [each.to_network(x) for each, x in zip(data.form, kept, strict=True)]


def _resize(x: Tensor, side: int) -> Tensor:
    if x.shape[-1] == side:
        return x
    return interpolate(x, (side, side), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
