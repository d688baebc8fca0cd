"""Write the generated parts of README.md: `python -m tools.make_readme [--check]`.

The measurements come from `benchmarks/results/*.json`, the format's tables from the docstrings of the
code that reads and writes it.
"""

import argparse
import json
import sys
from pathlib import Path

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
    """Write README.md, or with `--check` only say whether it is up to date (exit status 1 if not)."""
    parser = argparse.ArgumentParser(description="Write the generated parts of README.md.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if README.md is out of date")
    arguments = parser.parse_args()
    path = ROOT / "README.md"
    before = path.read_text("utf-8")
    after = generate(before)
    if arguments.check:
        return int(after != before)
    path.write_text(after, "utf-8")
    return 0


def generate(readme: str) -> str:
    """README.md with its generated parts made anew."""
    for name, text in (("measurements", measurements()), ("format", format_tables())):
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        head, rest = readme.split(start)
        readme = f"{head}{start}\n{text}\n{end}{rest.split(end)[1]}"
    return readme


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
    return "\n".join(parts + tools.readme_tasks.sections())


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


if __name__ == "__main__":
    sys.exit(main())
