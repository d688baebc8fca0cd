"""Decoding beside the original WaLLoC: `python -m benchmarks.original`.

Its `RGB_16x` has a decoder of 57 million parameters for latents of the shape that `rgb-f8c12` has. What numbers they
are does not change how long it takes, so they are drawn at random. One core; where the package `walloc` is installed,
its own modules are measured too.
"""

import argparse
import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.results import add_save, best_time, show
from walloc_data import load_codec
from walloc_data.codec.original import Architecture, OriginalCodec

RGB_16X = Architecture(dims=2, channels=3, J=3, Ne=768, Nd=768, latent_dim=12, latent_bits=8, lightweight_encode=True)
CODECS = ("rgb-f8c12", "rgb-f8c12-learned")


def main() -> None:
    """Measure, print, and save if asked."""
    parser = argparse.ArgumentParser(description="Encoding and decoding beside the original WaLLoC.")
    parser.add_argument("--side", type=int, default=512, help="pixels a side of the image, a multiple of 8")
    parser.add_argument("--repeats", type=int, default=3, help="decodings by the original, the fastest of which counts")
    add_save(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    draw, side = torch.Generator().manual_seed(0), arguments.side
    x = torch.rand(1, 3, side, side, generator=draw)
    original = original_of_random_numbers(draw)
    codecs = {**{name: load_codec(name) for name in CODECS}, "original RGB_16x, here": original}
    measured = {}
    for name, codec in codecs.items():
        repeats = arguments.repeats if codec is original else 9
        z = codec.encode(x)
        measured[name] = (
            codec.network.parameters,
            best_time(partial(codec.encode, x), 9),
            best_time(partial(codec.decode, z), repeats),
        )
    measured |= of_the_package(x, arguments.repeats)
    slowest = measured["original RGB_16x, here"][2]
    rows: list[tuple[str, ...]] = [
        ("codec", "parameters of the decoder", "encode, Mpixel/s", "decode, Mpixel/s", "times the original")
    ]
    for name, (parameters, encoding, decoding) in measured.items():
        speeds = (f"{side * side / 1e6 / seconds:.3g}" for seconds in (encoding, decoding))
        rows.append((name, f"{parameters:,}", *speeds, f"{slowest / decoding:,.1f}"))
    show("original", rows, save=arguments.save, pixels_a_side=side)


def original_of_random_numbers(draw: torch.Generator) -> OriginalCodec:
    """A codec of the shape of `RGB_16x`."""
    tensors = {
        name: torch.randn(shape, generator=draw) / math.sqrt(math.prod(shape[1:]))
        for name, shape in RGB_16X.shapes().items()
    }
    return OriginalCodec("RGB_16x", RGB_16X, tensors)


def of_the_package(x: Tensor, repeats: int) -> dict[str, tuple[int, float, float]]:
    """Parameters and seconds of the package's own modules; nothing where it is not installed."""
    try:
        from walloc import walloc
    except ImportError:
        return {}
    settings = {name: value for name, value in RGB_16X.state().items() if name not in ("dims", "post_filter")}
    codec = walloc.Codec2D(**settings).eval()

    def encode() -> Tensor:
        found: Tensor = codec.encoder(codec.wavelet_analysis(x - 0.5, J=codec.J))
        return found

    def decode(z: Tensor) -> Tensor:
        found: Tensor = codec.clamp(codec.wavelet_synthesis(codec.decoder(z), J=codec.J))
        return found

    with torch.no_grad():
        calls: tuple[Callable[[], Tensor], ...] = (encode, partial(decode, encode()))
        seconds = [best_time(call, times) for call, times in zip(calls, (9, repeats), strict=True)]
    parameters = sum(each.numel() for each in codec.decoder.parameters())
    return {"original RGB_16x, package walloc": (parameters, seconds[0], seconds[1])}


if __name__ == "__main__":
    main()
