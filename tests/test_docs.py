"""README and pages of docs, whose code runs as it stands, on photographs of the tests."""

import re
import shlex
from pathlib import Path

import pytest

from walloc_data import LatentDataset
from walloc_data.cli import main, main_shard

DOCS = Path(__file__).parents[1] / "docs"


def run(page):
    """The names that all blocks of a page leave, run one after another, in this process alone."""
    names: dict[str, object] = {}
    text = re.sub(r"num_workers=\d+", "num_workers=0", page.read_text("utf-8"))
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, page.name, "exec"), names)
    return names


@pytest.mark.parametrize(
    "page",
    ["append", "coming-from-imagefolder", "getting-started", "looking", "reading", "streaming", "transcode", "verify"],
)
def test_the_code_of_a_page_runs(page, dataset, photos, tmp_path, monkeypatch):
    (tmp_path / "latents").symlink_to(dataset)
    (tmp_path / "photographs").symlink_to(photos)
    monkeypatch.chdir(tmp_path)
    assert run(DOCS / f"{page}.md")


def test_the_code_for_views_runs(photos, tmp_path, monkeypatch):
    (tmp_path / "photographs").symlink_to(photos)
    monkeypatch.chdir(tmp_path)
    [command] = re.findall(r"^walloc-shard (.*--views.*)$", (DOCS / "views.md").read_text("utf-8"), re.MULTILINE)
    assert main_shard([*command.split(), "--quiet", "--workers", "1"]) == 0
    assert run(DOCS / "views.md")["x"].shape[1:] == (12, 8, 8)


def test_the_code_of_the_readme_runs(photos, tmp_path, monkeypatch):
    (tmp_path / "photographs").symlink_to(photos)
    monkeypatch.chdir(tmp_path)
    names = run(DOCS.parent / "README.md")
    assert names["latents"].shape[1:] == (12, 32, 32)


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.stem)
def test_the_code_of_every_page_is_python(page):
    for block in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        compile(block, page.name, "exec")


def test_the_code_for_codecs_runs():
    names = run(DOCS / "codecs.md")
    assert names["z"].shape == (2, 12, 32, 32)
    assert names["y"].shape == (2, 3, 250, 256)


def test_the_code_for_samples_in_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    section = (DOCS / "sources.md").read_text("utf-8").split("## In Python")[1].split("\n## ")[0]
    [block] = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    exec(compile(block, "sources.md", "exec"), {})
    assert {path.name for path in tmp_path.iterdir()} == {"plain", "split", "mine"}


def test_the_code_for_datasets_of_hugging_face_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    section = (DOCS / "sources.md").read_text("utf-8").split("## Hugging Face")[1].split("\n## ")[0]
    [block] = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    exec(compile(block, "sources.md", "exec"), {})
    assert {path.name for path in tmp_path.iterdir()} == {"out", "saved", "from-disk"}


def test_the_code_for_sound_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = run(DOCS / "audio.md")
    assert namespace["x"].shape == (12, 8, 313)
    assert namespace["inner"].shape[1:] == (8, 64)


def test_the_code_for_training_runs(photos, tmp_path, monkeypatch):
    (tmp_path / "photos").symlink_to(photos)
    monkeypatch.chdir(tmp_path)
    [block] = re.findall(r"```python\n(.*?)```", (DOCS / "training.md").read_text("utf-8"), re.DOTALL)
    small = block.replace("steps=20_000", "steps=3").replace("width=64", 'width=8, precision="float32"')
    assert small != block
    exec(compile(small, "training.md", "exec"), {})
    assert {path.name for path in tmp_path.iterdir()} > {"longer.safetensors", "longer.jsonl", "longer.png"}


@pytest.mark.parametrize("name", ["arrays", "video"])
def test_the_code_of_a_page_that_makes_its_data_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = run(DOCS / f"{name}.md")
    assert namespace["x"].shape == {"arrays": (4, 16, 16, 16), "video": (6, 48, 4, 8, 8)}[name]


def test_the_commands_for_sensors_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    section = (DOCS / "arrays.md").read_text("utf-8").split("## By sensor")[1].split("\n## ")[0]
    [block] = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    exec(compile("import numpy as np\n" + block, "arrays.md", "exec"), {})
    [lines] = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    for line in filter(None, lines.splitlines()):
        command, *arguments = shlex.split(line)
        verb = {"walloc": [], "walloc-shard": ["shard"]}[command]
        assert main([*verb, *arguments]) == 0, capsys.readouterr().err
    shapes = {
        name: LatentDataset(f"{name}-latents")[0][0].shape for name in ("cubes", "bands", "cells", "scans", "eeg")
    }
    assert shapes == {
        "cubes": (64, 8, 8),
        "bands": (16, 8, 8),
        "cells": (24, 8, 8),
        "scans": (4, 4, 8, 8),
        "eeg": (64, 32),
    }
