"""The harness of benchmarks/tasks, on small tasks: every arm is stored, trained on, judged and reported."""

import sys
from pathlib import Path

import pytest
import torch

from benchmarks.tasks import __main__ as command
from benchmarks.tasks.tables import summary
from benchmarks.tasks.task import Task, run_once, train

GRIDS = {"colour": (16, 16), "digits": (96,), "fonts": (16, 16), "photographs": (16, 16), "receipts": (16, 16)}
GRIDS |= {"separation": (512,), "tokens": (8, 8)}


@pytest.mark.parametrize("name", GRIDS)
def test_every_arm_is_stored_and_learned_from(name: str, tasks: dict[str, Task], tmp_path: Path) -> None:
    task = tasks[name]
    for arm in task.sets[""]:
        data = task.prepare(arm, tmp_path)
        x, form = data.train[0][0][None], data.form[0] if name == "colour" else data.form
        shape = (x if form is None else form.to_network(x)).shape
        assert shape[-1 - len(GRIDS[name]) :] == (data.channels, *GRIDS[name]), arm
    own = next(arm for arm in task.sets[""] if arm.codec)
    arms = [next(arm for arm in task.sets[""] if arm.name == own.against), own]
    runs = [run_once(task, arm, 0, tmp_path) for arm in arms]
    key, _, times, digits = task.figures[0]
    assert all(0 < run["loader_seconds"] < run["seconds"] and run["samples_a_second"] > 0 for run in runs)
    assert [run_once(task, arm, 0, tmp_path) for arm in arms] == runs  # kept, not run again
    assert train(task, own, 0, tmp_path)[key] == runs[1][key]  # a seed gives one result
    rows = summary(task, arms, runs)
    assert [row[0] for row in rows] == ["input", *(arm.name for arm in arms)]
    assert (rows[1][4], rows[2][4]) == ("", f"{times * (runs[1][key] - runs[0][key]):+.{digits}f}")


def test_the_bytes_of_a_sample_are_without_those_of_the_codec(tasks: dict[str, Task], tmp_path: Path) -> None:
    task = tasks["fonts"]
    [few, learned] = (task.prepare(arm, tmp_path).sample_bytes for arm in task.sets["learned"][:2])
    assert few / 2 < learned < 2 * few  # a learned codec takes as much as a thousand of these samples


def test_pixels_are_flipped_before_they_are_folded(tasks: dict[str, Task], tmp_path: Path) -> None:
    task = tasks["photographs"]
    data = task.prepare(task.sets[""][2], tmp_path)
    x = torch.stack([data.val[index][0] for index in range(6)])
    kept, turned = data.form.to_network(x), data.form.to_network(x.flip(-1))
    found = torch.stack([task.inputs(data, x, augment=True) for _ in range(8)])
    chosen = [[torch.equal(one, two) for one, two in zip(each, kept, strict=True)] for each in found]
    assert {True, False} == {each for row in chosen for each in row}
    assert torch.equal(found, torch.where(torch.tensor(chosen)[..., None, None, None], kept, turned))


def test_what_is_stored_of_colour_mirrors_and_limits_what_is_guessed(tasks: dict[str, Task], tmp_path: Path) -> None:
    task, limits = tasks["colour"], [tasks["colour"].facts()["grey"]]
    for arm in (task.sets[""][0], task.sets[""][3]):
        data = task.prepare(arm, tmp_path)
        for form, kept in zip(data.form, data.val[:], strict=True):
            turned, whole = (form.to_signal(form.to_network(each)) for each in (form.flip(kept), kept))
            assert kept.dtype.itemsize == 1
            assert (turned - whole.flip(-1)).square().mean() < 1e-4
        run = run_once(task, arm, 0, tmp_path)
        assert run["limit"] > run["chroma_psnr"] > 0
        limits.append(run["limit"])
    assert limits == sorted(limits)


def test_the_command(
    tasks: dict[str, Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(command.TASKS, "digits", lambda options: tasks["digits"])
    line = ["tasks", "digits", "--data", str(tmp_path), "--seeds", "1", "--work", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", line)
    command.main()
    assert "| latents mono-f64c16 " in capsys.readouterr().out
    for wrong, said in ((line[:2], "digits needs --data"), ([*line, "--arms", "x"], "has no arms 'x'")):
        monkeypatch.setattr(sys, "argv", wrong)
        with pytest.raises(SystemExit):
            command.main()
        assert said in capsys.readouterr().err
