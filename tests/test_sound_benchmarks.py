"""The benchmarks of sound, on chirps."""

from pathlib import Path

import pytest
import torch

from benchmarks.sound_peers import flac, near
from benchmarks.tasks.digits import POSITIONS, accuracy, read_digits
from benchmarks.tasks.sound import si_sdr
from tests.sounds import sound, write

RATE = 8000


@pytest.mark.parametrize("name", ["Opus", "MP3"])
def test_peers_are_given_as_many_bytes_and_moved_to_their_place(name: str) -> None:
    x = sound(2, 16000)
    size, decoded = near(name, x, 16000, 6000)
    assert size == pytest.approx(6000, rel=0.1)
    assert decoded.shape == x.shape
    assert si_sdr(torch.from_numpy(decoded[0].copy()), torch.from_numpy(x[0])) > 15
    assert size < len(flac(x, 16000)) < 2 * x.size


def test_digits_are_read_in_one_order_and_classed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for digit in range(2):
        for take in range(40):
            chirp = sound(0.2 + 0.01 * take, RATE, seed=take)[:, :: 1 + digit]
            write(data / f"{digit}_{'ab'[take % 2]}_{take}.wav", chirp, RATE)
    inputs, sizes, labels, tested = read_digits(data, tmp_path / "out")
    assert (int(tested.sum()), labels.bincount().tolist()) == (10, [40, 40])
    assert [tuple(x.shape) for x in inputs.values()] == [(80, n, POSITIONS) for n in (16, 16, 64)]
    assert sizes["all samples"] == 4 * sizes["samples / 4"]
    lengths = {name: (x != 0).any(1).sum(1) for name, x in inputs.items()}
    for each in lengths.values():
        assert (each - lengths["all samples"]).abs().max() <= 1
    assert 0 <= accuracy(inputs["samples / 4"][:, :, :16], labels, tested, 0, 1) <= 1
