"""The verb `info`."""

import argparse

__all__ = ["add", "add_dataset", "run"]


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """The dataset that a verb reads."""
    parser.add_argument(
        "dataset", metavar="DATASET", help="folder of a dataset, or its URL: hf://user/name, https://, s3://"
    )


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc info`."""
    add_dataset(parser)


def run(arguments: argparse.Namespace) -> None:
    """Say what a dataset holds."""
    from walloc_data.report.info import describe_dataset

    print(describe_dataset(arguments.dataset))
