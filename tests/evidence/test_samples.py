"""What the tasks of benchmarks/tasks are made of: windows of receipts, on pages drawn for it, and songs."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.images import labels, paths
from benchmarks.tasks.receipts import cut, draw_windows, read_receipts, split_receipts
from benchmarks.tasks.separation import fold, mix, resample, unfold
from benchmarks.tasks.songs import LENGTH, RATE, ROLES, midi, render_stems, song
from benchmarks.tasks.task import Task
from walloc_data.errors import SourceError


def test_digits_are_those_of_the_amounts_each_at_the_middle_of_its_window(scans: Path) -> None:
    receipts = read_receipts(scans)
    assert [receipt.scan.stem for receipt in receipts] == [f"{number:03d}" for number in range(6)]
    for receipt in receipts:
        lines = (scans / "box" / f"{receipt.scan.stem}.csv").read_text("utf-8").splitlines()
        amounts = "".join(line.split(",", 8)[8] for line in lines[1::2])
        assert "".join(digit[0] for digit in receipt.digits) == amounts.replace(".", "")
        for number in range(0, len(receipt.digits), 7):
            window = np.asarray(cut(receipt, number).convert("L"))
            rows, columns = np.nonzero(window[54:74, 61:67] < 128)
            assert (window.shape, 9 <= np.ptp(rows) + 1 <= 15) == ((128, 128), True)  # of one height on every page
            assert abs(rows.mean() - 9.5) < 3 <= len(set(columns))


def test_windows_are_of_other_receipts_in_each_split(scans: Path, tasks: dict[str, Task]) -> None:
    source, receipts = tasks["receipts"].source, split_receipts(read_receipts(scans))
    names = {split: {path.stem.split("-")[0] for path in paths(files)} for split, files in source.splits.items()}
    assert (len(names["train"]), len(names["val"]), names["train"] & names["val"]) == (5, 1, set())
    windows, files = list(draw_windows(receipts["val"], 64, "val")), source.splits["val"]
    for path, label in zip(paths(files), labels(files), strict=True):
        receipt, number, shift = windows[int(path.stem.split("-")[2])]
        assert (len(files), source.class_names[label]) == (64, receipt.digits[number][0])
        assert np.array_equal(Image.open(path), cut(receipt, number, shift))
    drawn = list(draw_windows(receipts["train"], 2000, "train"))
    counts = np.bincount([int(receipt.digits[number][0]) for receipt, number, _ in drawn])
    assert (counts.min(), counts.max()) == (pytest.approx(200, abs=50), pytest.approx(200, abs=50))
    assert max(abs(off) for *_, shift in drawn for off in shift) <= 1


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no receipts"):
        read_receipts(tmp_path)
    with pytest.raises(SystemExit, match="apt install fluidsynth fluid-soundfont-gm"):
        render_stems(tmp_path / "songs", ["a"], tmp_path / "none.sf2")
    assert list(tmp_path.iterdir()) == []


def test_signals_are_folded_and_lowered_to_the_band_that_a_rate_has() -> None:
    x = torch.arange(48.0).reshape(2, 24)
    assert torch.equal(fold(x, 4)[0, :, 1], x[0, 4:8])
    assert torch.equal(unfold(fold(x, 4)), x)
    time = torch.arange(1024, dtype=torch.float64) * 2 * torch.pi / 1024
    low, high = torch.sin(100 * time), torch.sin(200 * time)
    few = resample(low + high, 256)
    torch.testing.assert_close(few, low[::4])
    torch.testing.assert_close(resample(few, 1024), low)


def test_stems_are_mixed_at_their_gains() -> None:
    noise = torch.randn(3, 4, 2000, generator=torch.Generator().manual_seed(0))
    gains = torch.tensor([[0.0, 6.0, -6.0, 0.0]]).expand(3, 4)
    signals = mix(noise * torch.tensor([0.01, 1.0, 30.0, 0.0])[:, None], gains)
    torch.testing.assert_close(signals[:, 0], signals[:, 1:].sum(1))
    torch.testing.assert_close(signals.abs().amax((1, 2)), torch.full((3,), 0.9))
    level = signals[:, 1:4].square().mean(-1).sqrt()
    torch.testing.assert_close(20 * (level[:, 1:] / level[:, :1]).log10(), gains[:, 1:3])
    assert not signals[:, 4].any()


def test_a_song_is_its_seed_and_its_file_lasts_as_long() -> None:
    one, two, other = (song(random.Random(name)) for name in ("a", "a", "b"))
    assert one == two != other
    notes = [note for role in ROLES for note in one[role][1]]
    assert all(0 <= at < at + length <= LENGTH / RATE for at, length, _, _ in notes)
    assert all(0 <= key < 128 and 0 < velocity < 128 for _, _, key, velocity in notes)
    data = midi("bass", [(7, [(0.25, 0.5, 60, 100)]), (9, [(0.0, 0.1, 61, 90)])])
    assert data[:22] == b"MThd\0\0\0\6\0\0\0\1\x03\xe8MTrk" + (len(data) - 22).to_bytes(4, "big")
    assert b"\x80\x80\x81\x7a\x90\x3c\x64" + b"\x80\x80\x83\x74\x80\x3c\0" in data  # after 250 ms, for 500
    assert data.endswith(b"\x80\x80\x80\x64\x80\x3d\0" + b"\x80\x80\x8a\x6a\xff\x2f\0")


def test_latents_are_of_one_scale_or_of_unit_variance_and_give_the_stem_back(
    tasks: dict[str, Task], tmp_path: Path
) -> None:
    task = tasks["separation"]
    one, unit = (task.prepare(arm, tmp_path) for arm in task.sets["more"] if "c32" in arm.name)
    assert one.form.factors.unique().tolist() == [1]
    deviation = unit.form.to_network(unit.train[:][0])[:, 0].transpose(0, 1).flatten(1).std(1)
    assert float(deviation.std() / deviation.mean()) < 1e-5
    stems = [data.form.to_signal(data.form.to_network(data.val[:][0])[:, 1]) for data in (one, unit)]
    torch.testing.assert_close(*stems)
    flac = task.facts()["flac"]
    assert flac["rate / 8"] < flac["rate / 2"] < flac["all samples"] < 2 * RATE
