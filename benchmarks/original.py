"""Decoding beside the original WaLLoC: `python -m benchmarks.original`.

Its `RGB_16x` has a decoder of 57 million parameters for latents of the shape that `rgb-f8c12` has. What numbers they
are does not change how long it takes, so they are drawn at random. One core; where the package `walloc` is installed,
its own modules are measured too.
"""

import argparse
import math
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from benchmarks.results import add_save, best_time, show
from walloc_data import load_codec
from walloc_data.codec.original import Architecture, OriginalCodec

RGB_16X = Architecture(dims=2, channels=3, J=3, Ne=768, Nd=768, latent_dim=12, latent_bits=8, lightweight_encode=True)
OURS = "original RGB_16x, here"
Calls: TypeAlias = tuple[int, Callable[[], Tensor], Callable[[], Tensor]]  # parameters, encoding, decoding
CODECS = ("rgb-f8c12", "rgb-f8c12-learned", "rgb-f16c48", "rgb-f16c48-learned")


def main() -> None:
    """Measure, print, and save if asked."""
    parser = argparse.ArgumentParser(description="Encoding and decoding beside the original WaLLoC.")
    parser.add_argument("--side", type=int, default=512, help="pixels a side of the image, a multiple of 8")
    parser.add_argument("--turns", type=int, default=3, help="of all by turns, the fastest of which counts")
    add_save(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    draw, side = torch.Generator().manual_seed(0), arguments.side
    x = torch.rand(1, 3, side, side, generator=draw)
    original = original_of_random_numbers(draw)
    codecs = {**{name: load_codec(name) for name in CODECS}, OURS: original}
    calls: dict[str, Calls] = {
        name: (codec.network.parameters, partial(codec.encode, x), partial(codec.decode, codec.encode(x)))
        for name, codec in codecs.items()
    }
    calls |= of_the_package(x)
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(arguments.turns):
        for name, (_, encode, decode) in calls.items():
            deep = name not in CODECS
            seconds[name].append((best_time(encode, 9), best_time(decode, 1 if deep else 9)))
    fastest = {name: tuple(map(min, zip(*found, strict=True))) for name, found in seconds.items()}
    rows: list[tuple[str, ...]] = [
        ("codec", "parameters of the decoder", "encode, Mpixel/s", "decode, Mpixel/s", "times the original")
    ]
    for name, times in fastest.items():
        speeds = (f"{side * side / 1e6 / each:.3g}" for each in times)
        rows.append((name, f"{calls[name][0]:,}", *speeds, f"{fastest[OURS][1] / times[1]:,.1f}"))
    show("original", rows, save=arguments.save, pixels_a_side=side)


def original_of_random_numbers(draw: torch.Generator) -> OriginalCodec:
    """A codec of the shape of `RGB_16x`."""
    tensors = {
        name: torch.randn(shape, generator=draw) / math.sqrt(math.prod(shape[1:]))
        for name, shape in RGB_16X.shapes().items()
    }
    return OriginalCodec("RGB_16x", RGB_16X, tensors)


def of_the_package(x: Tensor) -> dict[str, Calls]:
    """The same of the package's own modules; nothing where it is not installed."""
    try:
        from walloc import walloc
    except ImportError:
        return {}
    settings = {name: value for name, value in RGB_16X.state().items() if name not in ("dims", "post_filter")}
    codec = walloc.Codec2D(**settings).eval()

    @torch.no_grad()
    def encode() -> Tensor:
        found: Tensor = codec.encoder(codec.wavelet_analysis(x - 0.5, J=codec.J))
        return found

    @torch.no_grad()
    def decode(z: Tensor) -> Tensor:
        found: Tensor = codec.clamp(codec.wavelet_synthesis(codec.decoder(z), J=codec.J))
        return found

    parameters = sum(each.numel() for each in codec.decoder.parameters())
    return {"original RGB_16x, package walloc": (parameters, encode, partial(decode, encode()))}


if __name__ == "__main__":
    main()
