"""The verb `push`."""

import argparse
from pathlib import Path

__all__ = ["KEPT", "add", "run"]

KEPT = ": what was sent is kept; run the same command again to go on"
_OPTIONS = ("private", "license", "task", "title", "revision", "replace")


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc push`."""
    parser.add_argument("dataset", type=Path, metavar="OUT", help="folder of a dataset")
    parser.add_argument("repo", metavar="USER/NAME", help="dataset repository: made if it is not there yet")
    parser.add_argument("--private", action="store_true", help="make the repository private")
    parser.add_argument("--license", metavar="ID", help="licence, such as cc-by-4.0, for the card")
    parser.add_argument("--task", metavar="ID", help="task, such as image-classification, for the card")
    parser.add_argument("--title", metavar="TEXT", help="name for people, for the card")
    parser.add_argument("--revision", metavar="BRANCH", help="branch to push to (default: main)")
    parser.add_argument("--replace", action="store_true", help="take away another dataset that is there")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: argparse.Namespace) -> None:
    """Push a dataset folder to the Hub."""
    from walloc_data.hub.push import push_dataset

    options = {name: getattr(arguments, name) for name in _OPTIONS}
    url = push_dataset(arguments.dataset, arguments.repo, progress=not arguments.quiet, **options)
    print(f"{url} holds all of {arguments.dataset}")
