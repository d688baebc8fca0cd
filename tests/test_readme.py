"""README.md and the pages of docs say what the code does, and lead where they say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from walloc_data import zoo_names

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "walloc_data" / "weights" / "README.md"]
MADE = re.search(r"PAGES = \((.*)\)", (ROOT / "tools" / "make_site.py").read_text("utf-8"))
SITE = {path.resolve() for pattern in re.findall(r'"([^"]+)"', MADE[1] if MADE else "") for path in ROOT.glob(pattern)}
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
TABLE = re.compile(r"<!-- (table|docstring) .*?<!-- /\1 -->|^\|.*?$", re.DOTALL | re.MULTILINE)
MEASURED = re.compile(r"\d\s*(?:%|(?:dB|[kMG]B|points?|ms|samples/s)\b)")


def test_the_generated_parts_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.make_tables", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, "run python -m tools.make_tables: " + done.stdout + done.stderr


def anchors(page: Path) -> set[str]:
    """What a page can be entered at: its headings, in small letters, with hyphens for blanks and no other marks."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", page.read_text("utf-8")))
    for link in (each for each in links if not each.startswith("https://")):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert target.resolve() in SITE, f"{link} is not of the site"
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", ["README.md", "docs/evidence.md", "docs/getting-started.md", "docs/benchmarks.md"])
def test_what_is_measured_stands_in_tables(page: str) -> None:
    """Sentences stay true when results change."""
    assert MEASURED.findall(CODE.sub("", TABLE.sub("", (ROOT / page).read_text("utf-8")))) == []


def test_every_page_of_docs_is_in_the_readme() -> None:
    linked = set(re.findall(r"\]\(docs/([\w-]+\.md)\)", PAGES[0].read_text("utf-8")))
    assert linked == {page.name for page in (ROOT / "docs").glob("*.md")}


def test_every_page_is_in_the_site() -> None:
    named = re.findall(r"\S+\.md$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(str(page.relative_to(ROOT)) for page in PAGES)


def test_the_test_command_is_the_one_that_ci_runs() -> None:
    assert "exec tools/test\n" in (ROOT / ".ci" / "run").read_text("utf-8")
    assert "\ntools/test " in PAGES[0].read_text("utf-8")


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
    page = (ROOT / "docs" / "codecs.md").read_text("utf-8")
    assert sorted(re.findall(r"^\| `([a-z]+-(?:t\d+)?f\d+c\d+(?:-[a-z]+)?)` \|", page, re.MULTILINE)) == zoo_names()


def test_the_quickstart_says_what_data_it_takes(photos: Path, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "tools.demo", "--data", str(photos / "train"), "--work", str(tmp_path)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    said = f"error: {photos}/train must hold train/class/* with 32 images or more, and val/class/*\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)
