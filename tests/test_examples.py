"""The scripts of examples/, as they stand: all of them in one process, for what they import takes seconds."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))
SAID = {
    "image_classification": "epoch 0: ",
    "latent_diffusion": "flipped latents are those of the flipped window: True",
    "lightning_stream": "step 9, step 0 of epoch 3: 160 windows seen in this run",
    "sound_classification": "epoch 0: ",
    "transformers_trainer": "of the windows are told right",
}
RUN = """
import contextlib, io, json, runpy, sys, traceback
said = {}
for path in sys.argv[1:]:
    sys.argv[1:] = ["--short"]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            runpy.run_path(path, run_name="__main__")
        except BaseException:
            traceback.print_exc(file=out)
    said[path] = out.getvalue()
json.dump(said, open("said.json", "w"))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What each script printed."""
    for module in ("accelerate", "lightning", "skimage", "soundfile", "transformers"):
        pytest.importorskip(module)
    folder = tmp_path_factory.mktemp("examples")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", RUN, *map(str, SCRIPTS)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder.iterdir()} <= {"said.json", "drawn.png", "lightning_logs"}
    return json.loads((folder / "said.json").read_text("utf-8"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_runs(path, said):
    assert SAID[path.stem] in said[str(path)], said[str(path)]


def test_there_are_five_of_under_80_lines_and_the_docs_name_them():
    assert {path.stem for path in SCRIPTS} == SAID.keys()
    page = (ROOT / "docs" / "examples.md").read_text("utf-8")
    for path in SCRIPTS:
        assert len(path.read_text("utf-8").splitlines()) < 80
        assert f"(../examples/{path.name})" in page


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_without_its_extra_says_what_to_install(path, monkeypatch):
    missing = {
        "transformers_trainer": "accelerate",
        "lightning_stream": "lightning",
        "sound_classification": "soundfile",
    }
    name = missing.get(path.stem, "skimage")
    for module in (name, f"{name}.utils"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(path), run_name="__main__")
    assert str(stopped.value.code).startswith(name)
    assert str(stopped.value.code).endswith(" is not installed: pip install 'walloc-data[examples]'")
