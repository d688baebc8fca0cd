"""The benchmarks of sound, on chirps."""

import pytest
import torch

from benchmarks.sound_peers import flac, near
from tests.sounds import sound
from walloc_data.train.similarity import si_sdr


@pytest.mark.parametrize("name", ["Opus", "MP3"])
def test_peers_are_given_as_many_bytes_and_moved_to_their_place(name: str) -> None:
    x = sound(2, 16000)
    size, decoded = near(name, x, 16000, 6000)
    assert size == pytest.approx(6000, rel=0.1)
    assert decoded.shape == x.shape
    assert si_sdr(torch.from_numpy(decoded[:1].copy()), torch.from_numpy(x[:1])) > 15
    assert size < len(flac(x, 16000)) < 2 * x.size
