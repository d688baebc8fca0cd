"""Tasks of one answer an image: what arms store of images, and how networks are trained on it."""

from collections.abc import Mapping, Sequence
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
from benchmarks.tasks.networks import Convolutions, Transformer
from benchmarks.tasks.stored import Latents, fitted, made_once, shard
from benchmarks.tasks.task import Arm, ClassTask, Stored
from walloc_data import ImageReader, load_codec

_FIT_IMAGES, _KNOWN = 512, 256  # of train: what codecs are fitted to, and what means and variances are taken of
_ALL = "all pixels, JPEG 95"


def pixels(name: str, fold: int | None = None, quality: int | None = 95) -> Arm:
    """Pixels, as JPEG files or raw."""
    return Arm(name=name, fold=fold, quality=quality, against=_ALL)


def latents(codec: str, what: str = "", *, against: str = _ALL, **options: Any) -> Arm:
    """Latents of a codec, their name going on with what is done to them."""
    return Arm(name=f"latents {codec}{what}", codec=codec, against=against, **options)


def changed(changes: Mapping[str, dict[str, Any]]) -> tuple[Arm, ...]:
    """Latents of two codecs as they are, and with changes that follow their names."""
    return tuple(
        latents(codec, what, against=f"latents {codec}", **options)
        for codec in ("rgb-f8c12", "rgb-f8c48")
        for what, options in [("", {}), *changes.items()]
    )


FEW = (
    *(pixels("pixels / 4, JPEG 95", 2), pixels("pixels / 2, JPEG 95", 4), pixels(_ALL)),
    *(latents("rgb-f8c12"), latents("rgb-f8c48")),
)
PLAIN = (*FEW[:2], pixels("all pixels, raw", None, None), FEW[2], pixels("all pixels, JPEG 50", None, 50), *FEW[3:])
FITTED = Arm(name="latents fitted-c12", codec="fitted", channels=(12,), against="latents rgb-f8c12")
SCALES = (*changed({", square root": {"power": 0.5}, ", unit variance": {"power": 1.0}}), FITTED)
DETAIL = latents("rgb-f8c12-detail", against="latents rgb-f8c12")
COARSER = changed({", steps x 2": {"coarser": 2}, ", steps x 4": {"coarser": 4}})
CODECS = (*COARSER, DETAIL)
LEARNED = tuple(
    latents(f"{name}{what}", against=f"latents {name}")
    for name in ("rgb-f8c12", "rgb-f8c48")
    for what in ("", "-learned")
)


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
    """Images `source` (splits `train` and `val`) at `size` pixels a side, and which of `classes` each shows.

    `factor`: pixels a side that a position of the network's grid stands for. `transformer`: whether positions are the
    tokens of one, or the network is convolutional. `places`: whether its last layer sees where things are. `flips`:
    whether mirrored images count as the same.
    """

    name: str
    source: Images
    epochs: int
    sets: Mapping[str, Sequence[Arm]]
    size: int = 128
    factor: int = 8
    transformer: bool = False
    places: bool = False
    flips: bool = False

    def prepare(self, arm: Arm, work: Path) -> Stored:
        fold, splits = arm.fold or self.factor, list[Any]()
        if arm.codec:
            config: dict[str, Any] = {"kind": "image", "levels": self.factor.bit_length() - 1}
            codec = fitted(self._some(), *arm.channels, **config) if arm.channels else load_codec(arm.codec)
            codec = codec.coarser(arm.coarser)
            splits, size = shard(self.source, work / codec.name, codec, reader=ImageReader(size=self.size))
        else:
            side = self.size // self.factor * fold
            out = work / f"{'raw' if arm.quality is None else f'jpeg{arm.quality}'}-{side}"
            made_once(out, partial(self._save, side, arm.quality))
            splits = [Pixels(out / split, labels(self.source.splits[split])) for split in ("train", "val")]
            size = sum(path.stat().st_size for path in out.glob("*/*")) / sum(map(len, splits))
        train, val = splits
        known = torch.stack([train[index][0] for index in range(min(_KNOWN, len(train)))])
        form = Latents(codec, known, arm.power) if arm.codec else Folded(known.float(), fold)
        channels = len(form.to_network(known[:1])[0])
        return Stored(train=train, val=val, form=form, channels=channels, sample_bytes=size)

    def network(self, data: Stored) -> nn.Module:
        shape = data.channels, len(self.source.class_names), self.size // self.factor
        return Transformer(*shape) if self.transformer else Convolutions(*shape, places=self.places)

    def inputs(self, data: Stored, x: Tensor, *, augment: bool) -> Tensor:
        if augment and self.flips:
            x = torch.where((torch.rand(len(x)) < 0.5)[:, None, None, None], data.form.flip(x), x)
        floats: Tensor = data.form.to_network(x)
        return floats

    def facts(self) -> dict[str, Any]:
        samples = {split: len(files) for split, files in self.source.splits.items()}
        return {"samples": samples, "choices": len(self.source.class_names)}

    def _some(self) -> list[Tensor]:
        """What codecs are fitted to."""
        reader, files = ImageReader(size=self.size), paths(self.source.splits["train"])
        return [read_image(path, reader)[None] for path in files[:: -(-len(files) // _FIT_IMAGES)]]

    def _save(self, side: int, quality: int | None, out: Path) -> None:
        """All images, downscaled, as JPEG files, or raw."""
        reader, suffix = ImageReader(size=self.size), "bmp" if quality is None else "jpg"
        for split, files in self.source.splits.items():
            (out / split).mkdir()
            for number, path in enumerate(paths(files)):
                picture = Image.fromarray(read_image(path, reader).permute(1, 2, 0).numpy())
                small = picture.resize((side, side), Image.Resampling.LANCZOS)
                small.save(out / split / f"{number:06d}.{suffix}", quality=quality)
