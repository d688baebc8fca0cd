"""Colorization: planes there and back, metrics against their definitions, and runs on a few squares."""

from dataclasses import replace
from pathlib import Path

import pytest
import skimage.metrics
import torch

from benchmarks.tasks.chroma import from_ycc, psnr_each, ssim_each, to_ycc
from benchmarks.tasks.colorization import (
    ARMS,
    HEAD,
    Photographs,
    grey,
    judge,
    prepare,
    read_photographs,
    run_once,
    summary,
    truth,
)
from benchmarks.tasks.planes import LatentPlanes, PixelPlanes, Planes, fit_planes
from tests.photographs import write_folder


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Photographs:
    root = write_folder(tmp_path_factory.mktemp("photographs"))
    return read_photographs([root / "train"], root / "val", most=3)


def planes(photographs: Photographs) -> list[Planes]:
    chroma = to_ycc(photographs.train)[:, 1:]
    return [
        LatentPlanes(fit_planes(chroma, channels=32)),
        PixelPlanes(2, size=128, fold=4),
        PixelPlanes(2, size=128, fold=8),
    ]


def test_squares_are_the_quarters_of_photographs(photographs: Photographs) -> None:
    assert photographs.train.shape == photographs.test.shape == (12, 3, 128, 128)
    rows = torch.cat([photographs.train[0], photographs.train[1]], 2), torch.cat(list(photographs.train[2:4]), 2)
    seams = torch.cat(rows, 1).float().diff(dim=2).abs().mean((0, 1))
    assert seams[127] < 2 * seams.mean()  # neighbours meet


def test_colours_come_back(photographs: Photographs) -> None:
    ycc = to_ycc(photographs.test)
    torch.testing.assert_close(from_ycc(ycc[:, :1], ycc[:, 1:]), photographs.test / 255, atol=1e-5, rtol=0)
    grey = to_ycc(torch.full((1, 3, 2, 2), 200, dtype=torch.uint8))
    torch.testing.assert_close(grey[:, 1:], torch.full((1, 2, 2, 2), 0.5))


def test_planes_come_back_and_mirror_as_their_signals_do(photographs: Photographs) -> None:
    chroma = to_ycc(photographs.test)[:, 1:]
    for each in planes(photographs):
        kept = each.store(chroma)
        floats = each.to_network(kept)
        assert floats.shape == (12, each.channels, 16, 16)
        assert kept.dtype.itemsize == 1
        assert psnr_each(each.to_signal(floats), chroma).min() > 25
        turned = each.to_signal(each.to_network(kept, mirror=True))
        assert psnr_each(turned, each.to_signal(floats).flip(-1)).min() > 40


def test_metrics_are_those_of_scikit_image() -> None:
    torch.manual_seed(0)
    true = torch.rand(2, 3, 40, 48)
    found = (true + 0.1 * torch.randn(true.shape)).clamp(0, 1)
    for one, other, similar, ratio in zip(
        found.double(), true.double(), ssim_each(found, true), psnr_each(found, true), strict=True
    ):
        expected = skimage.metrics.structural_similarity(
            one.numpy(),
            other.numpy(),
            channel_axis=0,
            data_range=1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert similar.item() == pytest.approx(expected, abs=1e-3)
        noise = skimage.metrics.peak_signal_noise_ratio(other.numpy(), one.numpy(), data_range=1)
        assert ratio.item() == pytest.approx(noise)


def test_every_arm_runs_and_is_reported(photographs: Photographs) -> None:
    few = Photographs(photographs.train, photographs.test[:4])
    prepared = [prepare(arm, few) for arm in ARMS]
    known = [grey(few), *(truth(each, few) for each in prepared)]
    runs = [run_once(each, few, 0, epochs=1) for each in prepared]
    assert [run.arm for run in runs] == [arm.name for arm in ARMS]
    assert [(run.inputs, run.outputs) for run in runs] == [(4, 8), (4, 8), (16, 32), (16, 32)]
    assert [run.arm for run in known] == ["grey", *(arm.name for arm in ARMS)]
    assert known[3].chroma_psnr > known[1].chroma_psnr > known[0].chroma_psnr
    perfect = judge(few, "true", 0, None, to_ycc(few.test)[:, 1:])
    assert perfect.chroma_psnr == pytest.approx(100)
    assert perfect.rgb_ssim == pytest.approx(1)
    rows = summary([replace(runs[2], chroma_psnr=20.0), replace(runs[3], chroma_psnr=20.5)], known[3:])
    assert rows[0] == HEAD
    assert [row[4] for row in rows[1:]] == ["", "+0.50"]


def test_folders_may_be_many(tmp_path: Path) -> None:
    roots = [write_folder(tmp_path / name, count=1, splits=("all",)) for name in ("one", "two")]
    assert len(read_photographs(roots, roots[0]).train) == 4 * 6
