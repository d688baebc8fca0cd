"""The verb `decoder`."""

import argparse
from pathlib import Path

__all__ = ["add", "run"]


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc decoder`."""
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="folder of a dataset")
    parser.add_argument(
        "codec",
        metavar="CODEC",
        help="a codec of the same latents, such as one of `walloc train --decoder-only`: file, name in the zoo, or "
        "hf://user/repo",
    )


def run(arguments: argparse.Namespace) -> None:
    """Replace the decoder of a dataset."""
    from walloc_data.decoder import replace_decoder  # heavy

    codec = replace_decoder(arguments.dataset, arguments.codec)
    print(
        f"{arguments.dataset}: latents of {codec.name} are decoded by {codec.network.name}, "
        f"{codec.network.parameters:,} parameters; no shard was touched"
    )
