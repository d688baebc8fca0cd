"""Input arms of sound: one way each to store mixtures and stems, and to give them to a network on the same grid."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.tasks.pairs import Pairs, folder_bytes, store_arrays, store_latents
from benchmarks.tasks.songs import LENGTH
from benchmarks.tasks.sound import fold, resample, unfold
from walloc_data import Codec, CodecConfig, fit, load_codec
from walloc_data.codec import LATENT_MAX
from walloc_data.codec.fused import encode_linear, synthesize_fast
from walloc_data.codec.packets import parity_classes

__all__ = ["FACTOR", "SOUND_ARMS", "PreparedSound", "SoundArm", "prepare_sound"]

FACTOR = 128  # samples of the full rate that a position of the network's grid stands for
_LEVELS, _WAVELET = 7, "sym16"  # of the wavelets tried the one of fewest bytes and least error but for slower ones
_FIT_SONGS, _KNOWN, _BATCH = 64, 64, 16


@dataclass(frozen=True, kw_only=True)
class SoundArm:
    """Latents of `channels`, of a codec fitted to mixtures; or samples, at a rate lowered so that a position of the
    grid holds `channels` of them (128: the full rate).

    Latents are int8 or, not `quantised`, float32. They are given to the network divided by their channels' standard
    deviation to the power of `power` (0: as `Codec.dequantize` gives them), and it is judged by its error in numbers
    scaled like that, or with `plain_loss` in those of `dequantize`.
    """

    name: str
    channels: int
    latents: bool = False
    quantised: bool = True
    power: float = 0.0
    plain_loss: bool = False


SOUND_ARMS = (
    SoundArm(name="all samples", channels=128),
    SoundArm(name="rate / 2", channels=64),
    SoundArm(name="rate / 4", channels=32),
    SoundArm(name="rate / 8", channels=16),
    SoundArm(name="latents f128c16", channels=16, latents=True),
    SoundArm(name="latents f128c32", channels=32, latents=True),
    SoundArm(name="latents f128c64", channels=64, latents=True),
    SoundArm(name="latents f128c128", channels=128, latents=True),
    SoundArm(name="latents f128c32, not quantised", channels=32, latents=True, quantised=False),
    SoundArm(name="latents f128c32, unit variance", channels=32, latents=True, power=1.0),
    SoundArm(name="latents f128c32, unit variance, loss not", channels=32, latents=True, power=1.0, plain_loss=True),
)


@dataclass(frozen=True)
class PreparedSound:
    """An arm's data on disk: the splits, bytes stored a signal.

    `to_input` makes float32 `[..., channels, n]`, in the mean of unit variance in mixtures, of what the loader gives;
    `to_wave` waveforms `[B, LENGTH]` at the full rate of such numbers. The loss is of numbers times `weights`.
    """

    splits: dict[str, Pairs]
    signal_bytes: float
    to_input: Callable[[Tensor], Tensor]
    to_wave: Callable[[Tensor], Tensor]
    weights: Tensor


def prepare_sound(signals: Mapping[str, Tensor], arm: SoundArm, work: Path) -> PreparedSound:
    """Store pairs, int16 `[songs, 2, LENGTH]` a split, as an arm wants them, below `work`; made once."""
    if not arm.latents:
        return _samples(signals, arm, work / f"samples-{arm.channels}")
    out = work / f"latents-{arm.channels}"
    codec = _codec(signals["train"], arm.channels, out)
    return _quantised(signals, arm, out, codec) if arm.quantised else _unquantised(signals, arm, work, codec)


def _samples(signals: Mapping[str, Tensor], arm: SoundArm, out: Path) -> PreparedSound:
    length = LENGTH * arm.channels // FACTOR

    def stored(batch: Tensor) -> Tensor:
        x = batch.float() if length == LENGTH else resample(batch.float(), length)
        return x.round().clamp(-32768, 32767).to(torch.int16)

    splits = store_arrays(signals, out, stored)
    deviation = _known(splits["train"]).float().std()

    def to_wave(x: Tensor) -> Tensor:
        wave = unfold(x) * (deviation / 32768)
        return wave if length == LENGTH else resample(wave, LENGTH)

    return PreparedSound(
        splits,
        _signal_bytes(out, splits),
        lambda x: fold(x.float() / deviation, arm.channels),
        to_wave,
        torch.ones(arm.channels, 1),
    )


def _quantised(signals: Mapping[str, Tensor], arm: SoundArm, out: Path, codec: Codec) -> PreparedSound:
    splits = store_latents(signals, out, codec)
    scales = _scales(codec.dequantize(_known(splits["train"])), arm.power)
    steps = (codec.steps * codec.scale)[:, None]

    def to_wave(x: Tensor) -> Tensor:
        z = (x / (scales * steps)).round().clamp(-LATENT_MAX, LATENT_MAX).to(torch.int8)
        return codec.decode(z)[:, 0]

    return PreparedSound(
        splits,
        _signal_bytes(out, splits),
        lambda z: codec.dequantize(z) * scales,
        to_wave,
        1 / scales if arm.plain_loss else torch.ones_like(scales),
    )


def _unquantised(signals: Mapping[str, Tensor], arm: SoundArm, work: Path, codec: Codec) -> PreparedSound:
    """The codec's numbers before they are rounded, and its decoder on floats."""
    config, out = codec.config, work / f"floats-{arm.channels}"

    def stored(batch: Tensor) -> Tensor:
        x = config.to_float(batch[:, None]) - codec.mean[:, None]
        return encode_linear(x, wavelet=_WAVELET, levels=_LEVELS, weight=codec.encoder, odd=codec.odd)

    splits = store_arrays(signals, out, stored)
    decoder = torch.zeros(arm.channels, config.packet_channels)
    for sides, index in parity_classes(1, _LEVELS, 1, wavelet=_WAVELET):
        rows = torch.nonzero((codec.odd == torch.tensor(sides)).all(1))[:, 0]
        decoder[rows[:, None], index] = codec.decoder[rows]

    def to_wave(x: Tensor) -> Tensor:
        packets = decoder.T @ (x / codec.scale)
        return (synthesize_fast(packets, wavelet=_WAVELET, levels=_LEVELS) + codec.mean[:, None])[:, 0]

    return PreparedSound(
        splits, _signal_bytes(out, splits), lambda y: y * codec.scale, to_wave, torch.ones(arm.channels, 1)
    )


def _codec(train: Tensor, channels: int, out: Path) -> Codec:
    """A codec fitted to mixtures, or the one that latents in `out` were made by."""
    if (out / "walloc.json").exists():
        return load_codec(out)
    config = CodecConfig(
        name=f"audio-f{FACTOR}c{channels}", kind="audio", signal_channels=1, dims=1, levels=_LEVELS, wavelet=_WAVELET
    )
    return fit([batch[:, :1] for batch in torch.split(train[:_FIT_SONGS], _BATCH)], config, channels=channels)


def _known(pairs: Pairs) -> Tensor:
    """Some mixtures as the loader gives them, to take variances of."""
    return torch.stack(pairs.__getitems__(list(range(min(_KNOWN, len(pairs))))))[:, 0]


def _scales(known: Tensor, power: float) -> Tensor:
    """Factors `[c, 1]`; what they make has the variance that `dequantize` gives in all."""
    deviation = known.transpose(0, 1).flatten(1).std(1).clamp_min(1e-3)
    scales = deviation**-power
    return (scales * (deviation.square().mean() / (deviation * scales).square().mean()).sqrt())[:, None]


def _signal_bytes(out: Path, splits: Mapping[str, Pairs]) -> float:
    return folder_bytes(out) / (2 * sum(map(len, splits.values())))
