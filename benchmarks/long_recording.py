"""Memory of sharding one long recording: `python -m benchmarks.long_recording [--minutes 120]`.

Chirps in noise at 44.1 kHz, as WAV or FLAC of 16 bits, are cut into windows by `walloc-shard`, in a process of its
own, whose memory at its most is measured; and so is a recording of a tenth of the length.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.results import add_save, show
from walloc_data import load_codec

RATE, SEGMENT = 44100, 10.24
_SHARD = (
    "import sys; from benchmarks.results import peak_memory; from walloc_data.cli import main_shard; "
    "status = main_shard(sys.argv[1:]); print(peak_memory()); sys.exit(status)"
)


def main() -> None:
    """Measure, print, and save if asked."""
    parser = argparse.ArgumentParser(description="Memory of sharding one long recording.")
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--format", choices=("wav", "flac"), default="flac")
    parser.add_argument("--codec", default="stereo-f256c108")
    add_save(parser)
    arguments = parser.parse_args()
    rows: list[tuple[object, ...]] = [("minutes", "MB of file", "MB as floats", "peak MB", "seconds")]
    channels = load_codec(arguments.codec).config.signal_channels
    for minutes in (arguments.minutes / 10, arguments.minutes):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "recording" / f"long.{arguments.format}"
            write(path, minutes, channels)
            command = [str(path.parent), str(Path(folder) / "out"), "--codec", arguments.codec, "--quiet"]
            command += ["--workers", "1", "--read", f"segment={SEGMENT}"]
            started = time.perf_counter()
            said = subprocess.run([sys.executable, "-c", _SHARD, *command], check=True, capture_output=True, text=True)
            seconds, peak = time.perf_counter() - started, float(said.stdout.split()[-1])
            floats = minutes * 60 * RATE * channels * 4 / 1e6
            rows.append((minutes, f"{path.stat().st_size / 1e6:.0f}", f"{floats:.0f}", f"{peak:.0f}", f"{seconds:.0f}"))
    show("long_recording", rows, save=arguments.save, format=arguments.format, codec=arguments.codec)


def write(path: Path, minutes: float, channels: int) -> None:
    """Minutes of chirps in noise, other ones each minute."""
    path.parent.mkdir(parents=True)
    rng, moments = np.random.default_rng(0), np.arange(60 * RATE) / RATE
    noise = rng.normal(0, 0.01, (60 * RATE, channels))
    with soundfile.SoundFile(path, "w", RATE, channels, "PCM_16") as file:
        for _ in range(max(1, round(minutes))):
            low, rise = rng.uniform(50, 2000), rng.uniform(0, 10)
            file.write((0.4 * np.sin(2 * np.pi * moments * (low + rise * moments)))[:, None] + noise)


if __name__ == "__main__":
    main()
