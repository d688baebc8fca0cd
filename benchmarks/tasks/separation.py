"""One instrument out of a mixture: songs of 1.5 seconds at 44.1 kHz, one channel.

Random notes of melody, chords, bass and drums are played by a General MIDI soundfont (`songs`) and mixed at random
gains. Songs to validate on are others, played by the same instruments.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.sound_peers import flac
from benchmarks.tasks.networks import Added
from benchmarks.tasks.songs import LENGTH, RATE, ROLES, render_stems
from benchmarks.tasks.stored import Latents, fitted, shard
from benchmarks.tasks.task import Arm, Figure, Stored, Task
from walloc_data import Options
from walloc_data.train.similarity import si_sdr

FACTOR = 128  # samples of the full rate that a position of the network's grid stands for
_LEVELS, _WAVELET = 7, "sym16"  # of the wavelets tried the one of fewest bytes and least error but for slower ones
_FIT_SONGS, _KNOWN, _AT_ONCE = 64, 64, 16
_WIDTH, _DILATIONS = 96, (1, 2, 4, 8, 1, 2)
_FLOOR = 1e-3  # of the mixtures' variance: smaller errors hardly count
_GAIN, _PEAK, _SMALL = 6.0, 0.9, 1e-8  # dB; a stem's level is drawn from -6 to 6; the loudest sample of a song
_ALL = "all samples"

_SAMPLES = (Arm(name=_ALL, against=_ALL), *(Arm(name=f"rate / {n}", downscaled=n, against=_ALL) for n in (2, 4, 8)))
_LATENTS = tuple(
    Arm(name=f"latents f{FACTOR}c{channels}", codec="fitted", channels=(channels,), against=_ALL)
    for channels in (16, 32, 64, 128)
)
_UNIT = replace(_LATENTS[1], name=f"{_LATENTS[1].name}, unit variance", power=1.0)
_SETS = {"": (*_SAMPLES[:2], *_LATENTS[2:]), "more": (*_SAMPLES, *_LATENTS, _UNIT)}


class Samples:
    """Int16 signals `[..., LENGTH]` at the rate of which so many samples stand at a position; a network gets those of
    unit variance in some that are `known`."""

    def __init__(self, channels: int, known: Tensor) -> None:
        self.channels = channels
        self._deviation = self.store(known).float().std()

    def store(self, x: Tensor) -> Tensor:
        parts = [resample(part.float(), LENGTH * self.channels // FACTOR) for part in torch.split(x, _AT_ONCE)]
        return torch.cat(parts).round().clamp(-32768, 32767).to(torch.int16)

    def to_network(self, kept: Tensor) -> Tensor:
        return fold(kept.float() / self._deviation, self.channels)

    def to_signal(self, floats: Tensor) -> Tensor:
        return resample(unfold(floats) * (self._deviation / 32768), LENGTH)


class Separation(Task):
    """Pairs of mixture and stem, int16 `[songs, 2, LENGTH]` a split."""

    batch, decay, clip = 4, 0.01, 1.0
    sets = _SETS
    figures = (
        Figure("si_sdr", "SI-SDR, dB"),
        Figure("improvement", "improvement, dB"),
        Figure("ceiling", "true stem, dB", 1, 1),
        Figure("signal_rate", "bytes a second", 1, 0),
    )

    def __init__(self, stem: str, signals: Mapping[str, Tensor], *, epochs: int = 4) -> None:
        self.name, self.signals, self.epochs = f"separation_{stem}_{epochs}", signals, epochs

    def prepare(self, arm: Arm, work: Path) -> Stored:
        """Pairs as they are stored, held in memory."""
        train = self.signals["train"]
        if arm.codec:
            known = torch.split(train[:_FIT_SONGS, :1], _AT_ONCE)
            codec = fitted(known, arm.channels[0], kind="audio", levels=_LEVELS, wavelet=_WAVELET)
            samples = {split: pairs.flatten(0, 1)[:, None].numpy() for split, pairs in self.signals.items()}
            sharded, size = shard(samples, work / codec.name, codec, options=Options(shuffle=False))
            kept = [torch.unflatten(torch.stack([z for z, _ in each]), 0, (-1, 2)) for each in sharded]
            form: Any = Latents(codec, kept[0][:_KNOWN, 0], arm.power)
        else:
            form = Samples(FACTOR // arm.downscaled, train[:_KNOWN, 0])
            kept = [form.store(x) for x in self.signals.values()]
            size = float(kept[0][0, 0].nbytes)
        splits = dict(zip(("train", "val"), map(TensorDataset, kept), strict=True))
        return Stored(**splits, form=form, channels=form.to_network(kept[0][:1]).shape[2], sample_bytes=size)

    def network(self, data: Stored) -> nn.Module:
        def layer(inputs: int, outputs: int, reach: int = 1) -> nn.Conv1d:
            return nn.Conv1d(inputs, outputs, 3, padding=reach, dilation=reach)

        w, first = _WIDTH, layer(data.channels, _WIDTH)
        blocks = [Added(nn.BatchNorm1d(w), nn.ReLU(), layer(w, w, reach)) for reach in _DILATIONS]
        return nn.Sequential(first, *blocks, layer(w, data.channels))

    def loss(self, model: nn.Module, data: Stored, batch: Any) -> Tensor:
        """The error in dB, so that loud songs do not count for more."""
        mixtures, stems = data.form.to_network(batch[0]).unbind(1)
        error = (model(mixtures) - stems).square().mean((1, 2))
        return 10 * torch.log10(error + _FLOOR).mean()

    def judge(self, model: nn.Module, data: Stored) -> dict[str, Any]:
        """SI-SDR of the network's stems, what that is more than the mixture's, and that of the true stems as they are
        stored."""
        found = []
        for (pairs,) in DataLoader(data.val, self.batch):
            mixtures, stems = data.form.to_network(pairs).unbind(1)
            signals = (data.form.to_signal(x) for x in (model(mixtures), stems))
            found.append(torch.stack([x.reshape(len(pairs), LENGTH) for x in signals]))
        mixture, stem = self.signals["val"].unbind(1)
        made, ceiling = (si_sdr(x, stem) for x in torch.cat(found, 1))
        rate = data.sample_bytes / (LENGTH / RATE)
        return {"si_sdr": made, "improvement": made - si_sdr(mixture, stem), "ceiling": ceiling, "signal_rate": rate}

    def facts(self) -> dict[str, Any]:
        """Bytes of FLAC a second of samples to validate on, by arm."""
        found = {}
        for arm in _SAMPLES:
            form = Samples(FACTOR // arm.downscaled, self.signals["train"][:_KNOWN, 0])
            floats = form.store(self.signals["val"]).flatten(0, 1).numpy() / np.float32(32768)
            sizes = (len(flac(x[None], RATE * form.channels // FACTOR)) for x in floats)
            found[arm.name] = mean(sizes) / (LENGTH / RATE)
        return {"flac": found}


def load_songs(work: Path, stem: str, train: int = 800, val: int = 100) -> dict[str, Tensor]:
    """Mixture and stem, int16 `[songs, 2, LENGTH]` a split, of songs rendered below `work`; see `render_stems`."""
    signals = {}
    for split, count in (("train", train), ("val", val)):
        names = [f"{split} {number}" for number in range(count)]
        stems = torch.from_numpy(render_stems(work / f"songs-{split}-{count}", names))
        gains = (2 * torch.rand(stems.shape[:2], generator=torch.Generator().manual_seed(count)) - 1) * _GAIN
        mixed = (mix(*parts) for parts in zip(torch.split(stems, _AT_ONCE), torch.split(gains, _AT_ONCE), strict=True))
        chosen = [0, 1 + ROLES.index(stem)]
        signals[split] = torch.cat([(part[:, chosen] * 32767).round().to(torch.int16) for part in mixed])
    return signals


def mix(stems: Tensor, gains: Tensor) -> Tensor:
    """Mixture and stems, `[B, 1 + S, samples]` in [-0.9, 0.9], of stems `[B, S, samples]` and gains in dB `[B, S]`.

    A stem's gain is to a common level (root mean square); all of a song are then scaled by one factor, so that the
    loudest sample of all is 0.9. Silence stays silent.
    """
    level = stems.square().mean(-1).sqrt().clamp_min(_SMALL)
    scaled = stems * (10 ** (gains / 20) / level)[..., None]
    signals = torch.cat([scaled.sum(1, keepdim=True), scaled], 1)
    return signals * (_PEAK / signals.abs().amax((1, 2)).clamp_min(_SMALL))[:, None, None]


def resample(x: Tensor, samples: int) -> Tensor:
    """Signals `[..., n]` at another rate, `[..., samples]`: the band both rates have, cut off as steeply as can be.

    The signal is taken to go round, as the codec's wavelets take it.
    """
    if samples == x.shape[-1]:
        return x
    kept = min(x.shape[-1], samples) // 2  # without the bin at half the lower rate, which stands for two
    found: Tensor = torch.fft.irfft(torch.fft.rfft(x)[..., :kept], samples) * (samples / x.shape[-1])
    return found


def fold(x: Tensor, factor: int) -> Tensor:
    """Signals `[..., n]` to `[..., factor, n / factor]`, consecutive samples at one position (space-to-depth)."""
    return x.reshape(*x.shape[:-1], -1, factor).transpose(-1, -2)


def unfold(x: Tensor) -> Tensor:
    """The inverse of `fold`."""
    return x.transpose(-1, -2).flatten(-2)
