"""The harness of benchmarks/tasks, on a handful of rendered samples."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from torch.utils.data import default_collate

from benchmarks.tasks.arms import ARMS, FEWER_ARMS, Arm, Prepared, prepare
from benchmarks.tasks.augmentation import AUGMENTED
from benchmarks.tasks.encoders import encoder_arms
from benchmarks.tasks.encoders import summary as encoder_summary
from benchmarks.tasks.fonts import fonts_task
from benchmarks.tasks.photographs import photographs_task
from benchmarks.tasks.report import HEAD, run_once, summary
from benchmarks.tasks.task import Task
from benchmarks.tasks.tokens import TOKEN_ARMS, tokens_task
from benchmarks.tasks.totals import totals_task
from benchmarks.tasks.training import mix, train
from tests.photographs import write_folder
from walloc_data import LatentDataset

JPEG = Arm(name="JPEG", fold=2, quality=95, against="raw")
RAW = Arm(name="raw", against="raw")
LATENTS = Arm(name="latents", codec="rgb-f8c12", against="raw")


@pytest.fixture(scope="module")
def fonts(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return fonts_task(tmp_path_factory.mktemp("fonts"), quick=True)


def first(data: Prepared, count: int = 8) -> torch.Tensor:
    x: torch.Tensor = default_collate([data.val[index] for index in range(count)])[0]
    return x


def test_every_arm_trains_and_is_reported(fonts: Task, tmp_path: Path) -> None:
    arms = (JPEG, RAW, LATENTS)
    runs = [run_once(fonts, arm, 0, tmp_path) for arm in arms]
    assert [(run.arm, run.channels) for run in runs] == [("JPEG", 12), ("raw", 192), ("latents", 12)]
    for run in runs:
        assert 0 <= run.whole <= run.accuracy <= 1
        assert 0 < run.loader_seconds < run.seconds
        assert run.samples_a_second > 0
    assert runs[1].sample_bytes == pytest.approx(3 * 128 * 128, rel=0.01)
    assert [run_once(fonts, arm, 0, tmp_path) for arm in arms] == runs  # kept, not run again
    rows = summary(arms, runs)
    assert rows[0] == HEAD
    assert [row[0] for row in rows[1:]] == ["JPEG", "raw", "latents"]
    assert rows[2][4] == ""
    assert rows[3][4] == f"{100 * (runs[2].accuracy - runs[1].accuracy):+.1f}"


def test_a_seed_gives_one_result(fonts: Task, tmp_path: Path) -> None:
    results = [train(fonts, LATENTS, 3, work=tmp_path) for _ in range(2)]
    assert [(run.accuracy, run.whole) for run in results] == [(results[0].accuracy, results[0].whole)] * 2


def test_all_arms_have_one_grid(fonts: Task, tmp_path: Path) -> None:
    for arm in {*ARMS, *FEWER_ARMS, Arm(name="latents of its own", codec="fitted-c9")}:
        data = prepare(fonts, arm, tmp_path)
        assert data.to_input(first(data), True).shape == (8, data.channels, fonts.grid, fonts.grid), arm


def test_scales_go_from_those_of_dequantize_to_unit_variance(fonts: Task, tmp_path: Path) -> None:
    found = {}
    for power in (0.0, 0.5, 1.0):
        data = prepare(fonts, Arm(name="latents", codec="rgb-f8c12", power=power), tmp_path)
        assert isinstance(data.train, LatentDataset)
        z: torch.Tensor = default_collate([data.train[index] for index in range(128)])[0]
        found[power] = data.to_input(z, False).transpose(0, 1).flatten(1).std(1)
        if power == 0:
            torch.testing.assert_close(data.to_input(z, False), data.train.codec.dequantize(z))
    torch.testing.assert_close(found[1.0], found[1.0].mean().expand(12))
    torch.testing.assert_close(found[0.5] / found[0.0].sqrt(), (found[0.5] / found[0.0].sqrt()).mean().expand(12))
    torch.testing.assert_close(*(found[power].square().mean() for power in (0.0, 1.0)))


def test_pixels_are_flipped_before_they_are_folded(tmp_path: Path) -> None:
    task = photographs_task(write_folder(tmp_path / "photographs", splits=("all",)) / "all", quick=True)
    assert (len(task.source.splits["train"]), len(task.source.splits["val"]), task.choices) == (12, 6, 3)
    data = prepare(task, RAW, tmp_path / "work")
    x = first(data, 6)
    kept, turned = data.to_input(x, False), data.to_input(x.flip(-1), False)
    assert not torch.equal(kept, turned)
    given = torch.stack([data.to_input(x, True) for _ in range(8)])
    chosen = [[torch.equal(one, two) for one, two in zip(each, kept, strict=True)] for each in given]
    assert {True, False} == {each for row in chosen for each in row}
    expected = torch.where(torch.tensor(chosen)[..., None, None, None], kept, turned)
    assert torch.equal(given, expected)


def test_the_class_of_a_receipt_is_its_total(tmp_path: Path) -> None:
    task = totals_task(tmp_path, quick=True)
    assert task.answers.tolist() == [[int(digit) for digit in name] for name in task.source.class_names]
    assert set(asdict(train(task, JPEG, 0, work=tmp_path / "work"))) >= {"accuracy", "whole", "seconds"}


def test_tokens_of_a_transformer_stand_for_16_pixels(tmp_path: Path) -> None:
    task = tokens_task(tmp_path, quick=True)
    assert task.grid == 8
    channels = {}
    for arm in TOKEN_ARMS:
        data = prepare(task, arm, tmp_path / "work")
        assert data.to_input(first(data), True).shape == (8, data.channels, 8, 8), arm
        channels[arm.name] = data.channels
    assert channels["all pixels, JPEG 95"] == 768
    assert channels["pixels / 2, JPEG 95"] == channels["latents rgb-f16c192"] == 192
    assert channels["pixels / 4, JPEG 95"] == channels["latents rgb-f16c48"] == 48
    run = train(task, TOKEN_ARMS[-1], 0, work=tmp_path / "work")
    assert run.channels == 192


@pytest.mark.parametrize("arm", AUGMENTED, ids=lambda arm: arm.name)
def test_windows_are_cut_from_the_canvas(arm: Arm, tmp_path: Path) -> None:
    task = photographs_task(write_folder(tmp_path / "photographs", splits=("all",)) / "all", quick=True)
    data = prepare(replace(task, flips=False), arm, tmp_path / "work")
    side = task.grid + arm.canvas // 8
    x = torch.arange(side * side).reshape(1, 1, side, side)
    x = x % 100 if arm.codec else x.repeat_interleave(4, 2).repeat_interleave(4, 3) % 200
    x = x.expand(8, data.channels if arm.codec else 3, -1, -1).to(torch.int8 if arm.codec else torch.uint8)
    middle, anywhere = data.to_input(x, False), data.to_input(x, True)
    assert middle.shape == anywhere.shape == (8, data.channels, task.grid, task.grid)
    assert bool((middle == middle[:1]).all())
    assert bool((anywhere == middle).all()) == (arm.canvas == 0)
    if arm.canvas and not arm.any_pixel:  # whole positions, wherever the window is
        whole = {tuple(column) for column in anywhere.flatten(2).transpose(1, 2).flatten(0, 1).tolist()}
        assert len(whole) <= (100 if arm.codec else 200)


def testmixed_samples_have_both_answers() -> None:
    torch.manual_seed(0)
    inputs, answers = torch.arange(64.0)[:, None], torch.arange(64)[:, None]
    assert mix(inputs, answers, 0.0)[1][0][0] == 1.0
    mixed, targets = mix(inputs, answers, 0.4)
    assert sum(share for share, _ in targets) == pytest.approx(1)
    torch.testing.assert_close(mixed, sum(share * right.float() for share, right in targets))


def test_codecs_with_an_emphasis_are_fitted_once(fonts: Task, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "photographs", splits=("all",))
    arms = encoder_arms([folder], tmp_path / "codecs")
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "codecs").iterdir()}
    assert encoder_arms([folder], tmp_path / "codecs") == arms
    assert {path: path.stat().st_mtime_ns for path in files} == files
    chosen = [arm for arm in arms if arm.name in ("latents rgb-f8c12", "latents rgb-f8c12, emphasis 0.5")]
    runs = [run_once(fonts, arm, 0, tmp_path) for arm in chosen]
    rows = encoder_summary(chosen, {"fonts": runs})
    assert [row[:3] for row in rows[1:]] == [("rgb-f8c12", "fonts", "1"), ("rgb-f8c12, emphasis 0.5", "fonts", "1")]
    assert rows[2][4] == f"{100 * (runs[1].accuracy - runs[0].accuracy):+.1f}"
