"""The verb `merge`."""

import argparse

from walloc_data.cli.transcode import KEPT, add_changes, changes_of, conclude

__all__ = ["KEPT", "add", "run"]


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc merge`."""
    add_changes(parser)
    parser.add_argument("datasets", nargs="+", metavar="DATASET", help="folders or URLs of datasets of one codec")


def run(arguments: argparse.Namespace) -> None:
    """Store several datasets in one."""
    from walloc_data.transcode import merge_datasets

    changes = changes_of(arguments, arguments.datasets)
    conclude(arguments.out, merge_datasets(arguments.datasets, arguments.out, **changes))
