"""The harness of benchmarks/tasks, on a handful of rendered samples."""

import sys
from pathlib import Path

import pytest
import torch
from torch.utils.data import default_collate

from benchmarks.tasks import __main__ as command
from benchmarks.tasks.fonts import fonts_task, tokens_task
from benchmarks.tasks.photographs import photographs_task
from benchmarks.tasks.pictures import ImageTask, StoredImages
from benchmarks.tasks.task import Arm, precision
from benchmarks.tasks.training import run_once, summary, train
from tests.photographs import write_folder
from walloc_data import LatentDataset

JPEG = Arm(name="JPEG", fold=2, quality=95, against="raw")
RAW = Arm(name="raw", against="raw")
LATENTS = Arm(name="latents", codec="rgb-f8c12", against="raw")


@pytest.fixture(scope="module")
def fonts(tmp_path_factory: pytest.TempPathFactory) -> ImageTask:
    return fonts_task(tmp_path_factory.mktemp("fonts"), quick=True)


def first(data: StoredImages, count: int = 8) -> torch.Tensor:
    x: torch.Tensor = default_collate([data.val[index] for index in range(count)])[0]
    return x


def test_every_arm_trains_and_is_reported(fonts: ImageTask, tmp_path: Path) -> None:
    arms = (JPEG, RAW, LATENTS)
    runs = [run_once(fonts, arm, 0, tmp_path) for arm in arms]
    assert [(run.arm, run.channels) for run in runs] == [("JPEG", 12), ("raw", 192), ("latents", 12)]
    for run in runs:
        assert 0 <= run.flat()["accuracy"] <= 1
        assert 0 < run.loader_seconds < run.seconds
        assert run.samples_a_second > 0
    assert runs[1].sample_bytes == pytest.approx(3 * 128 * 128, rel=0.01)
    assert [run_once(fonts, arm, 0, tmp_path) for arm in arms] == runs  # kept, not run again
    rows = summary(fonts, arms, runs)
    assert [row[0] for row in rows] == ["input", "JPEG", "raw", "latents"]
    assert rows[2][4] == ""
    assert rows[3][4] == f"{100 * (runs[2].figures['accuracy'] - runs[1].figures['accuracy']):+.1f}"


def test_a_seed_gives_one_result(fonts: ImageTask, tmp_path: Path) -> None:
    results = [train(fonts, LATENTS, 3, tmp_path).figures for _ in range(2)]
    assert results[0] == results[1]


def test_all_arms_have_one_grid(fonts: ImageTask, tmp_path: Path) -> None:
    for arm in (*fonts.sets[""], fonts.sets["scales"][-1], fonts.sets["codecs"][1]):
        data = fonts.prepare(arm, tmp_path)
        assert data.to_input(first(data), True).shape == (8, data.channels, 16, 16), arm


def test_scales_go_from_those_of_dequantize_to_unit_variance(fonts: ImageTask, tmp_path: Path) -> None:
    found = {}
    for power in (0.0, 0.5, 1.0):
        data = fonts.prepare(Arm(name="latents", codec="rgb-f8c12", power=power, against=""), tmp_path)
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
    splits = task.source.splits
    assert (len(splits["train"]), len(splits["val"]), len(task.source.class_names)) == (48, 12, 3)
    data = task.prepare(RAW, tmp_path / "work")
    x = first(data, 6)
    kept, turned = data.to_input(x, False), data.to_input(x.flip(-1), False)
    assert not torch.equal(kept, turned)
    given = torch.stack([data.to_input(x, True) for _ in range(8)])
    chosen = [[torch.equal(one, two) for one, two in zip(each, kept, strict=True)] for each in given]
    assert {True, False} == {each for row in chosen for each in row}
    assert torch.equal(given, torch.where(torch.tensor(chosen)[..., None, None, None], kept, turned))


def test_tokens_of_a_transformer_stand_for_16_pixels(tmp_path: Path) -> None:
    task, channels = tokens_task(tmp_path, quick=True), []
    for arm in (task.sets[""][0], task.sets[""][2], task.sets[""][-1]):
        data = task.prepare(arm, tmp_path / "work")
        assert data.to_input(first(data), True).shape == (8, data.channels, 8, 8), arm
        channels.append(data.channels)
    assert channels == [48, 768, 192]  # pixels / 4, all pixels, latents
    assert train(task, task.sets[""][-1], 0, tmp_path / "work").channels == 192


def test_precision_is_one_that_is_tried() -> None:
    assert precision() in ("float32", "bfloat16")


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    data = str(write_folder(tmp_path / "photographs", count=2))
    line = ["colour", "--data", data, "--test", data, "--quick", "--seeds", "1", "--work", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["tasks", *line])
    command.main()
    assert "| latents of 16 and 32 channels | 16 " in capsys.readouterr().out
    for wrong, said in ((["colour"], "colour needs --data and --test"), ([*line, "--arms", "x"], "has no arms 'x'")):
        monkeypatch.setattr(sys, "argv", ["tasks", *wrong])
        with pytest.raises(SystemExit):
            command.main()
        assert said in capsys.readouterr().err
