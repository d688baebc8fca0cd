"""What lossless compression would make of samples: bytes of FLAC files, which Debian's program `flac` writes."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["flac_bytes"]

_OPTIONS = ("-8", "--verify", "--totally-silent", "--no-padding", "--no-seektable")
_RAW = ("--force-raw-format", "--endian=little", "--sign=signed", "--channels=1", "--bps=16")


def flac_bytes(signals: NDArray[np.int16], rate: int, scratch: Path) -> int:
    """Bytes of all signals `[n, samples]`, each as a file of its own at the highest level of compression.

    Files are written in `scratch`, decoded again to see that they are right, and removed. Raises SystemExit, with the
    package to install, where there is no `flac`.
    """
    if shutil.which("flac") is None:
        raise SystemExit("flac is not installed: `apt install flac`")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    names = [f"{number}.raw" for number in range(len(signals))]
    for name, samples in zip(names, signals, strict=True):
        samples.astype("<i2").tofile(scratch / name)
    subprocess.run(["flac", *_OPTIONS, *_RAW, f"--sample-rate={rate}", *names], check=True, cwd=scratch)
    total = sum(path.stat().st_size for path in scratch.glob("*.flac"))
    shutil.rmtree(scratch)
    return total
