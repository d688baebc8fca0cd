"""One run of a separation: the network that all arms share, its training, and what its stems are worth."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks.tasks.songs import LENGTH, RATE
from benchmarks.tasks.sound import si_sdr
from benchmarks.tasks.sound_arms import PreparedSound, SoundArm, prepare_sound

__all__ = ["Separator", "SoundRun", "separate"]

_WIDTH, _DILATIONS = 96, (1, 2, 4, 8, 1, 2)
_BATCH, _RATE, _DECAY, _CLIP = 4, 3e-3, 0.01, 1.0
_FLOOR = 1e-3  # of the mixtures' variance: smaller errors hardly count


class Separator(nn.Module):
    """Mixtures `[B, channels, n]` to a stem of the same shape; only the first and the last layer depend on the arm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(channels, _WIDTH, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm1d(_WIDTH), nn.ReLU(), nn.Conv1d(_WIDTH, _WIDTH, 3, padding=reach, dilation=reach)
            )
            for reach in _DILATIONS
        )
        self.last = nn.Conv1d(_WIDTH, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        stem: Tensor = self.last(x)
        return stem


@dataclass(frozen=True, kw_only=True)
class SoundRun:
    """What a run came to, with `channels` numbers a position; SI-SDR in dB, means over the songs of `val`.

    `si_sdr` is that of the network's stems (`songs`: song by song), `mixture` of the mixtures taken for them, `ceiling`
    of the true stems stored as the arm stores them. Seconds are of processor time of this process; of those of
    training, `loader_seconds` went by until the loader had given its batches. `signal_rate` is bytes stored a second of
    a signal.
    """

    arm: str
    seed: int
    epochs: int
    channels: int
    si_sdr: float
    mixture: float
    ceiling: float
    seconds: float
    loader_seconds: float
    samples_a_second: float
    signal_rate: float
    songs: list[float]


def separate(signals: Mapping[str, Tensor], arm: SoundArm, seed: int, *, epochs: int, work: Path) -> SoundRun:
    """Train and validate on pairs int16 `[songs, 2, LENGTH]`, on one core; the seed draws weights and order."""
    data = prepare_sound(signals, arm, work)
    torch.manual_seed(seed)
    model = Separator(arm.channels)
    order = torch.Generator().manual_seed(seed)
    batches = DataLoader(data.splits["train"], batch_size=_BATCH, shuffle=True, drop_last=True, generator=order)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=_DECAY)
    steps = epochs * len(batches)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps)
    loading, started = 0.0, time.process_time()
    for _ in range(epochs):
        waiting = time.process_time()
        for pairs in batches:
            loading += time.process_time() - waiting
            mixtures, stems = data.to_input(pairs).unbind(1)
            error = ((model(mixtures) - stems) * data.weights).square().mean((1, 2))
            loss = 10 * torch.log10(error + _FLOOR).mean()  # dB, so that loud songs do not count for more
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(model.parameters(), _CLIP)
            optimizer.step()
            schedule.step()
            waiting = time.process_time()
    seconds = time.process_time() - started
    judged = _judge(model, data, signals["val"])
    found, mixture, ceiling = judged.mean(0).tolist()
    return SoundRun(
        arm=arm.name,
        seed=seed,
        epochs=epochs,
        channels=arm.channels,
        si_sdr=found,
        mixture=mixture,
        ceiling=ceiling,
        seconds=seconds,
        loader_seconds=loading,
        samples_a_second=steps * _BATCH / seconds,
        signal_rate=data.signal_bytes / (LENGTH / RATE),
        songs=judged[:, 0].tolist(),
    )


@torch.no_grad()
def _judge(model: nn.Module, data: PreparedSound, val: Tensor) -> Tensor:
    """SI-SDR in dB of the network's stems, of mixtures, and of stems as stored: `[songs, 3]`."""
    model.eval()
    found = []
    for pairs, true in zip(DataLoader(data.splits["val"], batch_size=_BATCH), torch.split(val, _BATCH), strict=True):
        mixtures, stems = data.to_input(pairs).unbind(1)
        waves = data.to_wave(model(mixtures)), true[:, 0], data.to_wave(stems)
        found.append(torch.stack([si_sdr(wave, true[:, 1]) for wave in waves], 1))
    return torch.cat(found)
