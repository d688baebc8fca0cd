"""README.md says what the code does."""

import re
from pathlib import Path

from tools.make_readme import generate
from walloc_data import zoo_names

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def test_the_generated_parts_are_up_to_date() -> None:
    assert generate(README) == README


def test_the_table_of_codecs_is_the_zoo() -> None:
    assert sorted(re.findall(r"^\| `([a-z]+-f\d+c\d+(?:-[a-z]+)?)` \|", README, re.MULTILINE)) == zoo_names()
