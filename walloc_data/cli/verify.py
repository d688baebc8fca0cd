"""The verb `verify`."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from walloc_data.cli.info import add_dataset
from walloc_data.errors import DatasetError, FormatError

if TYPE_CHECKING:
    from walloc_data.verify import Damage

__all__ = ["KEPT", "add", "run"]

KEPT = ": nothing is half repaired; run the same command again"


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc verify`."""
    add_dataset(parser)
    parser.add_argument("--deep", action="store_true", help="decode every record, and name records and samples")
    parser.add_argument("--against", metavar="SRC", help="encode some samples again, of what the dataset was made of")
    parser.add_argument("--samples", type=int, default=100, metavar="N", help="how many, with --against")
    parser.add_argument("--seed", type=int, default=0, help="of their choice")
    parser.add_argument("--repair", metavar="SRC", help="make again what is damaged, of what the dataset was made of")
    parser.add_argument("--codec", metavar="NAME", help="with --repair, where the dataset's own codec is damaged")
    parser.add_argument("--data", metavar="NAME", help="as for walloc-shard, of SRC")
    parser.add_argument("--names", metavar="PATTERN", help="as for walloc-shard, of SRC")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes, with --repair")
    parser.add_argument("--json", action="store_true", help="print what is wrong as a list of JSON objects")


def run(arguments: argparse.Namespace) -> None:
    """Look at every byte, then do what was asked for."""
    from walloc_data.storage import open_storage
    from walloc_data.verify import verify_dataset

    if arguments.repair is not None and arguments.against is not None:
        raise DatasetError("--repair and --against are two things: repair first")
    say = _keep if arguments.json else _say
    damaged = found = verify_dataset(arguments.dataset, deep=arguments.deep, progress=True)
    where = open_storage(arguments.dataset).url
    say(damaged)
    if arguments.repair is not None and damaged:
        say(found := _repaired(arguments, damaged))
    elif arguments.against is not None and not damaged:
        say(found := _compared(arguments))
    if arguments.json:
        print(json.dumps([_plain(one) for one in found], indent=1))
    elif not found:
        print(f"{where}: whole" + (" again" if damaged else ""))
    if not found:
        return
    count = len({one.file for one in found})
    if not damaged:
        raise FormatError(f"{where} and {arguments.against} differ in {len(found):,} places")
    if arguments.repair is not None:
        raise FormatError(f"{count} files of {where} are damaged still: shard anew, or copy them again")
    raise FormatError(
        f"{count} files of {where} are damaged or cannot be read: copy them again, or shard anew, or make them again "
        "with walloc verify OUT --repair SRC"
    )


def _say(found: "Sequence[Damage]") -> None:
    for one in found:
        print(one)


def _keep(found: "Sequence[Damage]") -> None:
    """It is printed at the end, as JSON."""


def _plain(one: "Damage") -> dict[str, object]:
    named = asdict(one)
    return {"shard": named.pop("file") or None, **named}


def _repaired(arguments: argparse.Namespace, found: "Sequence[Damage]") -> "list[Damage]":
    """What is damaged still."""
    from walloc_data.repair import repair_dataset
    from walloc_data.verify import verify_dataset

    result = repair_dataset(
        arguments.dataset,
        arguments.repair,
        codec=arguments.codec,
        data=arguments.data,
        names=arguments.names,
        deep=arguments.deep,
        found=found,
        workers=arguments.workers,
        progress=True,
    )
    for name in result.made:
        print(f"made again: {name}", file=sys.stderr)
    for sentence in result.kept:
        print(f"kept: {sentence}", file=sys.stderr)
    return verify_dataset(arguments.dataset, deep=arguments.deep, progress=True)


def _compared(arguments: argparse.Namespace) -> "list[Damage]":
    from walloc_data.compare import compare_dataset

    result = compare_dataset(
        arguments.dataset,
        arguments.against,
        samples=arguments.samples,
        seed=arguments.seed,
        data=arguments.data,
        names=arguments.names,
    )
    if result.psnr:
        (split, key), worst = min(result.psnr.items(), key=lambda item: item[1])
        mean = sum(result.psnr.values()) / len(result.psnr)
        print(
            f"{len(result.psnr):,} samples encoded again: {mean:.2f} dB on average, {worst:.2f} dB at least "
            f"({key} of {split})",
            file=sys.stderr,
        )
    return result.differs
