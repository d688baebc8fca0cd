"""The verb `shard`."""

import argparse
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from walloc_data.cli.reading import add_reading, refuse_former
from walloc_data.errors import SourceError

if TYPE_CHECKING:
    from walloc_data.shard import Sharded
    from walloc_data.sources import Source

__all__ = ["KEPT", "add", "run"]

KEPT = ": finished shards are kept; run the same command again to go on"


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc shard` and of `walloc-shard`."""
    parser.add_argument(
        "source",
        metavar="SRC",
        help="raw samples: a folder of files (class/*, {train,val,test}/class/*, flat), a list (.csv, .jsonl), "
        "WebDataset tars (data-{000..012}.tar), parquet, a dataset of Hugging Face; paths, https://, hf://, s3://",
    )
    parser.add_argument(
        "out",
        metavar="OUT",
        help="the dataset: a folder, new, empty, or of an unfinished run, or such a place elsewhere: s3://bucket/name, "
        "hf://user/name and what else fsspec writes",
    )
    parser.add_argument(
        "--codec",
        default="rgb-f8c12",
        help="name in the zoo (see `walloc zoo`; rgb-f8c48x2 has steps twice as coarse), file, hf://user/repo, or an "
        "original checkpoint: its .pth, or hf://user/repo/NAME",
    )
    add_reading(parser)
    parser.add_argument("--columns", metavar="A,B", help="keep only these fields of the source beside the latents")
    parser.add_argument(
        "--measure",
        metavar="psnr,bytes",
        help="store figures of each sample as columns: PSNR in dB, bytes of its latents",
    )
    parser.add_argument(
        "--views",
        type=int,
        default=1,
        metavar="N",
        help="store N random crops of each image, of which a reader shows another one each epoch",
    )
    parser.add_argument(
        "--coder",
        default="rans",
        metavar="NAME",
        help="entropy coder: rans, the smallest, or zstd, the fastest to read",
    )
    parser.add_argument(
        "--layout",
        choices=("records", "samples"),
        default="records",
        help="many samples a tar member, or classic WebDataset",
    )
    parser.add_argument("--block", type=int, default=64, metavar="N", help="samples a record")
    parser.add_argument("--shard-samples", type=int, metavar="N", help="samples a shard (default: by split)")
    parser.add_argument("--no-shuffle", action="store_true", help="keep the order of the source")
    parser.add_argument("--seed", type=int, default=0, help="of the shuffle")
    parser.add_argument("--limit", type=int, metavar="N", help="at most N samples of each split")
    parser.add_argument(
        "--engine", choices=("local", "ray"), default="local", help="who does it: this machine, or a Ray cluster"
    )
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="of a running Ray cluster (default: $RAY_ADDRESS, or one of this machine)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes, or shards at a time on a cluster; bytes do not depend on it (default: by cores and samples)",
    )
    parser.add_argument(
        "--on-error", choices=("skip", "stop"), default="skip", help="what to do with a sample that cannot be read"
    )
    parser.add_argument("--quiet", action="store_true", help="say what it came to, and no more")
    for name in ("--coarser", "--push-to-hub"):
        parser.add_argument(name, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> None:
    """Encode raw samples into shards."""
    _refuse_former(arguments)
    from walloc_data.shard import shard_dataset  # heavy, as all that follows
    from walloc_data.signals import reader_for
    from walloc_data.sources import open_source
    from walloc_data.write.clips import cut
    from walloc_data.write.local import default_workers
    from walloc_data.write.output import output_at
    from walloc_data.write.plan import Options
    from walloc_data.zoo import load_codec

    codec = load_codec(arguments.codec)
    reader = reader_for(codec.config, **arguments.read or {})
    options = Options(
        coder=arguments.coder,
        layout=arguments.layout,
        block=arguments.block,
        shard_samples=arguments.shard_samples,
        shuffle=not arguments.no_shuffle,
        seed=arguments.seed,
        limit=arguments.limit,
        views=arguments.views,
        measure=() if arguments.measure is None else tuple(arguments.measure.split(",")),
        columns=None if arguments.columns is None else tuple(arguments.columns.split(",")),
    )
    source = open_source(arguments.source, suffixes=reader.suffixes, data=arguments.data, names=arguments.names)
    source = cut(source, reader)
    counts = {name: min(len(split), options.limit or len(split)) for name, split in source.splits.items()}
    workers = arguments.workers
    if workers is None and arguments.engine == "local":
        workers = default_workers(sum(counts.values()))
    _introduce(source, counts, quiet=arguments.quiet)
    result = shard_dataset(
        source,
        arguments.out,
        codec=codec,
        reader=reader,
        options=options,
        engine=arguments.engine,
        workers=workers,
        address=arguments.address,
        on_error=arguments.on_error,
        progress=not arguments.quiet,
    )
    for note in result.notes[len(source.notes) :]:
        print(f"note: {note}", file=sys.stderr)
    views = "" if options.views == 1 else f" of {options.views} views each"
    _conclude(output_at(arguments.out).url, result, arguments.codec, workers, views)


def _refuse_former(arguments: argparse.Namespace) -> None:
    refuse_former(arguments)
    if arguments.coarser is not None:
        raise SourceError(
            f"--coarser {arguments.coarser} is now part of the codec's name: --codec NAMEx{arguments.coarser}"
        )
    if arguments.push_to_hub is not None:
        raise SourceError(
            f"--push-to-hub is now a verb of its own: walloc push {arguments.out} {arguments.push_to_hub}"
        )


def _introduce(source: "Source", counts: Mapping[str, int], *, quiet: bool) -> None:
    """What was found, before hours are spent on it."""
    for note in source.notes:
        print(f"note: {note}", file=sys.stderr)
    if not quiet:
        splits = ", ".join(
            f"{name} {count:,}" + (f" of {len(source.splits[name]):,}" if count < len(source.splits[name]) else "")
            for name, count in counts.items()
        )
        classes = ", ".join(
            f"{len(names):,} {'classes' if field == 'label' else f'classes of {field}'}"
            for field, names in source.classes.items()
        )
        print(f"{source.name}: {splits} samples, {classes or 'no classes'}", file=sys.stderr)


def _conclude(out: str, result: "Sharded", codec: str, workers: int | None, views: str) -> None:
    from walloc_data.format import readable_bytes, readable_psnr, readable_ratio
    from walloc_data.zoo import twice_as_coarse

    print(
        f"{out}: {result.samples:,} samples{views}, {result.skipped} skipped"
        + (" (see errors.jsonl)" if result.skipped else "")
    )
    print(
        f"  {readable_bytes(result.source_bytes)} of raw data to {readable_bytes(result.dataset_bytes)}: "
        f"{' times '.join(readable_ratio(result.source_bytes, result.dataset_bytes))}, "
        f"{result.bits_per_latent:.2f} bits a latent"
    )
    print(f"  {readable_psnr(result.psnr)}; {result.saturated:,} of {result.latents:,} latents saturated")
    coarser = twice_as_coarse(codec)
    if result.ratio < 2 and coarser is not None:
        print(f"  hint: --codec {coarser} has steps twice as coarse, about a bit a latent less")
    if result.written:
        rate = result.written / result.seconds
        processes = "on a cluster" if workers is None else "1 process" if workers == 1 else f"{workers} processes"
        print(f"  {rate:,.0f} samples/s ({result.seconds:.1f} s, {processes})")
    else:
        print("  complete already: nothing was written")
