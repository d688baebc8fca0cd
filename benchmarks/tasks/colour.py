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

from benchmarks.images import list_images, read_image
from benchmarks.tasks.networks import Residual
from benchmarks.tasks.task import Arm, Figure, Shuffled, Task, autocast
from walloc_data import Codec, CodecConfig, ImageReader, fit
from walloc_data.transforms import flip

_SIDE, _CUTS, _LEVELS, _BATCH, _KNOWN = 128, 2, 3, 64, 1024
_WIDTH, _BLOCKS = 48, 3
_PARTS = slice(0, 1), slice(1, 3)  # of Y, Cb and Cr: luma, chroma
# ITU-R BT.601 in full range, as JPEG has it: rows are Y, Cb, Cr of R, G, B.
_FORWARD = torch.tensor(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], dtype=torch.float64
)
_ARMS = (
    Arm(name="pixels / 4", fold=2, against="pixels / 4"),
    Arm(name="latents of 4 and 8 channels", codec="fitted", channels=(4, 8), against="pixels / 4"),
    Arm(name="pixels / 2", fold=4, against="pixels / 2"),
    Arm(name="latents of 16 and 32 channels", codec="fitted", channels=(16, 32), against="pixels / 2"),
)


class Latents:
    """Planes `[B, C, H, W]` in [0, 1] as int8 latents of a codec fitted to such; floats on the grid; and back."""

    def __init__(self, planes: Tensor, channels: int) -> None:
        config = CodecConfig(
            name="planes", kind="image", signal_channels=planes.shape[1], dims=2, levels=_LEVELS, wavelet="10/18"
        )
        self.codec: Codec = fit(list(torch.split(planes, _BATCH)), config, channels=channels)

    def store(self, x: Tensor) -> Tensor:
        return self.codec.encode(x)

    def to_network(self, kept: Tensor, *, mirror: bool = False) -> Tensor:
        return self.codec.dequantize(flip(kept, self.codec) if mirror else kept)

    def to_signal(self, floats: Tensor) -> Tensor:
        units = self.codec.steps[:, None, None] * self.codec.scale
        z = (floats / units).round().clamp(-127, 127).to(torch.int8)
        return torch.cat([self.codec.decode(batch) for batch in torch.split(z, _BATCH)])


