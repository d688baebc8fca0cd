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
from torch.nn.functional import cross_entropy, pixel_unshuffle
from torch.utils.data import DataLoader, Dataset, TensorDataset

from benchmarks.images import Images, labels, paths, read_image
from benchmarks.tasks.networks import Convolutions, Transformer
from benchmarks.tasks.task import Arm, Figure, Task, autocast, made_once, scales
from walloc_data import Codec, CodecConfig, ImageReader, LatentDataset, fit, load_codec, shard_dataset
from walloc_data.transforms import RandomFlip

_FIT_IMAGES, _KNOWN = 512, 256  # of train: what codecs are fitted to, and what means and variances are taken of
_ALL = "all pixels, JPEG 95"


def _latents(codec: str, /, **options: Any) -> Arm:
    return Arm(**{"name": f"latents {codec}", "codec": codec, "against": _ALL} | options)


PLAIN = (
    Arm(name="pixels / 4, JPEG 95", fold=2, quality=95, against=_ALL),
    Arm(name="pixels / 2, JPEG 95", fold=4, quality=95, against=_ALL),
    Arm(name="all pixels, raw", against=_ALL),
    Arm(name=_ALL, quality=95, against=_ALL),
    Arm(name="all pixels, JPEG 50", quality=50, against=_ALL),
    _latents("rgb-f8c12"),
    _latents("rgb-f8c48"),
)
FEW = tuple(arm for arm in PLAIN if arm.name not in ("all pixels, raw", "all pixels, JPEG 50"))
SCALES = (
    *(
        _latents(name, name=f"latents {name}{what}", power=power, against=f"latents {name}")
        for name in ("rgb-f8c12", "rgb-f8c48")
        for what, power in (("", 0.0), (", square root", 0.5), (", unit variance", 1.0))
    ),
    _latents("fitted", name="latents fitted-c12", channels=(12,), against="latents rgb-f8c12"),
)
CODECS = (
    *(
        _latents(name, name=f"latents {name}{what}", coarser=coarser, against=f"latents {name}")
        for name in ("rgb-f8c12", "rgb-f8c48")
        for what, coarser in (("", 1), (", steps x 2", 2), (", steps x 4", 4))
    ),
    _latents("rgb-f8c12-detail", against="latents rgb-f8c12"),
)


class Pixels(Dataset[tuple[Tensor, int]]):
    """JPEG files by number, with their labels: uint8 `[3, side, side]` and an int."""

    def __init__(self, folder: Path, labels: Sequence[int]) -> None:
        self.folder, self.labels = folder, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        with Image.open(self.folder / f"{index:06d}.jpg") as image:
            return torch.from_numpy(np.array(image)).permute(2, 0, 1), self.labels[index]


@dataclass(frozen=True)
class StoredImages:
    """`to_input(batch, augment)` makes float32 `[B, channels, grid, grid]` of what the splits give."""

    train: Dataset[Any]
    val: Dataset[Any]
    channels: int
    sample_bytes: float
    to_input: Callable[[Tensor, bool], Tensor]

    def batches(self, order: torch.Generator) -> DataLoader[Any]:
        return DataLoader(self.train, batch_size=ImageTask.batch, shuffle=True, drop_last=True, generator=order)


@dataclass(frozen=True, kw_only=True)
class ImageTask(Task):
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
    figures: tuple[Figure, ...] = (Figure("accuracy", "accuracy, %", 100, 1),)

    def prepare(self, arm: Arm, work: Path) -> StoredImages:
        return _store_latents(self, arm, work) if arm.codec else _store_pixels(self, arm, work)

    def network(self, data: StoredImages) -> nn.Module:
        shape = data.channels, len(self.source.class_names), self.size // self.factor
        return Transformer(*shape) if self.transformer else Convolutions(*shape, places=self.places)

    def loss(self, model: nn.Module, data: StoredImages, batch: Any) -> Tensor:
        inputs = data.to_input(batch[0], True)
        with autocast():
            answers = model(inputs).float()
        return cross_entropy(answers, batch[1])

    def judge(self, model: nn.Module, data: StoredImages) -> dict[str, Any]:
        batches = DataLoader(data.val, batch_size=self.batch)
        right = [model(data.to_input(x, False)).argmax(1) == y for x, y in batches]
        return {"accuracy": torch.cat(right).double().mean().item()}


