"""Input arms: one way each to store the samples of a task, read them, and give them to the network on the same grid."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pixel_unshuffle
from torch.utils.data import Dataset

from benchmarks.images import paths, read_image
from benchmarks.tasks.pixels import store_jpeg, store_raw, window
from benchmarks.tasks.task import Task
from walloc_data import Codec, CodecConfig, ImageReader, LatentDataset, fit, load_codec, shard_dataset
from walloc_data.transforms import CenterCrop, RandomCrop, RandomFlip

__all__ = ["ARMS", "FEWER_ARMS", "Arm", "Prepared", "prepare"]

_FITTED, _FIT_IMAGES = "fitted-c", 512
_KNOWN = 256  # samples of train that means and variances are taken of


@dataclass(frozen=True, kw_only=True)
class Arm:
    """Latents of a `codec`, or pixels downscaled so that a position holds `fold` x `fold` of them (None: all of them).

    `codec` is one of the zoo, or `fitted-c12` (or another number) for one of 12 channels that is fitted to the task's
    own images to train on. Its steps are multiplied by `coarser`. Pixels are JPEG files of a `quality`, or raw (None).
    Latents are scaled by their channels' standard deviation to the power of `-power`: 0 is one scale for all
    (`Codec.dequantize`), 1 unit variance. Without `stem` the first layer takes the channels as they are. `against`
    names the arm that it is compared to.

    Images are stored `canvas` pixels a side larger than the task has them; windows of the task's size are trained on,
    of any place (of the grid's positions, or with `any_pixel` of pixels), and the middle is validated on. With `mixup`,
    inputs and answers of two samples are mixed by a share drawn from Beta(mixup, mixup) (Zhang et al., ICLR 2018).
    """

    name: str
    codec: str | None = None
    coarser: float = 1.0
    fold: int | None = None
    quality: int | None = None
    power: float = 0.0
    stem: bool = True
    canvas: int = 0
    any_pixel: bool = False
    mixup: float = 0.0
    against: str = "all pixels, JPEG 95"


ARMS = (
    Arm(name="pixels / 4, JPEG 95", fold=2, quality=95),
    Arm(name="pixels / 2, JPEG 95", fold=4, quality=95),
    Arm(name="all pixels, raw"),
    Arm(name="all pixels, JPEG 95", quality=95),
    Arm(name="all pixels, JPEG 50", quality=50),
    Arm(name="latents rgb-f8c12", codec="rgb-f8c12"),
    Arm(name="latents rgb-f8c48", codec="rgb-f8c48"),
)
FEWER_ARMS = (
    *(arm for arm in ARMS if arm.name not in ("all pixels, raw", "all pixels, JPEG 50")),
    Arm(name="latents rgb-f8c12, square root", codec="rgb-f8c12", power=0.5),
    Arm(name="latents rgb-f8c48, square root", codec="rgb-f8c48", power=0.5),
    Arm(name="latents rgb-f8c48, unit variance", codec="rgb-f8c48", power=1.0),
)


@dataclass(frozen=True)
class Prepared:
    """An arm's data on disk: the splits, `channels` a position, bytes stored a sample.

    `to_input(batch, augment)` makes float32 `[B, channels, grid, grid]` of what the loader gives.
    """

    train: Dataset[tuple[Tensor, int]]
    val: Dataset[tuple[Tensor, int]]
    channels: int
    sample_bytes: float
    to_input: Callable[[Tensor, bool], Tensor]


def prepare(task: Task, arm: Arm, work: Path) -> Prepared:
    """Store a task's samples as an arm wants them, below `work`; what is there already is used again."""
    return _pixels(task, arm, work) if arm.codec is None else _latents(task, arm, work)


def _codec(task: Task, arm: Arm) -> Codec:
    """A codec of the zoo, or one fitted to at most 512 of the task's images, with the arm's steps."""
    name = arm.codec or ""
    if not name.startswith(_FITTED):
        return load_codec(name).coarser(arm.coarser)
    reader = ImageReader(size=task.size)
    files = paths(task.source.splits["train"])
    images = [read_image(path, reader)[None] for path in files[:: -(-len(files) // _FIT_IMAGES)]]
    config = CodecConfig(
        name=name, kind="image", signal_channels=3, dims=2, levels=task.factor.bit_length() - 1, wavelet="10/18"
    )
    return fit(images, config, channels=int(name.removeprefix(_FITTED))).coarser(arm.coarser)


def _latents(task: Task, arm: Arm, work: Path) -> Prepared:
    codec = _codec(task, arm)
    out = work / (codec.name + _canvas(arm))
    reader = ImageReader(size=task.size + arm.canvas)
    summary = shard_dataset(task.source, out, codec=codec, reader=reader, on_error="stop")
    train, val = LatentDataset(out, "train"), LatentDataset(out, "val")
    scales, flip = _channel_scales(train, arm.power), RandomFlip(codec)
    anywhere, middle = RandomCrop(codec, task.grid), CenterCrop(codec, task.grid)

    def to_input(z: Tensor, augment: bool) -> Tensor:
        if arm.canvas:
            z = (anywhere if augment else middle)(z)
        return codec.dequantize(flip(z) if augment and task.flips else z) * scales

    return Prepared(train, val, codec.channels, summary.dataset_bytes / summary.samples, to_input)


def _channel_scales(train: LatentDataset, power: float) -> Tensor:
    """Factors `[c, 1, 1]` that go with `dequantize`; what they make has the variance that `dequantize` gives in all."""
    known = torch.stack([z for z, _ in train.__getitems__(range(min(_KNOWN, len(train))))])
    deviation = train.codec.dequantize(known).transpose(0, 1).flatten(1).std(1).clamp_min(1e-3)
    scales = deviation**-power
    return (scales * (deviation.square().mean() / (deviation * scales).square().mean()).sqrt())[:, None, None]


def _pixels(task: Task, arm: Arm, work: Path) -> Prepared:
    fold, size = arm.fold or task.factor, task.size + arm.canvas
    side = size // task.factor * fold
    splits: dict[str, Any]
    if arm.quality is None:
        out = work / f"raw-{side}{_canvas(arm)}"
        splits = dict(store_raw(task.source, out, size=size, side=side))
    else:
        out = work / f"jpeg{arm.quality}-{side}{_canvas(arm)}"
        splits = dict(store_jpeg(task.source, out, size=size, side=side, quality=arm.quality))
    stored = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    train, val = splits["train"], splits["val"]
    known = torch.stack([train[index][0] for index in range(min(_KNOWN, len(train)))]).float()
    mean, deviation = known.mean((0, 2, 3))[:, None, None], known.std()

    def to_input(x: Tensor, augment: bool) -> Tensor:
        x = window(x, task.grid * fold, step=1 if arm.any_pixel else fold, anywhere=augment)
        floats = (x - mean) / deviation
        if augment and task.flips:
            chosen = (torch.rand(len(x)) < 0.5)[:, None, None, None]
            floats = torch.where(chosen, floats.flip(-1), floats)
        return pixel_unshuffle(floats, fold)

    return Prepared(train, val, 3 * fold**2, stored / (len(train) + len(val)), to_input)


def _canvas(arm: Arm) -> str:
    return f"+{arm.canvas}" if arm.canvas else ""
