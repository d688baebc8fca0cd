"""Separation of sound in benchmarks/tasks: its measures, its songs, and a run of tones and noise."""

import random
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks.tasks.separation import FACTOR, Separation, fold, mix, resample, unfold
from benchmarks.tasks.songs import LENGTH, RATE, ROLES, midi, render_stems, song
from benchmarks.tasks.task import Arm
from benchmarks.tasks.training import run_once, summary
from walloc_data.train.similarity import si_sdr

ALL, HALF = "all samples", "rate / 2"
LATENTS = Arm(name="latents", codec="fitted", channels=(8,), against=ALL)
SCALED = Arm(name="scaled", codec="fitted", channels=(8,), power=1.0, against=ALL)


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def task() -> Separation:
    time = torch.arange(LENGTH) / RATE
    tones = torch.stack([torch.sin(2 * torch.pi * (300 + 50 * song) * time) for song in range(12)])
    drums = noise(12, LENGTH) * torch.exp(-8 * (time % 0.5))
    pairs = (mix(torch.stack([drums, tones], 1), torch.zeros(12, 2))[:, :2] * 32767).round().to(torch.int16)
    return Separation("drums", {"train": pairs[:8], "val": pairs[8:]}, epochs=1)


def test_folding_is_invertible() -> None:
    x = noise(2, 24)
    assert fold(x, 4).shape == (2, 4, 6)
    assert torch.equal(fold(x, 4)[0, :, 1], x[0, 4:8])
    assert torch.equal(unfold(fold(x, 4)), x)


def test_a_lower_rate_keeps_the_band_that_it_has() -> None:
    time = torch.arange(1024, dtype=torch.float64) * 2 * torch.pi / 1024
    low, high = torch.sin(100 * time), torch.sin(200 * time)
    few = resample(low + high, 256)
    torch.testing.assert_close(few, low[::4])
    torch.testing.assert_close(resample(few, 1024), low)


def test_stems_are_mixed_at_their_gains() -> None:
    stems = noise(3, 4, 2000) * torch.tensor([0.01, 1.0, 30.0, 0.0])[:, None]
    gains = torch.tensor([[0.0, 6.0, -6.0, 0.0]]).expand(3, 4)
    signals = mix(stems, gains)
    torch.testing.assert_close(signals[:, 0], signals[:, 1:].sum(1))
    torch.testing.assert_close(signals.abs().amax((1, 2)), torch.full((3,), 0.9))
    level = signals[:, 1:4].square().mean(-1).sqrt()
    torch.testing.assert_close(20 * (level[:, 1:] / level[:, :1]).log10(), gains[:, 1:3])
    assert not signals[:, 4].any()


def test_a_song_is_its_seed() -> None:
    one, two, other = (song(random.Random(name)) for name in ("a", "a", "b"))
    assert one == two != other
    for role in ROLES:
        for at, length, key, velocity in one[role][1]:
            assert 0 <= at < at + length <= LENGTH / RATE
            assert 0 <= key < 128
            assert 0 < velocity < 128


def test_midi_lasts_as_long_as_its_songs() -> None:
    songs = [(7, [(0.25, 0.5, 60, 100)]), (9, [(0.0, 0.1, 61, 90)])]
    data = midi("bass", songs)
    assert data[:14] == b"MThd\0\0\0\6\0\0\0\1\x03\xe8"
    assert data[14:18] == b"MTrk"
    assert int.from_bytes(data[18:22], "big") == len(data) - 22
    track, place, now, events = data[22:], 0, 0, list[tuple[int, bytes]]()
    while place < len(track):
        delta, more = 0, True
        while more:
            delta, more = delta << 7 | track[place] & 127, bool(track[place] & 128)
            place += 1
        size = 3 + track[place + 2] if track[place] == 255 else 2 if track[place] >> 4 == 12 else 3
        now += delta
        events.append((now, track[place : place + size]))
        place += size
    assert events[2:5] == [(0, b"\xc0\x07"), (250, b"\x90\x3c\x64"), (750, b"\x80\x3c\x00")]
    assert events[-1] == (round(2000 * LENGTH / RATE), b"\xff\x2f\0")
    assert midi("drums", [(0, [(0.0, 0.1, 36, 100)])]).count(b"\x99\x24\x64") == 1


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="apt install fluidsynth fluid-soundfont-gm"):
        render_stems(tmp_path / "songs", ["a"], tmp_path / "none.sf2")
    assert not (tmp_path / "songs").exists()


def test_all_arms_have_one_grid_and_give_the_stem_back(task: Separation, tmp_path: Path) -> None:
    val, worth = task.signals["val"], {}
    for arm in (*(arm for arm in task.sets["more"] if not arm.codec), LATENTS, SCALED):
        data = task.prepare(arm, tmp_path)
        numbers = data.to_input(torch.stack(data.splits["val"].__getitems__([0, 3])))
        assert numbers.shape == (2, 2, data.channels, LENGTH // FACTOR), arm
        worth[arm.name] = si_sdr(data.to_wave(numbers[:, 1]), val[[0, 3], 1])
        if arm.power:
            known = data.to_input(torch.stack(data.splits["train"].__getitems__(list(range(8))))[:, 0])
            deviation = known.transpose(0, 1).flatten(1).std(1)
            torch.testing.assert_close(deviation, deviation.mean().expand(8))
    assert worth[ALL] > 100
    assert worth[HALF] > worth["rate / 4"] > worth["rate / 8"]
    assert worth["latents"] == pytest.approx(worth["scaled"], abs=1e-4)


def test_every_run_is_reported(task: Separation, tmp_path: Path) -> None:
    arms = (task.sets[""][0], LATENTS)
    runs = [run_once(task, arm, 0, tmp_path) for arm in arms]
    assert runs[0].figures["signal_rate"] == pytest.approx(2 * RATE, rel=0.01)
    assert summary(task, arms, runs)[2][4] == f"{runs[1].figures['si_sdr'] - runs[0].figures['si_sdr']:+.2f}"
    flac = task.facts()["flac"]
    assert flac[HALF] < flac[ALL] < 2 * RATE
