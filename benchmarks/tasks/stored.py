"""How samples are stored: as latents of codecs, of the zoo or fitted, and in folders that are made once."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.tasks.task import Arm
from walloc_data import Codec, CodecConfig, LatentDataset, Options, fit, load_codec, shard_dataset
from walloc_data.transforms import flip


def codec_of(arm: Arm, batches: Callable[[], Sequence[Tensor]], **config: Any) -> Codec:
    """The codec of an arm: fitted to batches `[B, C, *space]`, with a `kind` and `levels`, or one that there is."""
    if arm.codec != "fitted":
        return load_codec(arm.codec or "").coarser(arm.coarser)
    return fitted(batches(), arm.channels[0], **config).coarser(arm.coarser)


def fitted(batches: Sequence[Tensor], channels: int, *, wavelet: str = "10/18", **config: Any) -> Codec:
    """A codec of so many channels, fitted to batches `[B, C, *space]`."""
    shape: dict[str, Any] = {"signal_channels": batches[0].shape[1], "dims": batches[0].dim() - 2}
    whole = CodecConfig(name=f"fitted-c{channels}", wavelet=wavelet, **shape, **config)
    return fit(batches, whole, channels=channels)


def shard(source: Any, out: Path, codec: Codec, **options: Any) -> tuple[list[LatentDataset], float]:
    """Latents of the splits `train` and `val`, and the bytes a sample of their shards: a codec is stored once, however
    many samples there are, and a learned one is as large as a thousand of them."""
    write = Options(shuffle=options.pop("shuffle", True))
    done = shard_dataset(source, out, codec=codec, options=write, on_error="stop", **options)
    stored = sum(path.stat().st_size for path in out.glob("*.tar"))
    return [LatentDataset(out, split) for split in ("train", "val")], stored / done.samples


class Latents:
    """Signals `[B, C, *space]` as int8 latents; of these floats for a network, about of the variance that `dequantize`
    gives; and back. `known` are latents `[N, c, ...]` whose channels say how `power` scales."""

    def __init__(self, codec: Codec, known: Tensor | None = None, power: float = 0.0) -> None:
        dims = codec.config.dims
        factors = torch.ones(codec.channels) if known is None else scales(codec.dequantize(known), power)
        self.codec, self.factors = codec, factors.reshape(-1, *[1] * dims)
        self._units = self.factors * (codec.steps * codec.scale).reshape(-1, *[1] * dims)

    def store(self, x: Tensor) -> Tensor:
        return self.codec.encode(x)

    def flip(self, kept: Tensor) -> Tensor:
        return flip(kept, self.codec)

    def to_network(self, kept: Tensor) -> Tensor:
        return self.codec.dequantize(kept) * self.factors

    def to_signal(self, floats: Tensor) -> Tensor:
        z = (floats / self._units).round().clamp(-127, 127).to(torch.int8)
        return torch.cat([self.codec.decode(part) for part in torch.split(z, 64)])


def scales(known: Tensor, power: float) -> Tensor:
    """Factors `[c]` of channels, by some `[N, c, ...]`; what they make has the variance of these in all."""
    deviation = known.transpose(0, 1).flatten(1).std(1).clamp_min(1e-3)
    factors = deviation**-power
    return factors * (deviation.square().mean() / (deviation * factors).square().mean()).sqrt()


def made_once(out: Path, make: Callable[[Path], None]) -> Path:
    """The folder `out`, which `make` fills where it is not there; what was broken off is made anew."""
    if not out.exists():
        unfinished = out.with_name(out.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        make(unfinished)
        unfinished.rename(out)
    return out
