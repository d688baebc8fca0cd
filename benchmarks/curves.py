"""Learned codecs beside linear ones and formats: `python -m benchmarks.curves NAME --data FOLDER [--limit N]`.

`walloc eval --peers` of the photographs in a folder: all curves in one picture, results/curves_NAME.png, and a table of
PSNR and MS-SSIM at some rates, straight between a curve's points over the logarithm of bits, and nothing beyond
them. Of formats whole files count, of codecs the payloads of `rans`.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.results import FOLDER, add_save, show
from walloc_data.cli import main as walloc

CODECS = [f"{name}{how}" for name in ("rgb-f8c12", "rgb-f16c48", "rgb-f8c48") for how in ("", "-learned")]
RATES = (0.1, 0.15, 0.2, 0.3, 0.45, 0.7, 1.5)


def main() -> None:
    """Measure, print, and save if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curves", description="Codecs beside formats.")
    parser.add_argument("name", help="of the photographs, for the files that are kept")
    parser.add_argument("--data", type=Path, required=True, help="photographs on which nothing was trained")
    parser.add_argument("--limit", type=int, default=40, help="how many of them, evenly")
    add_save(parser)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        figures, picture = Path(folder) / "figures.json", (FOLDER if options.save else Path(folder))
        line = ["eval", str(options.data), "--codec", *CODECS, "--coarser", "1,1.4,2,2.8,4", "--peers"]
        line += ["--limit", str(options.limit), "--json", str(figures)]
        if status := walloc([*line, "--plot", str(picture / f"curves_{options.name}.png")]):
            sys.exit(status)
        content = json.loads(figures.read_text("utf-8"))
    show(f"curves_{options.name}", at_rates(content["points"]), save=options.save, photographs=content["signals"])


def at_rates(points: list[dict[str, Any]]) -> list[list[str]]:
    """A row a codec or format: its PSNR in dB and MS-SSIM at each rate."""
    curves: dict[str, list[dict[str, Any]]] = {}
    for point in sorted(points, key=lambda point: float(point["bits"])):
        name = point["name"].partition("x")[0] if point["name"].startswith("rgb-") else point["name"]
        curves.setdefault(name, []).append(point)
    rows = [["PSNR in dB, MS-SSIM", *(f"{rate} bits a pixel" for rate in RATES)]]
    for name, curve in curves.items():
        bits = [point["bits"] for point in curve]
        found = [[_at(rate, bits, [point[key] for point in curve]) for key in ("psnr", "ms_ssim")] for rate in RATES]
        cells = [
            f"{ratio:.2f}, {alike:.4f}" if bits[0] <= rate <= bits[-1] else ""
            for rate, (ratio, alike) in zip(RATES, found, strict=True)
        ]
        rows.append([name, *cells])
    return rows


def _at(rate: float, bits: list[float], values: list[float]) -> float:
    return float(np.interp(np.log(rate), np.log(bits), values))


if __name__ == "__main__":
    main()
