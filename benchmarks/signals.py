"""Codecs of every kind of signal, their fits and their maps: `python -m benchmarks.signals`.

One core. Signals are drawn (noise whose power falls with frequency, so that codecs have something to leave out);
`--data` takes the cube of a file of numpy, `[bands, height, width]`, in the place of the drawn one. M/s are millions of
numbers of the signal a second.
"""

import argparse
import math
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.results import add_save, best_time, show
from walloc_data.codec import CodecConfig, fit

_MODALITIES = {  # kind, levels, channels, size of a signal `[C, *space]`, signals that are fitted
    "stereo, 10 s": ("audio", 8, 108, (2, 441_344), 6),
    "clip": ("image", 2, 12, (3, 16, 256, 256), 2),
    "photograph": ("image", 3, 12, (3, 256, 256), 40),
    "cube": ("image", 3, 32, (198, 104, 104), 1),
}


def main() -> None:
    """Measure, print, and save if asked."""
    parser = argparse.ArgumentParser(description="Fits and maps of codecs for sound, video, images and many bands.")
    parser.add_argument("--data", type=Path, help="a cube, .npy [bands, height, width] (default: a drawn one)")
    parser.add_argument("--only", choices=tuple(_MODALITIES), help="one of the rows")
    add_save(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[tuple[str, ...]] = [
        ("signal", "channels", "fewer numbers", "fit, s", "encode, M/s", "decode, M/s", "dB")
    ]
    for name, (kind, levels, channels, size, count) in _MODALITIES.items():
        if arguments.only not in (None, name):
            continue
        signals = [_drawn(kind, size, seed) for seed in range(count)]
        if name == "cube" and arguments.data:
            cube = torch.from_numpy(np.load(arguments.data).astype(np.float32))
            signals = [(cube / cube.max())[None]]
        config = CodecConfig(
            name=name,
            kind=kind,
            signal_channels=signals[0].shape[1],
            dims=signals[0].dim() - 2,
            levels=levels,
            wavelet="10/18",
        )
        started = time.perf_counter()
        codec, x = fit(signals, config, channels=channels), signals[0]
        seconds = time.perf_counter() - started
        z = codec.encode(x)
        error = (codec.decode(z, size=x.shape[2:]) - x).square().mean().item() / (4 if kind == "audio" else 1)
        numbers = x.numel() / 1e6
        rows.append(
            (
                name,
                str(channels),
                f"{config.packet_channels / channels:.3g}x",
                f"{seconds:.2f}",
                f"{numbers / best_time(partial(codec.encode, x)):.1f}",
                f"{numbers / best_time(partial(codec.decode, z)):.1f}",
                f"{-10 * math.log10(error):.1f}",
            )
        )
    show("signals", rows, save=arguments.save)


def _drawn(kind: str, size: tuple[int, ...], seed: int) -> Tensor:
    """A signal `[1, C, *space]` of noise, whose power falls with the square of frequency, in the range of its kind."""
    generator = torch.Generator().manual_seed(seed)
    axes = tuple(range(1, len(size)))
    spectrum = torch.fft.fftn(torch.randn(size, generator=generator), dim=axes)
    frequencies = torch.meshgrid(*[torch.fft.fftfreq(n) for n in size[1:]], indexing="ij")
    smooth: Tensor = torch.fft.ifftn(spectrum / (torch.stack(frequencies).norm(dim=0) + 0.01), dim=axes).real
    if size[0] > 3:  # bands of a sensor are nearly copies of one another
        few = torch.randn(size[0], 4, generator=generator) @ smooth[:4].flatten(1)
        smooth = few.reshape(size) + 0.05 * smooth
    smooth = smooth / smooth.abs().amax()
    return (smooth if kind == "audio" else (smooth + 1) / 2)[None]


if __name__ == "__main__":
    main()
