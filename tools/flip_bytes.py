"""Flip bits of a dataset, one at a time: `python -m tools.flip_bytes [--count 2000] [--seed 0] [--repair-every 1]`.

A dataset of photographs is made, with a sample that cannot be read. Then a random bit of a random byte of all its files
but README.md is flipped, so many times; `verify --deep` has to name the file, and `--repair` has to give the first
bytes back (other times, the byte is put back). Ends with exit status 1 where it did not, and prints counts by file.
"""

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.photographs import CLASSES, window
from walloc_data import ImageReader, Options, repair_dataset, shard_dataset, verify_dataset

__all__ = ["make", "try_flip"]

SAMPLES = 48


def make(root: Path) -> tuple[Path, Path]:
    """A source and the dataset of it."""
    source, out = root / "photos", root / "out"
    for number in range(SAMPLES):
        folder = source / CLASSES[number % len(CLASSES)]
        folder.mkdir(parents=True, exist_ok=True)
        window(CLASSES[number % len(CLASSES)], number, (64, 80)).save(folder / f"{number:03d}.png")
    (source / CLASSES[0] / "broken.png").write_bytes(b"no picture")
    shard_dataset(source, out, reader=ImageReader(size=64), options=Options(block=8, shard_samples=16))
    return source, out


def try_flip(out: Path, source: Path | None, name: str, place: int, bit: int) -> str:
    """What becomes of a flip: empty where it is found, and with a source repaired, else what went wrong."""
    path = out / name
    first = path.read_bytes()
    path.write_bytes(first[:place] + bytes([first[place] ^ 1 << bit]) + first[place + 1 :])
    found = {one.file for one in verify_dataset(out, deep=True)}
    if source is not None:
        repair_dataset(out, source)
    repaired = path.read_bytes() == first
    path.write_bytes(first)
    if name not in found:
        return "not found"
    return "not repaired" if source is not None and not repaired else ""


def main() -> None:
    """Flip, look, repair, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repair-every", type=int, default=1, metavar="N")
    arguments = parser.parse_args()
    rng, started = np.random.default_rng(arguments.seed), time.perf_counter()
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        source, out = make(Path(folder))
        sizes = {path.name: path.stat().st_size for path in sorted(out.iterdir()) if path.name != "README.md"}
        names, weights = list(sizes), np.array(list(sizes.values()), np.float64)
        for number in range(arguments.count):
            name = names[rng.choice(len(names), p=weights / weights.sum())]
            place, bit = int(rng.integers(sizes[name])), int(rng.integers(8))
            repair = source if number % arguments.repair_every == 0 else None
            outcome = try_flip(out, repair, name, place, bit)
            outcomes[f"{name}: {outcome or 'found' + (' and repaired' if repair else '')}"] += 1
            if outcome:
                print(f"flip {number}, bit {bit} of byte {place} of {name}: {outcome}")
    for line, count in sorted(outcomes.items()):
        print(f"{count:6} {line}")
    print(f"{arguments.count} flips in {time.perf_counter() - started:.0f} s")
    raise SystemExit(any("not " in line for line in outcomes))


if __name__ == "__main__":
    main()
