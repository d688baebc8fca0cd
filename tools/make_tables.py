"""Write the generated parts of README.md and of the pages of docs: `python -m tools.make_tables [--check]`.

Between `<!-- table NAME -->` and `<!-- /table -->` stands the table that `benchmarks/results/NAME.json` holds, or one
of `SELECTIONS`, and below it when and where it was measured, with what else the file says; between
`<!-- docstring MODULE -->` and `<!-- /docstring -->` what a module says of itself, so that the bytes of the format are
described once.
"""

import argparse
import importlib
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.results import read_results, table
from benchmarks.tasks.tables import advantages, learned, task_means

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_PARTS = re.compile(r"(<!-- (table|docstring) (\S+) -->\n).*?(<!-- /\2 -->)", re.DOTALL)
_APART = {"date", "machine", "rows"}  # what a caption says otherwise, or not at all
Rows = Sequence[Sequence[Any]]


def main() -> int:
    """Write the pages, or with `--check` only say which are out of date (exit status 1 if any is)."""
    parser = argparse.ArgumentParser(description="Write the tables of README.md and docs.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if a page is out of date")
    check = parser.parse_args().check
    outdated = {path: text for path in PAGES if (text := generate(path)) != path.read_text("utf-8")}
    for path, text in outdated.items():
        print(path.relative_to(ROOT))
        if not check:
            path.write_text(text, "utf-8")
    return int(check and bool(outdated))


def generate(path: Path) -> str:
    """A page with its generated parts made anew."""
    makers: dict[str, Callable[[str], str]] = {"table": _measured, "docstring": _docstring}
    return _PARTS.sub(lambda found: found[1] + makers[found[2]](found[3]) + found[4], path.read_text("utf-8"))


def _measured(name: str) -> str:
    """A table and its caption."""
    sources, rows = SELECTIONS[name]() if name in SELECTIONS else ([name], None)
    contents = [read_results(source) for source in sources]
    dates: dict[str, set[str]] = {}
    for content in contents:
        dates.setdefault(content["machine"], set()).add(content["date"])
    measured = [f"{' and '.join(sorted(days))}, {machine}" for machine, days in dates.items()]
    facts = [] if rows else _facts(contents[0])
    caption = "; ".join(["Measured " + " and ".join(measured), *facts])
    return f"\n{table(rows or contents[0]['rows'])}\n\n*{caption}.*\n\n"


def _facts(content: dict[str, Any]) -> list[str]:
    """What was measured besides the rows, if it is a number or a word, or a few of them."""
    facts = []
    for key, value in content.items():
        inner = value if isinstance(value, dict) else {"": value}
        if key not in _APART and all(isinstance(each, str | int | float) for each in inner.values()):
            told = [f"{name} {_number(each)}".strip() for name, each in inner.items()]
            facts.append(f"{key.replace('_', ' ')}: {', '.join(told)}")
    return facts


def _number(value: str | float) -> str:
    """A number as tables have it."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else value


def _docstring(module: str) -> str:
    return f"\n{(importlib.import_module(module).__doc__ or '').strip()}\n\n"


def _rows(name: str) -> tuple[list[str], Rows]:
    """All rows of a result, without what else it says."""
    return [name], read_results(name)["rows"]


def _speed() -> tuple[list[str], Rows]:
    """Of the streams, what a newcomer asks first: bytes and speed with one worker."""
    return ["streaming"], [row[:4] for row in read_results("streaming")["rows"]]


def _sound() -> tuple[list[str], Rows]:
    """Codecs of sound beside others: of each its ratio to PCM, and the quality of that."""
    head = ["recording", "codec", "ratio to PCM", "PSNR, SI-SDR"]
    head += [f"{peer}: ratio, PSNR, SI-SDR" for peer in ("Opus", "MP3")]
    rows = [[*head, "FLAC: ratio"]]
    for name, _, codec, ratio, *numbers in read_results("sound")["rows"][1:]:
        quality, opus, mp3 = (", ".join(numbers[slice(*cut)]) for cut in ((0, 2), (2, 5), (5, 8)))
        rows.append([name, f"`{codec}`", ratio, quality, opus, mp3, numbers[8]])
    return ["sound"], rows


def _sound_speeds() -> tuple[list[str], Rows]:
    """A column a codec."""
    speeds = read_results("sound")["speeds"]
    titles = {"codec": "the codec", "rans": "its coder", "FLAC": "FLAC, 16 bits", "Opus": "Opus, as many bytes"}
    titles["MP3"] = "MP3, as many bytes"
    head = ["millions of samples a second, encode / decode", *(f"`{speed['name']}`" for speed in speeds)]
    return ["sound"], [head, *([title, *(speed[key] for speed in speeds)] for key, title in titles.items())]


SELECTIONS: dict[str, Callable[[], tuple[list[str], Rows]]] = {
    "advantages": advantages,
    "bands": partial(_rows, "bands"),
    "learned_tasks": learned,
    "sound": _sound,
    "sound_speeds": _sound_speeds,
    "speed": _speed,
    "task_means": task_means,
    "video": partial(_rows, "video"),
}

if __name__ == "__main__":
    sys.exit(main())
