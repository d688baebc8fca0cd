"""Benchmarks leave nothing behind but what is asked for."""

import importlib
import sys
from pathlib import Path

import pytest

from benchmarks import results

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
