"""The verbs that read raw data: `shard` and `fit`."""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from walloc_data.cli.push import add_pushing, push_options
from walloc_data.codec import CodecConfig, fit
from walloc_data.entropy import CODERS
from walloc_data.errors import SourceError
from walloc_data.format.readable import readable_bytes, readable_psnr
from walloc_data.hub.push import check_push, push_dataset
from walloc_data.shard import shard_dataset
from walloc_data.signals import ImageReader, Reader
from walloc_data.sources import Source, open_source
from walloc_data.write.plan import Options
from walloc_data.zoo import load_codec, save_codec

__all__ = ["add_fit", "add_shard", "run_fit", "run_shard"]


def add_shard(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc shard` and of `walloc-shard`."""
    parser.add_argument("source", type=Path, metavar="SRC", help="images: class/*, {train,val,test}/class/*, or flat")
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="folder of the dataset: new, empty, or of an unfinished run"
    )
    parser.add_argument(
        "--codec", default="rgb-f8c12", help="name in the zoo (see `walloc zoo`), file, or hf://user/repo"
    )
    parser.add_argument(
        "--coarser",
        type=float,
        default=1,
        metavar="TIMES",
        help="multiply the codec's steps: about a bit a latent less for each doubling",
    )
    _add_reading(parser)
    parser.add_argument(
        "--coder",
        choices=[cls.name for cls in CODERS.values()],
        default="rans",
        help="entropy coder: rans is the smallest, zstd the fastest to read",
    )
    parser.add_argument(
        "--layout",
        choices=("records", "samples"),
        default="records",
        help="many samples a tar member, or classic WebDataset",
    )
    parser.add_argument("--block", type=int, default=64, metavar="N", help="samples a record")
    parser.add_argument("--shard-samples", type=int, metavar="N", help="samples a shard (default: by split)")
    parser.add_argument("--no-shuffle", action="store_true", help="keep the order of the file names")
    parser.add_argument("--seed", type=int, default=0, help="of the shuffle")
    parser.add_argument("--limit", type=int, metavar="N", help="at most N samples of each split")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes; bytes do not depend on it"
    )
    parser.add_argument(
        "--on-error", choices=("skip", "stop"), default="skip", help="what to do with a file that cannot be read"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    group = parser.add_argument_group("pushing")
    group.add_argument("--push-to-hub", metavar="USER/NAME", help="push the dataset to the Hub when it is complete")
    add_pushing(group)


def run_shard(arguments: argparse.Namespace) -> None:
    """Encode a folder of images into shards, and push them if asked."""
    repo, pushing = arguments.push_to_hub, push_options(arguments)
    if repo is None and any(pushing.values()):
        asked = ", ".join(f"--{name}" for name, value in pushing.items() if value)
        raise SourceError(f"{asked} without --push-to-hub USER/NAME: say where to push to")
    if repo is not None:
        check_push(repo, license=arguments.license, task=arguments.task, title=arguments.title)
    codec = load_codec(arguments.codec).coarser(arguments.coarser)
    reader = _reader(arguments, codec.config.signal_channels)
    options = Options(
        coder=arguments.coder,
        layout=arguments.layout,
        block=arguments.block,
        shard_samples=arguments.shard_samples,
        shuffle=not arguments.no_shuffle,
        seed=arguments.seed,
        limit=arguments.limit,
    )
    source = open_source(arguments.source, suffixes=reader.suffixes)
    for note in source.notes:
        print(f"note: {note}", file=sys.stderr)
    summary = shard_dataset(
        source,
        arguments.out,
        codec=codec,
        reader=reader,
        options=options,
        workers=arguments.workers,
        on_error=arguments.on_error,
        progress=not arguments.quiet,
    )
    print(
        f"{arguments.out}: {summary.samples:,} samples, {summary.skipped} skipped"
        + (" (see errors.jsonl)" if summary.skipped else "")
    )
    print(
        f"  {readable_bytes(summary.source_bytes)} of files to {readable_bytes(summary.dataset_bytes)}: "
        f"{summary.ratio:.1f} times smaller, {summary.bits_per_latent:.2f} bits a latent"
    )
    print(f"  {readable_psnr(summary.psnr)}; {summary.saturated:,} of {summary.latents:,} latents saturated")
    if summary.written:
        rate = summary.written / summary.seconds
        print(f"  {rate:,.0f} samples/s ({summary.seconds:.1f} s, {arguments.workers} workers)")
    else:
        print("  complete already: nothing was written")
    if repo is not None:
        url = push_dataset(arguments.out, repo, progress=not arguments.quiet, **pushing)
        print(f"  {url} holds all of it")


def add_fit(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc fit`."""
    parser.add_argument("source", type=Path, metavar="SRC", help="folder of images")
    parser.add_argument("out", type=Path, metavar="OUT", help="file for the codec (.safetensors)")
    parser.add_argument("--channels", type=int, default=12, help="channels of the latents")
    parser.add_argument(
        "--levels", type=int, default=3, help="levels of wavelet packets: 2**levels pixels a side make a position"
    )
    parser.add_argument("--gray", action="store_true", help="gray images, not RGB")
    parser.add_argument("--wavelet", default="10/18", help="10/18, or a discrete wavelet of PyWavelets")
    parser.add_argument(
        "--knee", type=float, default=0.05, help="error of quantisation over that of the channels left out"
    )
    parser.add_argument(
        "--emphasis",
        type=float,
        default=0,
        help="how much more detail counts: 0 for pixels, 0.5 for detail where channels are few",
    )
    parser.add_argument("--images", type=int, default=300, metavar="N", help="at most N images, evenly from the folder")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    _add_reading(parser)


class _Signals:
    """Samples of a source, read anew at each pass: memory does not grow with them."""

    def __init__(self, source: Source, reader: Reader, most: int, quiet: bool) -> None:
        samples = [(split, index) for split in source.splits.values() for index in range(len(split))]
        count = min(most, len(samples))
        self.samples = [samples[number * len(samples) // count] for number in range(count)]
        self.reader, self.quiet, self.passes = reader, quiet, 0

    def __iter__(self) -> Iterator[Tensor]:
        self.passes += 1
        for split, index in tqdm(
            self.samples, desc=f"pass {self.passes} of 3", unit=" images", leave=False, disable=self.quiet or None
        ):
            raw = split[index]
            yield torch.from_numpy(self.reader.read(raw.data, raw.name).values)[None]


def run_fit(arguments: argparse.Namespace) -> None:
    """Fit a codec and write it."""
    if arguments.images < 1:
        raise SourceError("--images is a whole number from 1 on")
    if arguments.out.suffix != ".safetensors":
        raise SourceError(f"{arguments.out}: the file of a codec ends with .safetensors")
    channels = 1 if arguments.gray else 3
    config = CodecConfig(
        name=arguments.out.stem,
        kind="image",
        signal_channels=channels,
        dims=2,
        levels=arguments.levels,
        wavelet=arguments.wavelet,
    )
    reader = _reader(arguments, channels)
    source = open_source(arguments.source, suffixes=reader.suffixes)
    signals = _Signals(source, reader, arguments.images, arguments.quiet)
    codec = fit(signals, config, channels=arguments.channels, knee=arguments.knee, emphasis=arguments.emphasis)
    save_codec(codec, arguments.out)
    widened = int((codec.steps > codec.steps.min()).sum())
    print(f"{arguments.out}: {codec}, step {codec.steps.min():.4f}, wider for {widened} of {codec.channels} channels")


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--size", type=int, default=256, metavar="PIXELS", help="what --resize and --crop bring images to"
    )
    parser.add_argument(
        "--resize",
        choices=("shorter", "squash", "none"),
        default="shorter",
        help="side to bring to the size",
    )
    parser.add_argument(
        "--crop", choices=("center", "none"), default="center", help="cut a square of the size, or keep all"
    )
    parser.add_argument("--max-pixels", type=int, default=1 << 28, metavar="N", help="refuse larger images")
    parser.add_argument(
        "--color",
        choices=("srgb", "stored"),
        default="srgb",
        help="bring colours to sRGB by the profile of a file, or take its numbers as they are",
    )


def _reader(arguments: argparse.Namespace, channels: int) -> ImageReader:
    return ImageReader(
        channels=channels,
        size=arguments.size,
        resize=arguments.resize,
        crop=arguments.crop,
        max_pixels=arguments.max_pixels,
        color=arguments.color,
    )
