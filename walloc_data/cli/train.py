"""The verb `train`."""

import argparse
import sys
from pathlib import Path

from walloc_data.cli.reading import add_reading, refuse_former

__all__ = ["KEPT", "add", "run"]

KEPT = ": the last checkpoint is kept, if there is one yet; run the same command again to go on"
_OPTIONS = (  # of a training, each an argument of its name
    *("steps", "total_minutes", "minutes", "batch", "window", "width", "blocks", "finer", "rate", "emphasis"),
    *("coarsest", "perceptual", "learning_rate", "limit", "seed", "device", "precision", "decoder_only", "relative"),
)


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc train`."""
    parser.add_argument("source", metavar="SRC", help="raw samples, as `walloc-shard` takes them")
    parser.add_argument(
        "out",
        type=Path,
        metavar="OUT",
        help="file for the codec (.safetensors); beside it come a checkpoint, a log and, of images, a picture",
    )
    parser.add_argument(
        "--codec",
        default="rgb-f8c12",
        help="what to start from: name in the zoo, file (such as one of `walloc fit`), or hf://user/repo",
    )
    parser.add_argument(
        "--decoder-only",
        action="store_true",
        help="train a decoder alone: latents and fingerprint stay, and datasets sharded before gain from it",
    )
    parser.add_argument("--steps", type=int, default=20_000, help="of the whole training")
    parser.add_argument(
        "--total-minutes", type=float, metavar="MINUTES", help="as many steps as take so long, in the place of --steps"
    )
    parser.add_argument(
        "--minutes", type=float, help="end this run then; the same command goes on (default: all steps)"
    )
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="windows a step")
    parser.add_argument(
        "--window", type=int, metavar="N", help="positions of latents a side (default: 24 of images, 256 of sound)"
    )
    parser.add_argument("--width", type=int, metavar="N", help="channels of a new decoder's blocks (default: 128)")
    parser.add_argument(
        "--blocks",
        type=int,
        metavar="N",
        help="blocks of a new decoder (default: 6), or more than the codec's has, which goes on with them",
    )
    parser.add_argument(
        "--finer",
        type=int,
        default=0,
        metavar="LEVELS",
        help="the decoder works on a grid finer by so many levels, and gains more from fewer samples",
    )
    parser.add_argument(
        "--rate", type=float, default=1.0, help="price of a bit: below 1 buys quality with bits, above 1 saves them"
    )
    parser.add_argument(
        "--emphasis", type=float, default=0.0, help="how much more errors of detail count: 0 for pixels"
    )
    parser.add_argument(
        "--perceptual",
        type=float,
        default=0.0,
        metavar="PIXELS",
        help="weight errors of images by the eye's sensitivity, which sees so many pixels in a degree (a screen: 40)",
    )
    parser.add_argument(
        "--relative",
        action="store_true",
        help="count logarithms of errors: soft sounds and dark images are learned from as others are",
    )
    parser.add_argument(
        "--coarsest", type=float, default=2.0, help="how many times as coarse steps it learns too; 1: none but its own"
    )
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="the highest of the schedule")
    parser.add_argument("--limit", type=int, default=1000, metavar="N", help="at most N, evenly from the source")
    parser.add_argument("--seed", type=int, default=0, help="of batches, noise and the first weights")
    parser.add_argument("--device", default="auto", help="auto (a GPU where there is one), cpu or cuda")
    parser.add_argument(
        "--precision",
        choices=("auto", "float32", "tf32", "bfloat16"),
        default="auto",
        help="what to compute in (auto: what is fastest on the device, as measured)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_reading(parser)


def run(arguments: argparse.Namespace) -> None:
    """Train a codec and write it."""
    refuse_former(arguments)
    from walloc_data.signals import reader_for  # heavy, as all that follows
    from walloc_data.sources import open_source
    from walloc_data.train import TrainOptions, train_codec
    from walloc_data.zoo import load_codec

    options = TrainOptions(**{name: getattr(arguments, name) for name in _OPTIONS})
    codec = load_codec(arguments.codec)
    reader = reader_for(codec.config, **arguments.read or {})
    source = open_source(arguments.source, suffixes=reader.suffixes, data=arguments.data, names=arguments.names)
    trained = train_codec(
        source, arguments.out, codec=codec, reader=reader, options=options, progress=not arguments.quiet
    )
    if not trained.first:
        return  # of several processes, one speaks
    for note in trained.notes:
        print(f"note: {note}", file=sys.stderr)
    before, after = trained.before, trained.after
    print(f"{arguments.out}: {trained.codec}, decoder of {trained.codec.network.parameters:,} parameters")
    print(
        f"  on samples kept for it: {before.psnr:.2f} dB at {before.bits:.3f} bits a latent before, "
        f"{after.psnr:.2f} dB at {after.bits:.3f} after {trained.steps:,} steps"
    )
    if after.psnr <= before.psnr and after.bits >= before.bits:
        print("note: it is no better than what it started from: train longer, or on more samples", file=sys.stderr)
    if not trained.complete:
        print(f"  stopped at step {trained.steps:,} of {trained.total:,}: run the same command again to go on")
