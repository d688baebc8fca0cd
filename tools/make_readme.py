"""Write the generated parts of README.md and of benchmarks/tasks/README.md: `python -m tools.make_readme [--check]`.

The measurements come from `benchmarks/results/*.json`, the format's tables from the docstrings of the
code that reads and writes it.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import tools.readme_evidence
import tools.readme_tasks
import walloc_data.entropy.prediction
import walloc_data.entropy.rans.coder
import walloc_data.format.columns
import walloc_data.format.record
import walloc_data.format.shard
from benchmarks.results import table

ROOT = Path(__file__).parents[1]
RESULTS = {
    "loading": "Loading, samples a second on one core ({photographs} photographs; each input is {latents_a_sample:,} "
    "latents of `{codec}` at 224 pixels; the JPEG pipeline is Pillow decode, RandomResizedCrop and flip)",
    "streaming": "Streaming, shuffled batches of 256 from local files that the page cache holds ({samples:,} samples; "
    "latents of `rgb-f8c12` at 256 pixels; JPEGs of 256 pixels are decoded by Pillow and cropped; medians of {turns} "
    "turns, slowest and fastest in brackets; `MosaicML Streaming` and `LitData` carry the same latents as int8 arrays, "
    "and compressed as their `zstd`). A worker of ours held {memory[latents, walloc_data zstd]} MB, one that imports "
    "the same and does nothing {idle} MB. `LitData` with two workers differed by a factor of ten and more between runs "
    "of this benchmark, so do not compare with those figures",
    "encoding": "Encoding, on one core, 256 pixels. The peer is the same codec as separable convolutions in torch; "
    "latents differ by one, on ties. The whole of `walloc-shard` with one worker took {sharding_over_pillow} times as "
    "long as Pillow alone takes to decode and resize the same {photographs} JPEGs",
    "entropy": "Entropy coders on latents of {tested} held-out photographs at 256 pixels, one core. On two, `rans` "
    "decodes `rgb-f8c12` {rans_two_threads_over_one[rgb-f8c12]} times as fast, where SHA-256 gains "
    "{sha256_two_threads_over_one}",
    "rate_distortion": "Rate and distortion, means over the {images} test photographs of BSDS500; coder `zstd`, codecs "
    "fitted to the train and val photographs",
}


def main() -> int:
    """Write the pages, or with `--check` only say whether they are up to date (exit status 1 if not)."""
    parser = argparse.ArgumentParser(
        description="Write the generated parts of README.md and benchmarks/tasks/README.md."
    )
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if a page is out of date")
    arguments = parser.parse_args()
    outdated = [path for path in PAGES if generate(path) != path.read_text("utf-8")]
    if not arguments.check:
        for path in outdated:
            path.write_text(generate(path), "utf-8")
    return int(arguments.check and bool(outdated))


def generate(path: Path) -> str:
    """A page of `PAGES` with its generated parts made anew."""
    text = path.read_text("utf-8")
    for name, make in PAGES[path].items():
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        head, rest = text.split(start)
        text = f"{head}{start}\n{make()}\n{end}{rest.split(end)[1]}"
    return text


def measurements() -> str:
    """The tables of `benchmarks/results`, each with what was measured and where."""
    parts = []
    for name, title in RESULTS.items():
        path = ROOT / "benchmarks" / "results" / f"{name}.json"
        if path.exists():
            content = json.loads(path.read_text("utf-8"))
            parts.append(f"{title.format(**content)} ({content['machine']}; `benchmarks/{name}.py`):\n")
            parts.append(table(content["rows"]) + "\n")
            if path.with_suffix(".png").exists():
                parts.append(f"![{name}](benchmarks/results/{name}.png)\n")
    return "\n".join(parts)


def evidence() -> str:
    """What networks learn from latents, in short."""
    return "\n".join(tools.readme_evidence.sections())


def tasks() -> str:
    """The same task by task."""
    return "\n".join(tools.readme_tasks.sections())


def format_tables() -> str:
    """The byte-level description: the docstrings of the modules that hold the format."""
    modules = {
        "Record": walloc_data.format.record,
        "Columns": walloc_data.format.columns,
        "Payloads of `zstd`": walloc_data.entropy.prediction,
        "Payloads of `rans`": walloc_data.entropy.rans.coder,
        "Index": walloc_data.format.shard,
    }
    return "\n".join(f"**{name}.** {(module.__doc__ or '').strip()}\n" for name, module in modules.items())


PAGES: dict[Path, dict[str, Callable[[], str]]] = {
    ROOT / "README.md": {"evidence": evidence, "measurements": measurements, "format": format_tables},
    ROOT / "benchmarks" / "tasks" / "README.md": {"tasks": tasks},
}

if __name__ == "__main__":
    sys.exit(main())
