"""Benchmarks leave nothing behind but what is asked for."""

import importlib
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import curves, results
from benchmarks.tasks.networks import precision

ROOT = Path(results.__file__).parents[1]
PEERS = ("constriction", "imagecodecs", "matplotlib", "scipy", "tifffile")
COMMANDS = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "benchmarks").rglob("*.py"))
    if '__name__ == "__main__"' in path.read_text("utf-8")
]


@pytest.mark.parametrize("module", COMMANDS)
def test_results_are_kept_if_asked(module, monkeypatch, capsys):
    try:
        command = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name not in PEERS:
            raise
        pytest.skip(f"needs {error.name}, of the extra bench")
    monkeypatch.setattr(sys, "argv", ["benchmark", "--help"])
    with pytest.raises(SystemExit, match="0"):
        command.main()
    assert "--save" in capsys.readouterr().out or module == "benchmarks.tasks.plot"


def test_nothing_is_written_unless_asked(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    rows = [("a", "b"), (1, 2)]
    results.show("name", rows, save=False, fact=3)
    assert list(tmp_path.iterdir()) == []
    results.show("name", rows, save=True, fact=3)
    content = results.read_results("name")
    assert (content["rows"], content["fact"]) == ([["a", "b"], [1, 2]], 3)
    assert capsys.readouterr().out.count("| 1 | 2 |") == 2


def test_curves_are_read_at_the_rates_that_they_reach():
    measured = (("rgb-f8c12", 0.45, 27.0), ("rgb-f8c12x2", 0.2, 25.0), ("JPEG", 1.0, 30.0), ("JPEG", 2.0, 33.0))
    points = [{"name": name, "bits": bits, "psnr": psnr, "ms_ssim": 0.9} for name, bits, psnr in measured]
    _, codec, jpeg = curves.at_rates(points)
    assert codec == ["rgb-f8c12", "", "", "25.00, 0.9000", "26.00, 0.9000", "27.00, 0.9000", "", ""]
    assert jpeg == ["JPEG", *[""] * 6, "31.75, 0.9000"]


def test_measuring_what_is_fastest_draws_no_numbers():
    before = torch.get_rng_state()
    precision.cache_clear()
    assert precision() in ("float32", "bfloat16")
    assert torch.equal(torch.get_rng_state(), before)
