"""Tasks of one answer an image: what arms store of images, and how networks are trained on it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import pixel_unshuffle
from torch.utils.data import Dataset

from benchmarks.images import Images, labels, paths, read_image
from benchmarks.tasks.networks import convolutions
from benchmarks.tasks.stored import Latents, fitted, made_once, shard
from benchmarks.tasks.task import Arm, ClassTask, Stored
from walloc_data import Codec, ImageReader, load_codec

SIDE, _ALL = 128, "all pixels, JPEG 95"
_FIT_IMAGES, _KNOWN = 512, 256  # of train: what codecs are fitted to, and what means and variances are taken of


def pixels(downscaled: int = 1, quality: int | None = 95) -> Arm:
    """Pixels, as JPEG files or raw."""
    name = f"pixels / {downscaled}" if downscaled > 1 else "all pixels"
    name += f", JPEG {quality}" if quality else ", raw"
    return Arm(name=name, downscaled=downscaled, quality=quality, against=_ALL)


def latents(codec: str, against: str = _ALL) -> Arm:
    """Latents of a codec."""
    return Arm(name=f"latents {codec}", codec=codec, against=against)


def changed(changes: Mapping[str, tuple[str, float]]) -> tuple[Arm, ...]:
    """Latents of two codecs, and such that differ, by how their names go on: in a suffix of the codec, in `power`."""
    return tuple(
        Arm(name=f"latents {codec}{what}", codec=codec + suffix, power=power, against=f"latents {codec}")
        for codec in ("rgb-f8c12", "rgb-f8c48")
        for what, (suffix, power) in {"": ("", 0.0), **changes}.items()
    )


FEW = pixels(4), pixels(2), pixels(), latents("rgb-f8c12"), latents("rgb-f8c48")
PLAIN = *FEW[:2], pixels(quality=None), FEW[2], pixels(quality=50), *FEW[3:]
FITTED = Arm(name="latents fitted-c12", codec="fitted", channels=(12,), against="latents rgb-f8c12")
SCALES = *changed({", square root": ("", 0.5), ", unit variance": ("", 1.0)}), FITTED
DETAIL = latents("rgb-f8c12-detail", "latents rgb-f8c12")
COARSER = changed({", steps x 2": ("x2", 0.0), ", steps x 4": ("x4", 0.0)})
CODECS = *COARSER, DETAIL
LEARNED = changed({"-learned": ("-learned", 0.0)})


class Pixels(Dataset[tuple[Tensor, int]]):
    """Image files with their labels: uint8 `[3, side, side]` and an int."""

    def __init__(self, folder: Path, labels: Sequence[int]) -> None:
        self.files, self.labels = sorted(folder.iterdir()), labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        with Image.open(self.files[index]) as image:
            return torch.from_numpy(np.array(image)).permute(2, 0, 1), self.labels[index]


class Folded:
    """Pixels, `fold` a side at a position of the grid, with the mean and the variance of some taken away."""

    def __init__(self, known: Tensor, fold: int) -> None:
        self.fold, self.mean, self.deviation = fold, known.mean((0, 2, 3))[:, None, None], known.std()

    def flip(self, kept: Tensor) -> Tensor:
        return kept.flip(-1)

    def to_network(self, kept: Tensor) -> Tensor:
        return pixel_unshuffle((kept - self.mean) / self.deviation, self.fold)


@dataclass(kw_only=True)
class ImageTask(ClassTask):
    """Images `source` (splits `train` and `val`) at 128 pixels a side, and which of `classes` each shows.

    `net` makes the network for so many channels, classes and positions a side of its grid, each of which stands for
    `factor` pixels. `flips`: whether mirrored images count as the same.
    """

    name: str
    source: Images
    epochs: int
    sets: Mapping[str, Sequence[Arm]]
    factor: int = 8
    net: Callable[[int, int, int], nn.Module] = convolutions
    flips: bool = False

    def prepare(self, arm: Arm, work: Path) -> Stored:
        splits = list[Any]()
        if arm.codec:
            codec = self._fitted(*arm.channels) if arm.channels else load_codec(arm.codec)
            splits, size = shard(self.source, work / codec.name, codec, reader=ImageReader(size=SIDE))
        else:
            side = SIDE // arm.downscaled
            out = work / f"{'raw' if arm.quality is None else f'jpeg{arm.quality}'}-{side}"
            made_once(out, partial(self._save, side, arm.quality))
            splits = [Pixels(out / split, labels(self.source.splits[split])) for split in ("train", "val")]
            size = sum(path.stat().st_size for path in out.glob("*/*")) / sum(map(len, splits))
        train, val = splits
        known = torch.stack([train[index][0] for index in range(min(_KNOWN, len(train)))])
        form = Latents(codec, known, arm.power) if arm.codec else Folded(known.float(), self.factor // arm.downscaled)
        channels = len(form.to_network(known[:1])[0])
        return Stored(train=train, val=val, form=form, channels=channels, sample_bytes=size)

    def network(self, data: Stored) -> nn.Module:
        return self.net(data.channels, len(self.source.class_names), SIDE // self.factor)

    def inputs(self, data: Stored, x: Tensor, *, augment: bool) -> Tensor:
        if augment and self.flips:
            x = torch.where((torch.rand(len(x)) < 0.5)[:, None, None, None], data.form.flip(x), x)
        floats: Tensor = data.form.to_network(x).contiguous(memory_format=torch.channels_last)
        return floats

    def facts(self) -> dict[str, Any]:
        samples = {split: len(files) for split, files in self.source.splits.items()}
        return {"samples": samples, "choices": len(self.source.class_names)}

    def _fitted(self, channels: int) -> Codec:
        files, levels = paths(self.source.splits["train"]), self.factor.bit_length() - 1
        some = [read_image(path, ImageReader(size=SIDE))[None] for path in files[:: -(-len(files) // _FIT_IMAGES)]]
        return fitted(some, channels, kind="image", levels=levels)

    def _save(self, side: int, quality: int | None, out: Path) -> None:
        """All images, downscaled, as JPEG files, or raw."""
        reader, suffix = ImageReader(size=SIDE), "bmp" if quality is None else "jpg"
        for split, files in self.source.splits.items():
            (out / split).mkdir()
            for number, path in enumerate(paths(files)):
                picture = Image.fromarray(read_image(path, reader).permute(1, 2, 0).numpy())
                small = picture.resize((side, side), Image.Resampling.LANCZOS)
                small.save(out / split / f"{number:06d}.{suffix}", quality=quality)
