"""What training gains: `python -m benchmarks.learned [--data FOLDER] [--music FOLDER]`.

The learned codecs of the zoo beside those that they were trained from, over several steps of the quantiser: means over
the photographs, or over the whole stereo recordings at 44.1 kHz; bits of the payloads of `rans`. At equal bits: the
learned curve, straight over the logarithm of bits, at the bits of the linear codec. Of sound besides, processor time of
one core to encode and to decode, how many times that of the linear codec: medians of runs in turn.
"""

import argparse
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.results import add_save, show
from benchmarks.sound import files, middle
from benchmarks.zoo import photographs
from walloc_data.codec import Codec
from walloc_data.train.evaluate import Point, evaluate_codec, gain, psnr_at
from walloc_data.zoo import load_codec

PAIRS = {name: f"{name}-learned" for name in ("rgb-f8c12", "rgb-f8c48", "rgb-f16c48")}
PAIRS_OF_SOUND = {"stereo-f256c108": "stereo-f256c108-learned"}
COARSER, COARSER_OF_SOUND = (1.0, 1.4, 2.0, 2.8), (1.0, 1.4, 2.0, 2.8, 4.0)
_RATE, _EXCERPT, _TURNS = 44100, 15, 7  # samples a second, seconds that speeds are measured on, and runs


def main() -> None:
    """Measure, print, and save if asked."""
    parser = argparse.ArgumentParser(description="The learned codecs of the zoo beside the linear ones.")
    parser.add_argument("--data", type=Path, help="photographs on which nothing was trained")
    parser.add_argument("--music", type=Path, help="recordings on which nothing was trained")
    add_save(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.data is not None:
        signals = photographs([arguments.data], 3)
        rows, gains = compare(PAIRS, COARSER, signals, ("bits a pixel", "bits"), ("SSIM", of_ssim))
        show("learned", rows, save=arguments.save, photographs=len(signals), mean_gain_in_dB=gains)
    if arguments.music is not None:
        recordings = [torch.from_numpy(x)[None] for _, x in files(arguments.music, "music")]
        heads = ("kbit/s", "kbit/s"), ("SI-SDR, dB", of_si_sdr)
        rows, gains = compare(PAIRS_OF_SOUND, COARSER_OF_SOUND, recordings, *heads, unit=_RATE / 1000)
        longest = max(recordings, key=lambda x: x.shape[2])[0].numpy()
        excerpt = torch.from_numpy(middle(longest, _EXCERPT * _RATE))[None].contiguous()
        [times] = (relative_times(load_codec(one), load_codec(other), excerpt) for one, other in PAIRS_OF_SOUND.items())
        facts = {"recordings": len(recordings), "mean_gain_in_dB": gains, "times_of_linear": times}
        show("learned_sound", rows, save=arguments.save, **facts)


def of_ssim(point: Point) -> str:
    """As tables have it."""
    return f"{point.ssim:.3f}"


def of_si_sdr(point: Point) -> str:
    """As tables have it."""
    return f"{point.si_sdr:.1f}"


def compare(
    pairs: dict[str, str],
    coarser: Sequence[float],
    signals: Sequence[Tensor],
    bits: tuple[str, str],
    also: tuple[str, Callable[[Point], str]],
    unit: float = 1.0,
) -> tuple[list[tuple[str, ...]], dict[str, float]]:
    """A row for each step of each pair, and by how much each learned codec gains. `bits` are two heads for bits a pixel
    times `unit`, `also` a head and what else a row says of a point. A learned curve goes on by a step, to be above the
    end of the linear one."""
    head = ("codec", bits[0], "PSNR, dB", also[0], f"learned: {bits[1]}", "PSNR, dB", also[0], "at equal bits, dB")
    rows: list[tuple[str, ...]] = [head]
    gains = {}
    for pair in pairs.items():
        steps = coarser, (*coarser, coarser[-1] * math.sqrt(2))
        linear, learned = (
            [evaluate_codec(load_codec(name).coarser(n), signals) for n in each]
            for name, each in zip(pair, steps, strict=True)
        )
        for times, *points in zip(coarser, linear, learned, strict=False):
            row = [pair[0] if times == 1 else f"{pair[0]}x{times:g}"]
            for point in points:
                row += [f"{point.bits * unit:.3f}", f"{point.psnr:.2f}", also[1](point)]
            more = float(psnr_at(learned, points[0].bits)) - points[0].psnr
            rows.append((*row, "" if math.isnan(more) else f"{more:+.2f}"))
        gains[pair[1]] = round(gain(learned, linear), 2)
    return rows, gains


def relative_times(linear: Codec, learned: Codec, signal: Tensor) -> dict[str, float]:
    """How many times as long as the linear codec the learned one takes, of processor time."""
    calls: dict[str, Callable[[Codec], object]] = {
        "encode": lambda codec: codec.encode(signal),
        "decode": lambda codec: codec.decode(latents[codec.name]),
    }
    latents = {codec.name: codec.encode(signal) for codec in (linear, learned)}
    found = {}
    for name, call in calls.items():
        taken: dict[str, list[float]] = {codec.name: [] for codec in (linear, learned)}
        for _ in range(_TURNS):
            for codec in (linear, learned):
                started = time.process_time()
                call(codec)
                taken[codec.name].append(time.process_time() - started)
        found[name] = round(float(np.median(taken[learned.name]) / np.median(taken[linear.name])), 2)
    return found


if __name__ == "__main__":
    main()