class Pixels:
    """The same as uint8 pixels downscaled to `fold` a side of a position, bicubic both ways."""

    def __init__(self, fold: int) -> None:
        self.fold = fold

    def store(self, x: Tensor) -> Tensor:
        return (_resize(x, _SIDE // 2**_LEVELS * self.fold) * 255).round().to(torch.uint8)

    def to_network(self, kept: Tensor, *, mirror: bool = False) -> Tensor:
        return pixel_unshuffle((kept.flip(-1) if mirror else kept).float() / 255 - 0.5, self.fold)

    def to_signal(self, floats: Tensor) -> Tensor:
        return _resize((pixel_shuffle(floats, self.fold) + 0.5).clamp(0, 1), _SIDE)


class Stored:
    """Luma and chroma of squares to learn from and to be judged on, as they are kept."""

    sample_bytes = 0.0  # nothing is coded

    def __init__(self, train: Tensor, test: Tensor, arm: Arm) -> None:
        some = to_ycc(train[:: -(-len(train) // _KNOWN)])
        self.planes = [
            Latents(some[:, part], channels) if channels else Pixels(arm.fold or 1)
            for part, channels in zip(_PARTS, arm.channels or (0, 0), strict=True)
        ]
        self.train, self.test = self._store(train), self._store(test)
        self.channels = self.inputs([x[:1] for x in self.train])[0].shape[1]

    def _store(self, images: Tensor) -> list[Tensor]:
        batches = [to_ycc(batch) for batch in torch.split(images, _BATCH)]
        planes = zip(self.planes, _PARTS, strict=True)
        return [torch.cat([plane.store(x[:, part]) for x in batches]) for plane, part in planes]

    def inputs(self, kept: Sequence[Tensor], *, mirror: bool = False) -> list[Tensor]:
        """What a network gets and what it is to make."""
        return [plane.to_network(x, mirror=mirror) for plane, x in zip(self.planes, kept, strict=True)]

    def batches(self, order: torch.Generator) -> Shuffled:
        """Epochs."""
        return Shuffled(len(self.train[0]), _BATCH)


class _Network(nn.Module):
    """Convolutions between inputs and outputs that are scaled to one variance over all channels, whatever the arm."""

    def __init__(self, given: Tensor, wanted: Tensor) -> None:
        super().__init__()
        self.network = Residual(
            nn.Conv2d(given.shape[1], _WIDTH, 1),
            [nn.Sequential(*_convolution(), *_convolution()) for _ in range(_BLOCKS)],
            nn.Sequential(nn.BatchNorm2d(_WIDTH), nn.ReLU(), nn.Conv2d(_WIDTH, wanted.shape[1], 1)),
        )
        self.given, self.wanted = given.std(), wanted.std()

    def forward(self, x: Tensor) -> Tensor:
        with autocast():
            found = self.network((x / self.given).contiguous(memory_format=torch.channels_last))
        chroma: Tensor = found.float() * self.wanted
        return chroma


def _convolution() -> tuple[nn.Module, ...]:
    return nn.BatchNorm2d(_WIDTH), nn.ReLU(), nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1, bias=False)


class ColourTask(Task):
    """Squares of photographs, uint8 `[N, 3, 128, 128]`. RGB has the true luma, or that which is stored; `limit` is what
    the true chroma comes to as the arm stores it."""

    name = "colour"
    figures = (
        Figure("chroma_psnr", "chroma PSNR, dB"),
        Figure("rgb_psnr", "RGB PSNR, dB"),
        Figure("stored_psnr", "RGB PSNR, stored luma"),
        Figure("limit", "chroma PSNR of true chroma"),
    )

    def __init__(self, train: Tensor, test: Tensor, *, quick: bool = False) -> None:
        self.train, self.test, self.epochs, self.sets = train, test, 1 if quick else 4, {"": _ARMS}

    def prepare(self, arm: Arm, work: Path) -> Stored:
        return Stored(self.train, self.test, arm)

    def network(self, data: Stored) -> nn.Module:
        return _Network(*data.inputs([x[:_KNOWN] for x in data.train]))

    def loss(self, model: nn.Module, data: Stored, batch: Tensor) -> Tensor:
        """Mean squared error in what the arm stores; half the batches are mirrored."""
        mirror, scale = bool(torch.rand(()) < 0.5), cast(_Network, model).wanted
        given, wanted = data.inputs([x[batch] for x in data.train], mirror=mirror)
        return mse_loss(model(given) / scale, wanted / scale)

    def judge(self, model: nn.Module, data: Stored) -> dict[str, float]:
        given, wanted = data.inputs(data.test)
        found = torch.cat([model(batch) for batch in torch.split(given, _BATCH)])
        luma, chroma = data.planes
        figures = self.compare(chroma.to_signal(found), luma.to_signal(given))
        return figures | {"limit": self.compare(chroma.to_signal(wanted))["chroma_psnr"]}

    def facts(self) -> dict[str, Any]:
        """How many squares there are, and what `grey`, no chroma at all, comes to."""
        grey = self.compare(torch.full((len(self.test), 2, _SIDE, _SIDE), 0.5))
        return {"samples": {"train": len(self.train), "test": len(self.test)}, "grey": grey}

    def compare(self, chroma: Tensor, luma: Tensor | None = None) -> dict[str, float]:
        """Mean PSNR of test squares with this chroma `[N, 2, H, W]`, and with this luma or the true one."""
        parts = []
        for start in range(0, len(chroma), _BATCH):
            rgb, found = self.test[start : start + _BATCH], chroma[start : start + _BATCH]
            ycc = to_ycc(rgb)
            own = ycc[:, :1] if luma is None else luma[start : start + _BATCH]
            pairs = (found, ycc[:, 1:]), (from_ycc(ycc[:, :1], found), rgb / 255), (from_ycc(own, found), rgb / 255)
            parts.append(torch.stack([psnr_each(*pair) for pair in pairs], 1))
        return dict(zip(("chroma_psnr", "rgb_psnr", "stored_psnr"), torch.cat(parts).mean(0).tolist(), strict=True))


def read_squares(folders: Sequence[Path], *, most: int | None = None) -> Tensor:
    """Squares uint8 `[N, 3, 128, 128]`: the middle of each photograph below the folders, or of `most` of them, evenly
    spread over the list, cut into four."""
    reader, paths = ImageReader(size=_SIDE * _CUTS), list_images(*folders)
    whole = torch.stack([read_image(path, reader) for path in paths[:: -(-len(paths) // (most or len(paths)))]])
    tiles = whole.reshape(len(whole), 3, _CUTS, _SIDE, _CUTS, _SIDE)
    squares: Tensor = tiles.permute(0, 2, 4, 1, 3, 5).flatten(0, 2).contiguous()
    return squares


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


def _resize(x: Tensor, side: int) -> Tensor:
    if x.shape[-1] == side:
        return x
    return interpolate(x, (side, side), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
