"""One instrument out of a mixture: songs of 1.5 seconds at 44.1 kHz, one channel.

Random notes of melody, chords, bass and drums are played by a General MIDI soundfont (`songs`) and mixed at random
gains. Songs to validate on are others, played by the same instruments.
"""

import io
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.tasks.networks import Residual
from benchmarks.tasks.songs import LENGTH, RATE, ROLES, render_stems
from benchmarks.tasks.task import Arm, Figure, Task, made_once, scales
from walloc_data import AudioReader, Codec, CodecConfig, LatentDataset, Options, fit, load_codec, shard_dataset
from walloc_data.train.similarity import si_sdr

FACTOR = 128  # samples of the full rate that a position of the network's grid stands for
_LEVELS, _WAVELET = 7, "sym16"  # of the wavelets tried the one of fewest bytes and least error but for slower ones
_FIT_SONGS, _KNOWN, _STORED = 64, 64, 16
_WIDTH, _DILATIONS = 96, (1, 2, 4, 8, 1, 2)
_FLOOR = 1e-3  # of the mixtures' variance: smaller errors hardly count
_GAIN, _PEAK, _SMALL = 6.0, 0.9, 1e-8  # dB; a stem's level is drawn from -6 to 6; the loudest sample of a song
_ALL, _HALF = "all samples", "rate / 2"


def _latents(channels: int, what: str = "", power: float = 0.0) -> Arm:
    name = f"latents f{FACTOR}c{channels}{what}"
    return Arm(name=name, codec="fitted", channels=(channels,), power=power, against=_ALL)


_MAIN = (Arm(name=_ALL, against=_ALL), Arm(name=_HALF, fold=64, against=_ALL), _latents(64), _latents(128))
_MORE = (
    *_MAIN[:2],
    Arm(name="rate / 4", fold=32, against=_ALL),
    Arm(name="rate / 8", fold=16, against=_ALL),
    *(_latents(channels) for channels in (16, 32, 64, 128)),
    _latents(32, ", unit variance", 1.0),
)


class Pairs(Dataset[Tensor]):
    """A mixture and its stem by number, `[2, c, n]` or `[2, n]`: samples of an array or a `LatentDataset`, in turn."""

    def __init__(self, stored: Any) -> None:
        self.stored = stored

    def __len__(self) -> int:
        return len(self.stored) // 2

    def __getitems__(self, indices: list[int]) -> list[Tensor]:
        numbers = [2 * index + which for index in indices for which in (0, 1)]
        latents = isinstance(self.stored, LatentDataset)
        found = [z for z, _ in self.stored.__getitems__(numbers)] if latents else torch.from_numpy(self.stored[numbers])
        return [torch.stack(pair) for pair in zip(found[::2], found[1::2], strict=True)]


@dataclass(frozen=True)
class Stored:
    """`to_input` makes float32 `[..., channels, n]`, in the mean of unit variance in mixtures, of what the splits give;
    `to_wave` waveforms `[B, LENGTH]` at the full rate of such numbers."""

    splits: dict[str, Pairs]
    channels: int
    sample_bytes: float
    to_input: Callable[[Tensor], Tensor]
    to_wave: Callable[[Tensor], Tensor]

    def batches(self, order: torch.Generator) -> DataLoader[Tensor]:
        """Epochs."""
        return DataLoader(self.splits["train"], Separation.batch, shuffle=True, drop_last=True, generator=order)


class Separation(Task):
    """Pairs of mixture and stem, int16 `[songs, 2, LENGTH]` a split."""

    batch, decay, clip = 4, 0.01, 1.0
    figures = (
        Figure("si_sdr", "SI-SDR, dB"),
        Figure("improvement", "improvement, dB"),
        Figure("ceiling", "true stem, dB", 1, 1),
        Figure("signal_rate", "bytes a second", 1, 0),
    )

    def __init__(self, stem: str, signals: Mapping[str, Tensor], *, epochs: int = 4) -> None:
        self.name, self.signals, self.epochs = f"separation_{stem}_{epochs}", signals, epochs
        self.sets = {"": _MAIN, "more": _MORE}

    def prepare(self, arm: Arm, work: Path) -> Stored:
        return _store_latents(self.signals, arm, work) if arm.codec else _store_samples(self.signals, arm, work)

    def network(self, data: Stored) -> nn.Module:
        first = nn.Conv1d(data.channels, _WIDTH, 3, padding=1)
        blocks = [
            nn.Sequential(
                nn.BatchNorm1d(_WIDTH), nn.ReLU(), nn.Conv1d(_WIDTH, _WIDTH, 3, padding=reach, dilation=reach)
            )
            for reach in _DILATIONS
        ]
        return Residual(first, blocks, nn.Conv1d(_WIDTH, data.channels, 3, padding=1))

    def loss(self, model: nn.Module, data: Stored, batch: Tensor) -> Tensor:
        """The error in dB, so that loud songs do not count for more."""
        mixtures, stems = data.to_input(batch).unbind(1)
        error = (model(mixtures) - stems).square().mean((1, 2))
        return 10 * torch.log10(error + _FLOOR).mean()

    def judge(self, model: nn.Module, data: Stored) -> dict[str, Any]:
        """SI-SDR of the network's stems, what that is more than the mixture's, and that of the
        true stems as they are stored."""
        found, val = [], torch.split(self.signals["val"], self.batch)
        for pairs, true in zip(DataLoader(data.splits["val"], batch_size=self.batch), val, strict=True):
            mixtures, stems = data.to_input(pairs).unbind(1)
            waves = data.to_wave(model(mixtures)), true[:, 0], data.to_wave(stems)
            found += [[si_sdr(x[None], y[None]) for x, y in zip(wave, true[:, 1], strict=True)] for wave in waves]
        songs, mixture, ceiling = ([value for part in found[which::3] for value in part] for which in range(3))
        mean = statistics.mean
        figures = {"si_sdr": mean(songs), "improvement": mean(songs) - mean(mixture), "ceiling": mean(ceiling)}
        return figures | {"signal_rate": data.sample_bytes / (LENGTH / RATE)}

    def facts(self) -> dict[str, Any]:
        """Bytes of FLAC a second of samples to validate on, by arm."""
        flac = {}
        for arm in (arm for arm in self.sets["more"] if not arm.codec):
            lowered, rate = _lowered(self.signals["val"].flatten(0, 1), arm), RATE * (arm.fold or FACTOR) // FACTOR
            flac[arm.name] = statistics.mean(_flac(x, rate) for x in lowered) / (LENGTH / RATE)
        return {"flac": flac}


