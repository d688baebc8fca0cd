"""How samples are stored: as latents of codecs, of the zoo or fitted, and in folders that are made once."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from walloc_data import Codec, CodecConfig, LatentDataset, fit, shard_dataset
from walloc_data.transforms import flip


def fitted(batches: Sequence[Tensor], channels: int, *, wavelet: str = "10/18", **config: Any) -> Codec:
    """A codec of so many channels, with a `kind` and `levels`, fitted to batches `[B, C, *space]`."""
    config |= {"signal_channels": batches[0].shape[1], "dims": batches[0].dim() - 2}
    return fit(batches, CodecConfig(name=f"fitted-c{channels}", wavelet=wavelet, **config), channels=channels)


def shard(source: Any, out: Path, codec: Codec, **options: Any) -> tuple[list[LatentDataset], float]:
    """Latents of the splits `train` and `val`, and the bytes a sample of their shards: a codec is stored once, however
    many samples there are, and a learned one is as large as a thousand of them."""
    done = shard_dataset(source, out, codec=codec, on_error="stop", **options)
    stored = sum(path.stat().st_size for path in out.glob("*.tar"))
    return [LatentDataset(out, split) for split in ("train", "val")], stored / done.samples


class Latents:
    """Signals `[B, C, *space]` as int8 latents; of these floats for a network; and back. `known` are latents
    `[N, c, ...]` whose channels say how `power` scales; what it makes of them has their variance in all."""

    def __init__(self, codec: Codec, known: Tensor | None = None, power: float = 0.0) -> None:
        shape, factors = (-1, *[1] * codec.config.dims), torch.ones(codec.channels)
        if known is not None:
            deviation = codec.dequantize(known).transpose(0, 1).flatten(1).std(1).clamp_min(1e-3)
            factors = deviation**-power
            factors *= (deviation.square().mean() / (deviation * factors).square().mean()).sqrt()
        self.codec, self.factors = codec, factors.reshape(shape)
        self._units = self.factors * (codec.steps * codec.scale).reshape(shape)

    def store(self, x: Tensor) -> Tensor:
        return self.codec.encode(x)

    def flip(self, kept: Tensor) -> Tensor:
        return flip(kept, self.codec)

    def to_network(self, kept: Tensor) -> Tensor:
        return self.codec.dequantize(kept) * self.factors

    def to_signal(self, floats: Tensor) -> Tensor:
        z = (floats / self._units).round().clamp(-127, 127).to(torch.int8)
        return torch.cat([self.codec.decode(part) for part in torch.split(z, 64)])


def made_once(out: Path, make: Callable[[Path], None]) -> Path:
    """The folder `out`, which `make` fills where it is not there; what was broken off is made anew."""
    if not out.exists():
        unfinished = out.with_name(out.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        make(unfinished)
        unfinished.rename(out)
    return out
