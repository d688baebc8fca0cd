"""README.md says what the code does."""

import re
import subprocess
import sys
from pathlib import Path

from walloc_data import zoo_names

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_generated_parts_are_up_to_date() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "tools.make_readme", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert said.returncode == 0, "run python -m tools.make_readme" + said.stderr


def test_the_quickstart_says_its_options_before_it_installs_anything() -> None:
    for option in ("--help", "-h"):
        said = subprocess.run(
            [ROOT / "tools" / "quickstart", option], capture_output=True, text=True, check=True
        ).stdout
        assert set(re.findall(r'add_argument\("(--\w+)"', (ROOT / "tools" / "demo.py").read_text("utf-8"))) == set(
            re.findall(r"^  (--\w+)", said, re.MULTILINE)
        )
    assert (
        "usage"
        in subprocess.run([ROOT / "tools" / "test", "--help"], capture_output=True, text=True, check=True).stdout
    )


def test_the_table_of_codecs_is_the_zoo() -> None:
    assert sorted(re.findall(r"^\| `([a-z]+-(?:t\d+)?f\d+c\d+(?:-[a-z]+)?)` \|", README, re.MULTILINE)) == zoo_names()


def test_the_quickstart_says_what_data_it_takes(photos: Path, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "tools.demo", "--data", str(photos / "train"), "--work", str(tmp_path)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    said = f"error: {photos}/train must hold train/class/* with 32 images or more, and val/class/*\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)
