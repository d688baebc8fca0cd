"""What training gains: `python -m benchmarks.learned --data FOLDER`.

The learned codecs of the zoo beside those that they were trained from, over several steps of the quantiser: means over
the photographs, bits of the payloads of `rans`. At equal bits: the learned curve, straight over the logarithm of bits,
at the bits of the linear codec.
"""

import argparse
import math
from pathlib import Path

import torch

from benchmarks.results import add_save, show
from benchmarks.zoo import photographs
from walloc_data.train.evaluate import evaluate_codec, gain, psnr_at
from walloc_data.zoo import load_codec

PAIRS = {"rgb-f8c12": "rgb-f8c12-learned", "rgb-f8c48": "rgb-f8c48-learned"}
COARSER = (1.0, 1.4, 2.0, 2.8)


def main() -> None:
    """Measure, print, and save if asked."""
    parser = argparse.ArgumentParser(description="The learned codecs of the zoo beside the linear ones.")
    parser.add_argument("--data", type=Path, required=True, help="photographs on which nothing was trained")
    add_save(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    signals = photographs([arguments.data], 3)
    rows: list[tuple[str, ...]] = [
        ("codec", "bits a pixel", "PSNR, dB", "SSIM", "learned: bits", "PSNR, dB", "SSIM", "at equal bits, dB")
    ]
    gains = {}
    for pair in PAIRS.items():
        linear, learned = ([evaluate_codec(load_codec(name).coarser(n), signals) for n in COARSER] for name in pair)
        for times, *points in zip(COARSER, linear, learned, strict=True):
            row = [pair[0] if times == 1 else f"{pair[0]}x{times:g}"]
            for point in points:
                row += [f"{point.bits:.3f}", f"{point.psnr:.2f}", f"{point.ssim:.3f}"]
            more = float(psnr_at(learned, points[0].bits)) - points[0].psnr
            rows.append((*row, "" if math.isnan(more) else f"{more:+.2f}"))
        gains[pair[1]] = round(gain(learned, linear), 2)
    show("learned", rows, save=arguments.save, photographs=len(signals), mean_gain_in_dB=gains)


if __name__ == "__main__":
    main()
