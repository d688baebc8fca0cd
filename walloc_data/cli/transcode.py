"""The verb `transcode`, and what it shares with others that make datasets of datasets."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from walloc_data.cli.info import add_dataset

if TYPE_CHECKING:
    from walloc_data.rewrite import Rewritten

__all__ = ["KEPT", "add", "add_changes", "changes_of", "conclude", "run"]

KEPT = ": finished shards are kept; run the same command again to go on"


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc transcode`."""
    add_dataset(parser)
    add_changes(parser)


def add_changes(parser: argparse.ArgumentParser) -> None:
    """Where the dataset that is made goes, and how its samples are stored."""
    parser.add_argument(
        "out", metavar="OUT", help="the dataset: a folder, new, empty, or of an unfinished run, or a URL"
    )
    parser.add_argument("--coder", metavar="NAME", help="rans or zstd (default: as it is)")
    parser.add_argument("--layout", choices=("records", "samples"), help="(default: as it is)")
    parser.add_argument("--block", type=int, metavar="N", help="samples a record (default: as it is)")
    parser.add_argument("--shard-samples", type=int, metavar="N", help="samples a shard (default: as they are cut)")
    parser.add_argument("--channels", type=int, metavar="K", help="keep the first K channels of the latents")
    parser.add_argument("--coarser", type=float, default=1.0, metavar="X", help="make steps X times as large")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: by cores and samples)")
    parser.add_argument("--quiet", action="store_true", help="say what it came to, and no more")


def changes_of(arguments: argparse.Namespace, datasets: Sequence[str]) -> dict[str, Any]:
    """The options of `transcode_dataset` and its like."""
    from walloc_data.read.opened import open_dataset
    from walloc_data.rewrite import ChangeOptions
    from walloc_data.write.local import default_workers

    workers = arguments.workers
    if workers is None:
        workers = default_workers(sum(open_dataset(root).manifest.summary.samples for root in datasets))
    given = {name: getattr(arguments, name) for name in ChangeOptions.__annotations__}
    return {**given, "workers": workers, "progress": not arguments.quiet}


def conclude(out: str, made: "Rewritten") -> None:
    """What it came to."""
    from walloc_data.format import readable_bytes
    from walloc_data.write.output import output_at

    for note in made.notes:
        print(f"note: {note}", file=sys.stderr)
    manifest, summary = made.manifest, made.manifest.summary
    size = sum(shard.bytes for shards in manifest.splits.values() for shard in shards)
    print(
        f"{output_at(out).url}: {summary.samples:,} samples, {readable_bytes(size)} of shards; codec {manifest.codec}, "
        f"coder {manifest.coder}, {summary.bits_per_latent:.2f} bits a latent"
    )
    if made.written:
        print(f"  {made.written / made.seconds:,.0f} samples/s ({made.seconds:.1f} s)")
    else:
        print("  complete already: nothing was written")


def run(arguments: argparse.Namespace) -> None:
    """Store a dataset otherwise."""
    from walloc_data.transcode import transcode_dataset

    changes = changes_of(arguments, [arguments.dataset])
    conclude(arguments.out, transcode_dataset(arguments.dataset, arguments.out, **changes))
