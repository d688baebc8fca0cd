"""The door: `walloc-shard SRC OUT` and `walloc shard|fit|info|view|zoo`."""

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from walloc_data.codec import CodecConfig, fit, load_codec, save_codec, zoo_names
from walloc_data.dataset import LatentDataset
from walloc_data.entropy import CODERS
from walloc_data.errors import SourceError, WallocError
from walloc_data.info import describe_dataset, readable_bytes, readable_psnr
from walloc_data.plan import Options
from walloc_data.shard import shard_dataset
from walloc_data.sources import ImageFolder, ImageReader
from walloc_data.view import contact_sheet

__all__ = ["main", "main_shard"]


def main(arguments: Sequence[str] | None = None) -> int:
    """`walloc`: exit status 0, 1 for what went wrong (said in a sentence), 2 for unusable arguments, 130 for Ctrl-C."""
    parser = argparse.ArgumentParser(prog="walloc", description="Datasets as small integer latents.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (summary, add, run) in _VERBS.items():
        verb = verbs.add_parser(name, help=summary, description=summary, formatter_class=_Help)
        add(verb)
        verb.set_defaults(run=run)
    return _run(parser.parse_args(arguments))


def main_shard(arguments: Sequence[str] | None = None) -> int:
    """`walloc-shard`: the verb `shard` as a command of its own."""
    summary, add, run = _VERBS["shard"]
    parser = argparse.ArgumentParser(prog="walloc-shard", description=summary, formatter_class=_Help)
    add(parser)
    parser.set_defaults(run=run)
    return _run(parser.parse_args(arguments))


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False) else super()._get_help_string(action)


def _run(arguments: argparse.Namespace) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files and classes may be in any script
    try:
        arguments.run(arguments)
        sys.stdout.flush()
    except WallocError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        kept = ": finished shards are kept; run the same command again to go on" if arguments.run is _shard else ""
        print(f"interrupted{kept}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of our output left
        return 0
    except OSError as error:
        print(f"error: {error.filename or 'input or output'}: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


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


def _reader(arguments: argparse.Namespace, channels: int) -> ImageReader:
    return ImageReader(
        channels=channels,
        size=arguments.size,
        resize=arguments.resize,
        crop=arguments.crop,
        max_pixels=arguments.max_pixels,
    )


def _add_shard(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, metavar="SRC", help="images: class/*, {train,val,test}/class/*, or flat")
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="folder of the dataset: new, empty, or of an unfinished run"
    )
    parser.add_argument(
        "--codec", default="rgb-f8c12", help="name in the zoo (see `walloc zoo`), file, or hf://user/repo"
    )
    _add_reading(parser)
    parser.add_argument("--coder", choices=[cls.name for cls in CODERS.values()], default="zstd", help="entropy coder")
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


def _shard(arguments: argparse.Namespace) -> None:
    codec = load_codec(arguments.codec)
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
    source = ImageFolder.scan(arguments.source)
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


def _add_fit(parser: argparse.ArgumentParser) -> None:
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
    parser.add_argument("--images", type=int, default=300, metavar="N", help="at most N images, evenly from the folder")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    _add_reading(parser)


class _Signals:
    """Images of a source, read anew at each pass: memory does not grow with them."""

    def __init__(self, source: ImageFolder, reader: ImageReader, most: int, quiet: bool) -> None:
        paths = [source.path(item) for items in source.splits.values() for item in items]
        self.paths = [paths[i * len(paths) // min(most, len(paths))] for i in range(min(most, len(paths)))]
        self.reader, self.quiet, self.passes = reader, quiet, 0

    def __iter__(self) -> Iterator[Tensor]:
        self.passes += 1
        for path in tqdm(
            self.paths, desc=f"pass {self.passes} of 3", unit=" images", leave=False, disable=self.quiet or None
        ):
            yield torch.from_numpy(self.reader.read(path).pixels)[None]


def _fit(arguments: argparse.Namespace) -> None:
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
    reader, source = _reader(arguments, channels), ImageFolder.scan(arguments.source)
    signals = _Signals(source, reader, arguments.images, arguments.quiet)
    codec = fit(signals, config, channels=arguments.channels, knee=arguments.knee)
    save_codec(codec, arguments.out)
    widened = int((codec.steps > codec.steps.min()).sum())
    print(f"{arguments.out}: {codec}, step {codec.steps.min():.4f}, wider for {widened} of {codec.channels} channels")


def _add_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="folder of a dataset")


def _info(arguments: argparse.Namespace) -> None:
    print(describe_dataset(arguments.dataset))


def _add_view(parser: argparse.ArgumentParser) -> None:
    _add_dataset(parser)
    parser.add_argument("picture", type=Path, metavar="PICTURE", help="file to write (.png, .jpg)")
    parser.add_argument("--split", help="split to show (default: the first)")
    parser.add_argument("--originals", type=Path, metavar="SRC", help="folder the dataset was made of, to compare with")
    parser.add_argument("--count", type=int, default=12, help="samples to show")
    parser.add_argument("--columns", type=int, default=4, help="samples a row")


def _view(arguments: argparse.Namespace) -> None:
    from walloc_data.format import Manifest

    split = arguments.split or next(iter(Manifest.read(arguments.dataset).splits))
    dataset = LatentDataset(arguments.dataset, split, decode="pixels")
    picture, rows = contact_sheet(
        dataset, count=arguments.count, columns=arguments.columns, originals=arguments.originals
    )
    try:
        picture.save(arguments.picture)
    except (ValueError, KeyError) as error:
        raise SourceError(
            f"{arguments.picture}: not a name of a picture that Pillow writes, such as view.png"
        ) from error
    for key, quality in rows:
        print(f"{key}" + ("" if quality is None else f"  {quality:.2f} dB"))
    known = [quality for _, quality in rows if quality is not None]
    if arguments.originals is not None and not known:
        print(f"note: {arguments.originals} holds none of these samples' originals", file=sys.stderr)
    if known:
        print(f"mean {sum(known) / len(known):.2f} dB")


def _zoo(arguments: argparse.Namespace) -> None:
    print(f"{'name':<14}{'input':>7}{'f':>4}{'channels':>10}{'fewer numbers':>15}  fingerprint")
    for name in zoo_names():
        codec = load_codec(name)
        config = codec.config
        fewer = config.packet_channels / codec.channels
        print(
            f"{name:<14}{config.signal_channels:>7}{codec.factor:>4}{codec.channels:>10}{fewer:>14g}x"
            f"  {codec.fingerprint}"
        )


def _nothing(parser: argparse.ArgumentParser) -> None:
    """A verb without arguments."""


_VERBS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], None]]] = {
    "shard": ("Encode a folder of images into shards of latents.", _add_shard, _shard),
    "fit": ("Fit a codec to your own images.", _add_fit, _fit),
    "info": ("Say what a dataset holds and where its bytes go.", _add_dataset, _info),
    "view": ("Draw a picture of decoded samples.", _add_view, _view),
    "zoo": ("List the codecs shipped with the package.", _nothing, _zoo),
}
