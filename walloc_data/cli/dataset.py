"""The verbs that read a dataset: `info`, `view` and `check`."""

import argparse
import sys
from pathlib import Path

from walloc_data.dataset import LatentDataset
from walloc_data.errors import FormatError, SourceError
from walloc_data.read.opened import open_dataset
from walloc_data.report.info import describe_dataset
from walloc_data.report.view import contact_sheet
from walloc_data.storage import open_storage
from walloc_data.verify import find_damage

__all__ = ["add_dataset", "add_view", "run_check", "run_info", "run_view"]


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc info` and `walloc check`."""
    parser.add_argument(
        "dataset", metavar="DATASET", help="folder of a dataset, or its URL: hf://user/name, https://, s3://"
    )


def run_info(arguments: argparse.Namespace) -> None:
    """Say what a dataset holds."""
    print(describe_dataset(arguments.dataset))


def run_check(arguments: argparse.Namespace) -> None:
    """Compare every shard with the manifest."""
    damage, where = find_damage(arguments.dataset, progress=True), open_storage(arguments.dataset).url
    for sentence in damage:
        print(sentence)
    if damage:
        raise FormatError(
            f"{len(damage)} files of {where} are damaged or cannot be read: copy them again, or shard anew"
        )
    print(f"{where}: whole")


def add_view(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc view`."""
    add_dataset(parser)
    parser.add_argument("picture", type=Path, metavar="PICTURE", help="file to write (.png, .jpg)")
    parser.add_argument("--split", help="split to show (default: the first)")
    parser.add_argument("--originals", type=Path, metavar="SRC", help="folder the dataset was made of, to compare with")
    parser.add_argument("--count", type=int, default=12, help="samples to show")
    parser.add_argument("--columns", type=int, default=4, help="samples a row")


def run_view(arguments: argparse.Namespace) -> None:
    """Draw a contact sheet."""
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
