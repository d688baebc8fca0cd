"""The verb `check`."""

import argparse

from walloc_data.cli.info import add_dataset
from walloc_data.errors import FormatError

__all__ = ["add", "run"]


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc check`."""
    add_dataset(parser)


def run(arguments: argparse.Namespace) -> None:
    """Compare every shard with the manifest."""
    from walloc_data.storage import open_storage
    from walloc_data.verify import find_damage

    damage, where = find_damage(arguments.dataset, progress=True), open_storage(arguments.dataset).url
    for sentence in damage:
        print(sentence)
    if damage:
        raise FormatError(
            f"{len(damage)} files of {where} are damaged or cannot be read: copy them again, or shard anew"
        )
    print(f"{where}: whole")
