"""README.md says what the code does."""

import re
from pathlib import Path

import pytest

from tools.make_readme import PAGES, ROOT, generate
from walloc_data import zoo_names

README = (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_generated_parts_are_up_to_date(path: Path) -> None:
    assert generate(path) == path.read_text("utf-8")


def test_the_table_of_codecs_is_the_zoo() -> None:
    assert sorted(re.findall(r"^\| `([a-z]+-f\d+c\d+(?:-[a-z]+)?)` \|", README, re.MULTILINE)) == zoo_names()
