"""The verb `append`."""

import argparse
import sys

__all__ = ["KEPT", "add", "run"]

KEPT = ": the dataset is what it was, finished shards are kept; run the same command again to go on"


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc append`."""
    parser.add_argument("dataset", metavar="OUT", help="folder or URL of a finished dataset")
    parser.add_argument("source", metavar="SRC", help="what it was made of, which has grown: as for walloc-shard")
    parser.add_argument("--data", metavar="NAME", help="as for walloc-shard, of SRC")
    parser.add_argument("--names", metavar="PATTERN", help="as for walloc-shard, of SRC")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes")
    parser.add_argument(
        "--on-error", choices=("skip", "stop"), default="skip", help="what to do with a sample that cannot be read"
    )
    parser.add_argument("--quiet", action="store_true", help="say what it came to, and no more")


def run(arguments: argparse.Namespace) -> None:
    """Add new samples."""
    from walloc_data.append import append_dataset
    from walloc_data.write.output import output_at

    result = append_dataset(
        arguments.dataset,
        arguments.source,
        data=arguments.data,
        names=arguments.names,
        workers=arguments.workers,
        on_error=arguments.on_error,
        progress=not arguments.quiet,
    )
    for note in result.notes:
        print(f"note: {note}", file=sys.stderr)
    summary = result.manifest.summary
    added = f"{result.added:,} new samples in {result.shards} shards" if result.added else "nothing new"
    print(
        f"{output_at(arguments.dataset).url}: {added}, {result.there:,} of {arguments.source} were there; "
        f"{summary.samples:,} samples, {summary.skipped:,} skipped" + (" (see errors.jsonl)" if summary.skipped else "")
    )
