"""The verb `report`."""

import argparse
from pathlib import Path

from walloc_data.cli.info import add_bands, add_dataset

__all__ = ["add", "run"]


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc report`."""
    add_dataset(parser)
    parser.add_argument("page", type=Path, metavar="PAGE", help="file to write, such as report.html")
    parser.add_argument("--against", metavar="SRC", help="what the dataset was made of, to compare with")
    parser.add_argument("--split", help="split whose samples are shown (default: the first)")
    parser.add_argument("--count", type=int, help="samples to show (default: 12 images, 4 sounds, 3 clips or arrays)")
    parser.add_argument("--samples", type=int, default=64, metavar="N", help="samples to compare, with --against")
    add_bands(parser)


def run(arguments: argparse.Namespace) -> None:
    """Write the page."""
    from walloc_data.format.readable import readable_bytes
    from walloc_data.report.page import write_report

    write_report(
        arguments.dataset,
        arguments.page,
        against=arguments.against,
        split=arguments.split,
        count=arguments.count,
        samples=arguments.samples,
        bands=arguments.bands,
    )
    print(f"{arguments.page}: {readable_bytes(arguments.page.stat().st_size)}, one file for any browser")
