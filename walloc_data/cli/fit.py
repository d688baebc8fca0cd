"""The verb `fit`."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from walloc_data.cli.reading import add_reading, refuse_former
from walloc_data.errors import SampleError, SourceError

if TYPE_CHECKING:
    from torch import Tensor

    from walloc_data.signals import Reader
    from walloc_data.sources import Source

__all__ = ["add", "run"]

_KINDS = {
    "rgb": ("image", 3),
    "gray": ("image", 1),
    "stereo": ("audio", 2),
    "mono": ("audio", 1),
    "video": ("video", 3),
    "array": ("array", 0),  # with bands and dimensions as the first sample
}
_DEFAULTS = {  # dims, channels of one, and of more
    "image": (2, 12, 12),
    "audio": (1, 54, 108),
    "video": (3, 16, 48),
}


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc fit`."""
    parser.add_argument("source", metavar="SRC", help="raw samples, as `walloc-shard` takes them")
    parser.add_argument("out", type=Path, metavar="OUT", help="file for the codec (.safetensors)")
    parser.add_argument(
        "--kind", choices=tuple(_KINDS), default="rgb", help="what samples are: images, sound, video, arrays"
    )
    parser.add_argument("--gray", action="store_const", const="gray", dest="kind", help="the same as --kind gray")
    parser.add_argument(
        "--channels",
        type=int,
        help="channels of the latents (default: 12 of images, 54 a channel of sound, 48 of "
        "video; of arrays 16 times fewer numbers, or 4 times in one dimension, and at most 64)",
    )
    parser.add_argument(
        "--levels",
        type=_levels,
        metavar="N[,N...]",
        help="levels of wavelet packets: 2**levels pixels a side, or samples, make a position; one number, or one for "
        "each dimension, such as 2,3,3 for time, height and width (default: 3 of images, 8 of sound, 2,3,3 of video; "
        "of arrays 4, 3 or 2 in one, two or three dimensions)",
    )
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
    parser.add_argument(
        "--common-scale",
        action="store_true",
        help="arrays: errors of all bands count alike in their units, not each by the spread of its band",
    )
    parser.add_argument("--limit", type=int, default=300, metavar="N", help="at most N samples, evenly from the source")
    parser.add_argument("--images", help=argparse.SUPPRESS)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_reading(parser)


def _levels(text: str) -> int | tuple[int, ...]:
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor several such as 2,3,3") from error
    return numbers[0] if len(numbers) == 1 else numbers


def run(arguments: argparse.Namespace) -> None:
    """Fit a codec and write it."""
    refuse_former(arguments)
    if arguments.images is not None:
        raise SourceError(f"--images {arguments.images} is now --limit {arguments.images}")
    if arguments.limit < 1:
        raise SourceError("--limit is a whole number from 1 on")
    if arguments.out.suffix != ".safetensors":
        raise SourceError(f"{arguments.out}: the file of a codec ends with .safetensors")
    from walloc_data.cli.fit_arrays import array_shape, latent_channels
    from walloc_data.codec import CodecConfig, default_levels, fit  # heavy, as all that follows
    from walloc_data.signals import reader_for
    from walloc_data.sources import open_source
    from walloc_data.write.clips import cut
    from walloc_data.zoo import save_codec

    kind, signal_channels = _KINDS[arguments.kind]
    options = arguments.read or {}
    if kind == "array":
        signal_channels, dims = array_shape(arguments.source, data=arguments.data, options=options)
    else:
        dims, of_one, of_more = _DEFAULTS[kind]
    config = CodecConfig(
        name=arguments.out.stem,
        kind=kind,
        signal_channels=signal_channels,
        dims=dims,
        levels=default_levels(kind, dims) if arguments.levels is None else arguments.levels,
        wavelet=arguments.wavelet,
    )
    reader = reader_for(config, **options)
    source = cut(open_source(arguments.source, suffixes=reader.suffixes, data=arguments.data), reader)
    signals = _Signals(source, reader, arguments.limit, arguments.quiet)
    if arguments.channels is not None:
        channels = arguments.channels
    elif kind == "array":
        channels = latent_channels(config.packet_channels, dims)
    else:
        channels = of_more if signal_channels > 1 else of_one
    codec = fit(
        signals,
        config,
        channels=channels,
        knee=arguments.knee,
        emphasis=arguments.emphasis,
        common_scale=arguments.common_scale,
    )
    save_codec(codec, arguments.out)
    widened = int((codec.steps > codec.steps.min()).sum())
    if signals.reasons:
        count, first = len(signals.reasons), next(iter(signals.reasons))
        print(f"note: {count} of {len(signals.samples)} samples were passed over, such as {first}", file=sys.stderr)
    print(f"{arguments.out}: {codec}, step {codec.steps.min():.4f}, wider for {widened} of {codec.channels} channels")


class _Signals:
    """Samples of a source, read anew at each pass: memory does not grow with them. `reasons` says of each that cannot
    be read why."""

    def __init__(self, source: "Source", reader: "Reader", most: int, quiet: bool) -> None:
        from walloc_data.sources import evenly, samples_of

        self.samples = evenly(samples_of(source.splits.values()), most)
        self.reader, self.quiet, self.passes = reader, quiet, 0
        self.reasons: dict[str, None] = {}

    def __iter__(self) -> "Iterator[Tensor]":
        import torch
        from tqdm import tqdm

        self.passes += 1
        for split, index in tqdm(
            self.samples, desc=f"pass {self.passes}", unit=" samples", leave=False, disable=self.quiet or None
        ):
            try:
                raw = split[index]
                values = self.reader.read(raw.data, raw.name).values
            except SampleError as error:
                self.reasons[str(error)] = None
                continue
            yield torch.from_numpy(values)[None]
        if len(self.reasons) == len(self.samples):
            raise SourceError(f"none of {len(self.samples)} samples can be read, such as {next(iter(self.reasons))}")