def load_songs(work: Path, stem: str, counts: dict[str, int]) -> dict[str, Tensor]:
    """Mixture and stem, int16 `[songs, 2, LENGTH]` a split, of songs rendered below `work`; see `render_stems`."""
    signals = {}
    for split, count in counts.items():
        names = [f"{split} {number}" for number in range(count)]
        files = render_stems(work / f"songs-{split}-{count}", names)
        stems = torch.stack([torch.from_numpy(np.load(files[role])) for role in ROLES], 1)
        gains = (2 * torch.rand(stems.shape[:2], generator=torch.Generator().manual_seed(count)) - 1) * _GAIN
        mixed = [mix(*parts) for parts in zip(torch.split(stems, 16), torch.split(gains, 16), strict=True)]
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
    spectrum = torch.fft.rfft(x)
    kept = min(x.shape[-1], samples) // 2  # without the bin at half the lower rate, which stands for two
    low = spectrum.new_zeros(*x.shape[:-1], samples // 2 + 1)
    low[..., :kept] = spectrum[..., :kept]
    found: Tensor = torch.fft.irfft(low, samples) * (samples / x.shape[-1])
    return found


def fold(x: Tensor, factor: int) -> Tensor:
    """Signals `[..., n]` to `[..., factor, n / factor]`, consecutive samples at one position (space-to-depth)."""
    return x.reshape(*x.shape[:-1], -1, factor).transpose(-1, -2)


def unfold(x: Tensor) -> Tensor:
    """The inverse of `fold`."""
    return x.transpose(-1, -2).flatten(-2)


def _lowered(signals: Tensor, arm: Arm) -> Tensor:
    """Int16 signals `[N, LENGTH]` at the rate of an arm."""
    length = LENGTH * (arm.fold or FACTOR) // FACTOR
    batches = [x if length == LENGTH else resample(x.float(), length) for x in torch.split(signals, _STORED)]
    return torch.cat([x.round().clamp(-32768, 32767).to(torch.int16) for x in batches])


def _store_samples(signals: Mapping[str, Tensor], arm: Arm, work: Path) -> Stored:
    def save(folder: Path) -> None:
        for split, pairs in signals.items():
            np.save(folder / f"{split}.npy", _lowered(pairs.flatten(0, 1), arm).numpy())

    channels = arm.fold or FACTOR
    out = made_once(work / f"samples-{channels}", save)
    splits = {split: Pairs(np.load(out / f"{split}.npy", mmap_mode="r")) for split in signals}
    deviation = _known(splits["train"]).float().std()

    def to_wave(x: Tensor) -> Tensor:
        wave = unfold(x) * (deviation / 32768)
        return wave if channels == FACTOR else resample(wave, LENGTH)

    return Stored(splits, channels, _bytes(out, splits), lambda x: fold(x.float() / deviation, channels), to_wave)


def _store_latents(signals: Mapping[str, Tensor], arm: Arm, work: Path) -> Stored:
    (channels,) = arm.channels
    out = work / f"latents-{channels}"
    if not (out / "walloc.json").exists():
        samples = {split: pairs.flatten(0, 1)[:, None].numpy() for split, pairs in signals.items()}
        codec = _fitted(signals["train"], channels)
        shard_dataset(samples, out, codec=codec, reader=AudioReader(channels=1), options=Options(shuffle=False))
    codec = load_codec(out)
    splits = {split: Pairs(LatentDataset(out, split)) for split in signals}
    factors = scales(codec.dequantize(_known(splits["train"])), arm.power)[:, None]
    units = factors * (codec.steps * codec.scale)[:, None]

    def to_wave(x: Tensor) -> Tensor:
        return codec.decode((x / units).round().clamp(-127, 127).to(torch.int8))[:, 0]

    return Stored(splits, channels, _bytes(out, splits), lambda z: codec.dequantize(z) * factors, to_wave)


def _fitted(train: Tensor, channels: int) -> Codec:
    """A codec fitted to mixtures."""
    name = f"audio-f{FACTOR}c{channels}"
    config = CodecConfig(name=name, kind="audio", signal_channels=1, dims=1, levels=_LEVELS, wavelet=_WAVELET)
    return fit([batch[:, :1] for batch in torch.split(train[:_FIT_SONGS], _STORED)], config, channels=channels)


def _known(pairs: Pairs) -> Tensor:
    """Some mixtures as the loader gives them, to take variances of."""
    return torch.stack(pairs.__getitems__(list(range(min(_KNOWN, len(pairs))))))[:, 0]


def _bytes(out: Path, splits: Mapping[str, Pairs]) -> float:
    """Bytes stored a signal."""
    return sum(path.stat().st_size for path in out.iterdir()) / (2 * sum(map(len, splits.values())))


def _flac(samples: Tensor, rate: int) -> int:
    file = io.BytesIO()
    soundfile.write(file, samples.numpy(), rate, format="FLAC", subtype="PCM_16", compression_level=1.0)
    return len(file.getvalue())
