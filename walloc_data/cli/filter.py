"""The verb `filter`."""

import argparse

from walloc_data.cli.info import add_dataset
from walloc_data.cli.transcode import KEPT, add_changes, changes_of, conclude

__all__ = ["KEPT", "add", "run"]


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc filter`."""
    add_dataset(parser)
    add_changes(parser)
    parser.add_argument(
        "--where", required=True, metavar="TEXT", help="which samples: 'psnr > 24 and label in (1, 5)', by columns"
    )


def run(arguments: argparse.Namespace) -> None:
    """Store some samples of a dataset."""
    from walloc_data.transcode import filter_dataset

    changes = changes_of(arguments, [arguments.dataset])
    conclude(arguments.out, filter_dataset(arguments.dataset, arguments.out, arguments.where, **changes))
