"""Colorization: planes there and back, metrics against their definitions, and runs on a few squares."""

from pathlib import Path

import pytest
import torch

from benchmarks.tasks.colour import ColourTask, Latents, Pixels, from_ycc, psnr_each, read_squares, to_ycc
from benchmarks.tasks.training import run_once
from tests.photographs import write_folder


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> ColourTask:
    root = write_folder(tmp_path_factory.mktemp("photographs"))
    return ColourTask(*(read_squares([root / split], most=3) for split in ("train", "val")), quick=True)


def test_squares_are_the_quarters_of_photographs(task: ColourTask) -> None:
    assert task.train.shape == task.test.shape == (12, 3, 128, 128)
    rows = torch.cat([task.train[0], task.train[1]], 2), torch.cat(list(task.train[2:4]), 2)
    seams = torch.cat(rows, 1).float().diff(dim=2).abs().mean((0, 1))
    assert seams[127] < 2 * seams.mean()  # neighbours meet


def test_colours_come_back(task: ColourTask) -> None:
    ycc = to_ycc(task.test)
    torch.testing.assert_close(from_ycc(ycc[:, :1], ycc[:, 1:]), task.test / 255, atol=1e-5, rtol=0)
    grey = to_ycc(torch.full((1, 3, 2, 2), 200, dtype=torch.uint8))
    torch.testing.assert_close(grey[:, 1:], torch.full((1, 2, 2, 2), 0.5))


def test_planes_come_back_and_mirror_as_their_signals_do(task: ColourTask) -> None:
    chroma = to_ycc(task.test)[:, 1:]
    for each, channels in ((Latents(to_ycc(task.train)[:, 1:], 32), 32), (Pixels(4), 32), (Pixels(8), 128)):
        kept = each.store(chroma)
        floats = each.to_network(kept)
        assert floats.shape == (12, channels, 16, 16)
        assert kept.dtype.itemsize == 1
        assert psnr_each(each.to_signal(floats), chroma).min() > 25
        turned = each.to_signal(each.to_network(kept, mirror=True))
        assert psnr_each(turned, each.to_signal(floats).flip(-1)).min() > 40


def test_what_is_stored_limits_what_can_be_guessed(task: ColourTask, tmp_path: Path) -> None:
    arms = task.sets[""][:3]
    runs = [run_once(task, arm, 0, tmp_path).figures for arm in arms]
    assert all(run["limit"] > run["chroma_psnr"] for run in runs)
    assert runs[2]["limit"] > runs[0]["limit"] > task.facts()["grey"]["chroma_psnr"]
    assert task.compare(to_ycc(task.test)[:, 1:])["chroma_psnr"] == pytest.approx(100)
