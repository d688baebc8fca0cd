"""The verb `info`."""

import argparse

__all__ = ["add", "add_bands", "add_dataset", "run"]


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """The dataset that a verb reads."""
    parser.add_argument(
        "dataset", metavar="DATASET", help="folder of a dataset, or its URL: hf://user/name, https://, s3://"
    )


def add_bands(parser: argparse.ArgumentParser) -> None:
    """Which channels of arrays a verb draws."""
    parser.add_argument(
        "--bands",
        metavar="R,G,B",
        help="channels of arrays that are drawn, from 0: three, one, or 'components' for principal ones (default: "
        "three evenly from all)",
    )


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc info`."""
    add_dataset(parser)


def run(arguments: argparse.Namespace) -> None:
    """Say what a dataset holds."""
    from walloc_data.report.info import describe_dataset

    print(describe_dataset(arguments.dataset))
