"""The verb `push`, and its options for those that push too."""

import argparse
from pathlib import Path
from typing import Any

from walloc_data.hub.push import push_dataset

__all__ = ["add_push", "add_pushing", "push_options", "run_push"]


def add_push(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc push`."""
    parser.add_argument("dataset", type=Path, metavar="OUT", help="folder of a dataset")
    parser.add_argument("repo", metavar="USER/NAME", help="dataset repository: made if it is not there yet")
    add_pushing(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def add_pushing(parser: argparse._ActionsContainer) -> None:
    """Options of a push to the Hub."""
    parser.add_argument("--private", action="store_true", help="make the repository private")
    parser.add_argument("--license", metavar="ID", help="licence, such as cc-by-4.0, for the card")
    parser.add_argument("--task", metavar="ID", help="task, such as image-classification, for the card")
    parser.add_argument("--title", metavar="TEXT", help="name for people, for the card")
    parser.add_argument("--revision", metavar="BRANCH", help="branch to push to (default: main)")
    parser.add_argument("--replace", action="store_true", help="take away another dataset that is there")


def push_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `add_pushing` parsed, as `push_dataset` takes it."""
    names = ("private", "license", "task", "title", "revision", "replace")
    return {name: getattr(arguments, name) for name in names}


def run_push(arguments: argparse.Namespace) -> None:
    """Push a dataset folder to the Hub."""
    url = push_dataset(arguments.dataset, arguments.repo, progress=not arguments.quiet, **push_options(arguments))
    print(f"{url} holds all of {arguments.dataset}")
