"""Spoken digits in benchmarks/tasks, on chirps."""

from pathlib import Path

from benchmarks.tasks.digits import DigitsTask
from benchmarks.tasks.training import train
from tests.sounds import sound, write

RATE = 8000


def test_digits_are_read_in_one_order_and_classed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for digit in range(2):
        for take in range(40):
            chirp = sound(0.2 + 0.01 * take, RATE, seed=take)[:, :: 1 + digit]
            write(data / f"{digit}_{'ab'[take % 2]}_{take}.wav", chirp, RATE)
    task = DigitsTask(data, quick=True)
    found = {arm.name: task.prepare(arm, tmp_path) for arm in task.sets[""]}
    whole = found["all samples"]
    assert [tuple(each.test[0].shape) for each in found.values()] == [(10, n, 96) for n in (16, 16, 64)]
    assert whole.train[1].bincount().tolist() == [35, 35]
    assert whole.sample_bytes == 4 * found["samples / 4"].sample_bytes
    lengths = {name: (each.train[0] != 0).any(1).sum(1) for name, each in found.items()}
    for each in lengths.values():
        assert (each - lengths["all samples"]).abs().max() <= 1
    assert 0 <= train(task, task.sets[""][1], 0, tmp_path).figures["accuracy"] <= 1
