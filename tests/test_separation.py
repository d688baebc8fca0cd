"""Separation of sound in benchmarks/tasks: its measures, its songs, and a run of plain tones without fluidsynth."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.tasks.flac import flac_bytes
from benchmarks.tasks.separation import load_songs, run_once
from benchmarks.tasks.separator import SoundRun
from benchmarks.tasks.songs import LENGTH, RATE, ROLES, midi, render_stems, song
from benchmarks.tasks.sound import fold, mix, resample, si_sdr, unfold
from benchmarks.tasks.sound_arms import FACTOR, SOUND_ARMS, SoundArm, prepare_sound
from benchmarks.tasks.sound_report import HEAD, REFERENCE, Difference, differences, summary
from walloc_data import LatentDataset

COUNTS = {"train": 8, "val": 4}
FLOATS = SoundArm(name="floats", channels=8, latents=True, quantised=False)
LATENTS = SoundArm(name="latents", channels=8, latents=True)
SCALED = SoundArm(name="scaled", channels=8, latents=True, power=1.0, plain_loss=True)


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("separation")


@pytest.fixture(scope="module")
def signals(work: Path) -> dict[str, Tensor]:
    return load_songs(work, "drums", COUNTS, None)


def test_si_sdr_of_known_values() -> None:
    time = torch.arange(1000) * 2 * torch.pi / 1000
    truth, other = torch.sin(5 * time), torch.cos(7 * time)  # orthogonal, without means
    for amplitude, decibels in ((1.0, 0.0), (0.1, 20.0), (10**0.5, -10.0)):
        for scale in (1.0, -3.0):
            found = si_sdr(scale * (truth + amplitude * other) + 0.5, truth)
            assert found.item() == pytest.approx(decibels, abs=1e-4)
    assert si_sdr(2 * truth, truth).item() > 100
    assert si_sdr(other, truth).item() < -60
    assert si_sdr(torch.zeros(1000), truth).isfinite()
    assert si_sdr(noise(2, 3, 100), noise(3, 100)).shape == (2, 3)


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


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="apt install fluidsynth fluid-soundfont-gm"):
        render_stems(tmp_path / "songs", ["a"], tmp_path / "none.sf2")
    with pytest.raises(SystemExit, match="apt install flac"):
        flac_bytes(np.zeros((1, 8), np.int16), RATE, tmp_path / "flac")
    program = tmp_path / "fluidsynth"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    with pytest.raises(SystemExit, match=r"no soundfont .*none\.sf2: `apt install fluid-soundfont-gm`"):
        render_stems(tmp_path / "songs", ["a"], tmp_path / "none.sf2")
    assert not (tmp_path / "songs").exists()
    assert not (tmp_path / "flac").exists()


def test_all_arms_have_one_grid_and_give_the_stem_back(signals: dict[str, Tensor], work: Path) -> None:
    assert {split: tuple(pairs.shape) for split, pairs in signals.items()} == {
        split: (count, 2, LENGTH) for split, count in COUNTS.items()
    }
    few = [arm for arm in SOUND_ARMS if not arm.latents]
    worth = {}
    for arm in (*few, LATENTS, FLOATS, SCALED):
        data = prepare_sound(signals, arm, work)
        numbers = data.to_input(torch.stack(data.splits["val"].__getitems__([0, 3])))
        assert numbers.shape == (2, 2, arm.channels, LENGTH // FACTOR), arm
        waves = data.to_wave(numbers[:, 0])
        worth[arm.name] = si_sdr(waves, signals["val"][[0, 3], 0]).mean().item()
    assert worth[REFERENCE] > 100
    assert worth["rate / 2"] > worth["rate / 4"] > worth["rate / 8"]
    assert worth["floats"] >= worth["latents"] == pytest.approx(worth["scaled"], abs=1e-4)
    assert isinstance(LatentDataset(work / "latents-8", "val")[0][0], Tensor)


def test_per_channel_scales_give_unit_variance_and_undo_it_in_the_loss(signals: dict[str, Tensor], work: Path) -> None:
    plain, scaled = (prepare_sound(signals, arm, work) for arm in (LATENTS, SCALED))
    z = torch.stack(plain.splits["train"].__getitems__(list(range(COUNTS["train"]))))[:, 0]
    deviation = scaled.to_input(z).transpose(0, 1).flatten(1).std(1)
    torch.testing.assert_close(deviation, deviation.mean().expand(8))
    torch.testing.assert_close(scaled.to_input(z) * scaled.weights, plain.to_input(z))


def test_every_run_is_kept_and_reported(signals: dict[str, Tensor], work: Path) -> None:
    todo = [(SOUND_ARMS[0], 1), (LATENTS, 1), (FLOATS, 1), (SOUND_ARMS[0], 2), (LATENTS, 2)]
    runs = [run_once(signals, arm, 0, epochs=epochs, work=work) for arm, epochs in todo]
    assert [run_once(signals, arm, 0, epochs=epochs, work=work) for arm, epochs in todo] == runs  # kept, not run again
    for run in runs:
        assert run.mixture == runs[0].mixture
        assert 0 < run.loader_seconds < run.seconds
        assert len(run.songs) == COUNTS["val"]
        assert run.si_sdr == pytest.approx(sum(run.songs) / len(run.songs))
    assert runs[0].signal_rate == pytest.approx(2 * RATE, rel=0.01)
    assert runs[1].signal_rate < runs[2].signal_rate / 4
    rows = summary(runs, {REFERENCE: 1234.5678})
    assert rows[0] == HEAD
    assert [(row[0], row[2]) for row in rows[1:]] == [(arm.name, str(epochs)) for arm, epochs in todo]
    more = HEAD.index("difference, dB")
    assert rows[1][more] == rows[4][more] == ""
    assert rows[2][more] == f"{runs[1].si_sdr - runs[0].si_sdr:+.2f}"
    assert rows[5][more] == f"{runs[4].si_sdr - runs[3].si_sdr:+.2f}"  # to as long a training
    assert [row[HEAD.index("as FLAC")] for row in rows[1:]] == ["1,235", "", "", "1,235", ""]
    (work / "runs").rename(work / "runs before")
    again = run_once(signals, LATENTS, 0, epochs=1, work=work)
    assert (again.si_sdr, again.ceiling) == (runs[1].si_sdr, runs[1].ceiling)


def test_differences_are_taken_seed_by_seed_and_song_by_song() -> None:
    def run(arm: str, seed: int, epochs: int, *songs: float) -> SoundRun:
        return SoundRun(
            arm=arm,
            seed=seed,
            epochs=epochs,
            channels=1,
            si_sdr=sum(songs) / len(songs),
            mixture=0.0,
            ceiling=0.0,
            seconds=1.0,
            loader_seconds=0.0,
            samples_a_second=1.0,
            signal_rate=1.0,
            songs=list(songs),
        )

    half, c64 = "rate / 2", "latents f128c64"
    runs = [run(half, 0, 4, 0.0, 9.0), run(c64, 0, 4, 1.0, 8.0), run(half, 1, 4, 1.0, 8.0), run(c64, 1, 4, 4.0, 9.0)]
    once = [run(REFERENCE, 0, 16, 1.0, 2.0), run(c64, 0, 16, 2.0, 3.0)]  # of one seed nothing is said
    assert differences(runs + once) == [
        Difference(arm=c64, to=half, epochs=4, seeds=2, mean=1.0, over_seeds=pytest.approx(2**0.5), over_songs=1.0)
    ]