def _codec(task: ImageTask, arm: Arm) -> Codec:
    if arm.codec != "fitted":
        return load_codec(arm.codec or "").coarser(arm.coarser)
    reader, files = ImageReader(size=task.size), paths(task.source.splits["train"])
    images = [read_image(path, reader)[None] for path in files[:: -(-len(files) // _FIT_IMAGES)]]
    levels, (channels,) = task.factor.bit_length() - 1, arm.channels
    config = CodecConfig(
        name=f"fitted-c{channels}", kind="image", signal_channels=3, dims=2, levels=levels, wavelet="10/18"
    )
    return fit(images, config, channels=channels).coarser(arm.coarser)


def _store_latents(task: ImageTask, arm: Arm, work: Path) -> StoredImages:
    codec = _codec(task, arm)
    out = work / codec.name
    done = shard_dataset(task.source, out, codec=codec, reader=ImageReader(size=task.size), on_error="stop")
    train, val = LatentDataset(out, "train"), LatentDataset(out, "val")
    known = torch.stack([z for z, _ in train.__getitems__(range(min(_KNOWN, len(train))))])
    factors, flip = scales(codec.dequantize(known), arm.power)[:, None, None], RandomFlip(codec)

    def to_input(z: Tensor, augment: bool) -> Tensor:
        return codec.dequantize(flip(z) if augment and task.flips else z) * factors

    return StoredImages(train, val, codec.channels, done.dataset_bytes / done.samples, to_input)


def _store_pixels(task: ImageTask, arm: Arm, work: Path) -> StoredImages:
    fold = arm.fold or task.factor
    side = task.size // task.factor * fold
    out = made_once(
        work / f"{'raw' if arm.quality is None else f'jpeg{arm.quality}'}-{side}", partial(_save, task, arm)
    )
    splits: dict[str, Any] = {}
    for split, files in task.source.splits.items():
        splits[split] = Pixels(out / split, labels(files))
        if arm.quality is None:
            array = torch.from_numpy(np.load(out / f"{split}.npy", mmap_mode="c"))
            splits[split] = TensorDataset(array, torch.tensor(labels(files)))
    stored = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    train, val = splits["train"], splits["val"]
    known = torch.stack([train[index][0] for index in range(min(_KNOWN, len(train)))]).float()
    mean, deviation = known.mean((0, 2, 3))[:, None, None], known.std()

    def to_input(x: Tensor, augment: bool) -> Tensor:
        floats = (x - mean) / deviation
        if augment and task.flips:
            chosen = (torch.rand(len(x)) < 0.5)[:, None, None, None]
            floats = torch.where(chosen, floats.flip(-1), floats)
        return pixel_unshuffle(floats, fold)

    return StoredImages(train, val, 3 * fold**2, stored / (len(train) + len(val)), to_input)


def _save(task: ImageTask, arm: Arm, out: Path) -> None:
    """The images of a task, downscaled, as JPEG files or one array a split."""
    reader, side = ImageReader(size=task.size), task.size // task.factor * (arm.fold or task.factor)
    for split, files in task.source.splits.items():
        read = (Image.fromarray(read_image(path, reader).permute(1, 2, 0).numpy()) for path in paths(files))
        small = (picture.resize((side, side), Image.Resampling.LANCZOS) for picture in read)
        if arm.quality is None:
            np.save(out / f"{split}.npy", np.stack([np.asarray(picture).transpose(2, 0, 1) for picture in small]))
            continue
        (out / split).mkdir()
        for number, picture in enumerate(small):
            picture.save(out / split / f"{number:06d}.jpg", quality=arm.quality)
