"""The verb `view`."""

import argparse
import sys
from pathlib import Path

from walloc_data.cli.info import add_dataset
from walloc_data.errors import SourceError

__all__ = ["add", "run"]


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc view`."""
    add_dataset(parser)
    parser.add_argument("picture", type=Path, metavar="PICTURE", help="file to write (.png, .jpg)")
    parser.add_argument("--split", help="split to show (default: the first)")
    parser.add_argument("--originals", type=Path, metavar="SRC", help="folder the dataset was made of, to compare with")
    parser.add_argument("--count", type=int, default=12, help="samples to show")
    parser.add_argument("--columns", type=int, default=4, help="samples a row")


def run(arguments: argparse.Namespace) -> None:
    """Draw a contact sheet."""
    from walloc_data.dataset import LatentDataset
    from walloc_data.read.opened import open_dataset
    from walloc_data.report.view import contact_sheet

    split = arguments.split or next(iter(open_dataset(arguments.dataset).manifest.splits))
    dataset = LatentDataset(arguments.dataset, split, decode="pixels")
    picture, rows = contact_sheet(
        dataset, count=arguments.count, columns=arguments.columns, originals=arguments.originals
    )
    try:
        picture.save(arguments.picture)
    except (ValueError, KeyError) as error:
        raise SourceError(
            f"{arguments.picture}: not a name of a picture that Pillow writes, such as view.png"
        ) from error
    for key, quality in rows:
        print(f"{key}" + ("" if quality is None else f"  {quality:.2f} dB"))
    known = [quality for _, quality in rows if quality is not None]
    if arguments.originals is not None and not known:
        print(f"note: {arguments.originals} holds none of these samples' originals", file=sys.stderr)
    if known:
        print(f"mean {sum(known) / len(known):.2f} dB")
