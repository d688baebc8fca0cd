"""Damage payloads and records at random: `PYTHONPATH=. python -m tools.fuzz [--count 100000] [--seed 0]`.

Half of the cases are payloads, of each coder and of latents of one to three space dimensions, decoded to an array
between guards; half are whole records, with the header's CRC32 made right again every other time, so that what
lies behind it is met too. Each must end within seconds, as an error of this package, as data that the sample's CRC32
tells from the right one, or unharmed; anything else ends the program with the case's number. What each came to is
counted.
"""

import argparse
import struct
import time
import zlib
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy import Coder, RansCoder, ZstdCoder
from walloc_data.errors import CoderError, FormatError
from walloc_data.format import Record, pack_record

__all__ = ["Target", "damaged", "try_payload", "try_record"]

Latents = NDArray[np.int8]
SHAPES = ((3, 17, 12), (5, 150), (2, 3, 9, 8), (12, 32, 32), (2, 40, 3))
GUARD, SECONDS, MOST = 64, 20.0, 1 << 26
CRC_AT = 28


class Target:
    """Latents, their payloads, and the record of them, of one coder and shape."""

    def __init__(self, kind: type[Coder], shape: tuple[int, ...], rng: np.random.Generator) -> None:
        scale = np.exp(rng.normal(size=(8, 1, *shape[1:])))
        self.latents = np.clip(np.round(rng.laplace(size=(8, *shape)) * scale), -128, 127).astype(np.int8)
        self.coder = kind.fit(list(self.latents))
        self.payloads = self.coder.encode(self.latents)
        self.record = pack_record(
            self.payloads, list(self.latents), {"label": np.arange(8)}, coder_id=kind.id, fingerprint="0" * 16
        )
        self.where = f"{kind.name} {list(shape)}"


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Noise, a part of `data`, or all of it with a few bits, its end or a run changed, or with bytes put in."""
    kind = rng.integers(6)
    if kind == 0:
        return rng.bytes(int(rng.integers(0, 2 * len(data))))
    if kind == 1:
        return data[: rng.integers(len(data))]
    broken = np.frombuffer(data, np.uint8).copy()
    at = int(rng.integers(len(broken)))
    if kind == 2:
        for _ in range(rng.integers(1, 4)):
            broken[rng.integers(len(broken))] ^= 1 << rng.integers(8)
    elif kind == 3:
        broken[at:] = np.frombuffer(rng.bytes(len(broken) - at), np.uint8)
    elif kind == 4:
        broken[at : at + int(rng.integers(1, 9))] = rng.choice([0, 255])
    else:
        broken = np.insert(broken, at, np.frombuffer(rng.bytes(int(rng.integers(1, 9))), np.uint8))
    return bytes(broken.tobytes())


def try_payload(target: Target, rng: np.random.Generator) -> str:
    """Decode a damaged payload, with a good one before or behind it, and say what came of it."""
    good, bad, first = rng.integers(8), rng.integers(8), bool(rng.integers(2))
    pair = [damaged(target.payloads[bad], rng), target.payloads[good]][:: 1 if first else -1]
    lengths = np.array([len(payload) for payload in pair], np.uint64)
    segments = np.stack([np.cumsum(lengths, dtype=np.uint64) - lengths, lengths], 1)
    guarded = np.full(2 * target.latents[0].size + 2 * GUARD, 99, np.int8)
    out = guarded[GUARD:-GUARD].reshape(2, *target.latents[0].shape)
    try:
        target.coder.decode(b"".join(pair), segments, out)
    except CoderError:
        outcome = "an error"
    else:
        found, other = out[:: 1 if first else -1]
        outcome = "unharmed" if np.array_equal(found, target.latents[bad]) else "other latents, which a CRC32 tells"
        if not np.array_equal(other, target.latents[good]):
            raise SystemExit("the payload beside a damaged one came out wrong")
    if (guarded[:GUARD] != 99).any() or (guarded[-GUARD:] != 99).any():
        raise SystemExit("a guard was written to")
    return outcome


def try_record(target: Target, rng: np.random.Generator) -> str:
    """Read a damaged record as datasets do, and say what came of it."""
    head = len(target.record) - sum(map(len, target.payloads))
    data = bytearray(target.record)
    if rng.integers(2):
        data = bytearray(damaged(bytes(data), rng))
    else:
        data[: min(head, 44)] = damaged(bytes(data[: min(head, 44)]), rng)[: min(head, 44)]
    if rng.integers(2) and len(data) > 44:
        data[CRC_AT : CRC_AT + 4] = bytes(4)
        dims, samples, flags = data[5], *struct.unpack_from("<H", data, 6), data[10]
        tables = 44 + samples * (8 + (4 * dims if flags & 1 else 0))
        struct.pack_into("<I", data, CRC_AT, zlib.crc32(data[:tables]))
    try:
        record = Record.parse(data, where="here")
        record.columns(data, where="here")
        shapes = [record.latent_shape(sample) for sample in range(len(record))]
        if max(np.prod(shape, dtype=np.float64) for shape in shapes) > MOST:
            return "more latents than are tried here"
        for sample, shape in enumerate(shapes):
            out = np.empty((1, *shape), np.int8)
            target.coder.decode(data, record.segments[sample : sample + 1], out)
            if zlib.crc32(out.data) != record.crcs[sample]:
                return "a CRC32 failure"
            if not any(np.array_equal(out[0], latents) for latents in target.latents):
                raise SystemExit("latents that never were have the right CRC32")
    except FormatError:
        return "an error of the format"
    except CoderError:
        return "an error of the coder"
    return "unharmed"


def main() -> None:
    """Try, count, print."""
    parser = argparse.ArgumentParser(description="Damage payloads and records at random.")
    parser.add_argument("--count", type=int, default=100_000, help="cases (default: 100,000)")
    parser.add_argument("--seed", type=int, default=0, help="of what is tried (default: 0)")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    targets = [Target(kind, shape, rng) for kind in (RansCoder, ZstdCoder) for shape in SHAPES]
    outcomes: Counter[tuple[str, str]] = Counter()
    slowest = 0.0
    for number in range(arguments.count):
        target = targets[int(rng.integers(len(targets)))]
        part = ("payload", "record")[number % 2]
        started = time.perf_counter()
        try:
            outcomes[f"{target.coder.name}, {part}", (try_payload, try_record)[number % 2](target, rng)] += 1
        except BaseException:
            print(f"case {number} of seed {arguments.seed}: a {part} of {target.where}")
            raise
        slowest = max(slowest, time.perf_counter() - started)
        if slowest > SECONDS:
            raise SystemExit(f"case {number} of seed {arguments.seed} took {slowest:.0f} s: a {part} of {target.where}")
    for (part, outcome), count in sorted(outcomes.items()):
        print(f"{count:8,}  {part}: {outcome}")
    print(f"{arguments.count:8,}  in all, the slowest {slowest:.2f} s")


if __name__ == "__main__":
    main()
