"""Entropy coders on latents of held-out photographs: `python -m benchmarks.entropy --data FOLDER` (extra `bench`).

Photographs at 256 pixels; tables are fitted to every other one, of the rest a hundred are coded. Bits include the
tables of `rans` and `zstd` as they weigh on 10,000 samples. Speeds are megabytes of latents a second on one core, the
best of several runs, the coders taking turns. Of several ways to lay latents out as pictures, the smallest counts. The
plot shows variants of our coders too, made from altered tables and measured in the same run. With `--print-only`,
other photographs than those of the README can be tried without touching its figures.
"""

import argparse
import hashlib
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
import zstandard
from numpy.typing import NDArray

from benchmarks.coders import LAYOUTS, PICTURES, Latents, encode_as, peer, static_ans
from benchmarks.images import list_images, read_image
from benchmarks.results import FOLDER, add_save, best_time, show
from benchmarks.zoo import image_codecs
from walloc_data import ImageReader, load_codec
from walloc_data.entropy import Coder, RansCoder, ZstdCoder

Figures = dict[str, tuple[float, float, float]]  # bits a latent, encode and decode speed, by coder
SIZE, TESTED, TURNS, DRAWN = 256, 100, 4, "rgb-f8c12"
_ENOUGH = 20_000_000  # bytes, for a thread to be worth starting
BIAS, REFERENCE = 8, 9  # columns of the error's weights
PICTURE = FOLDER / "entropy.png"


def main() -> None:
    """Measure, print, and save with a plot if asked."""
    parser = argparse.ArgumentParser(description="Bits and speed of entropy coders on latents.")
    parser.add_argument("--data", type=Path, required=True, nargs="+", help="folders of photographs, 1,000 or so")
    parser.add_argument("--codecs", nargs="+", default=image_codecs(), help="of the zoo (default: all of images)")
    add_save(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    head = (
        "codec",
        "coder",
        "bits a latent",
        "rans is smaller by",
        "encode, MB/s",
        "decode, MB/s",
        "times WebP's decode",
    )
    rows: list[tuple[Any, ...]] = [head]
    threads, tables, frontier = {}, {}, {}
    for name in arguments.codecs:
        latents = np.concatenate([encode_all(name, folder) for folder in arguments.data])
        drawn = name == DRAWN and arguments.save
        results, variants, threads[name], tables[name] = measure(latents[::2], latents[1::2][:TESTED], drawn)
        ours, webp_decode = results["rans"][0], results["WebP lossless m6"][2]
        for coder, (bits, encode, decode) in results.items():
            saved = "" if coder == "rans" else f"{1 - ours / bits:.1%}"
            speeds = (f"{encode:.0f}", f"{decode:.0f}", f"{decode / webp_decode:.2f}")
            rows.append((name, coder, f"{bits:.3f}", saved, *speeds))
            print(*rows[-1], flush=True)
        if drawn:
            frontier = {coder: [round(x, 4) for x in found] for coder, found in (results | variants).items()}
            plot(results, variants, name)
    facts = {
        "tested": TESTED,
        "rans_two_threads_over_one": threads,
        "sha256_two_threads_over_one": two_threads(hash_bytes),
        "rans_table_bytes": tables,
    }
    show("entropy", rows, save=arguments.save, **facts, frontier=frontier)


def encode_all(name: str, folder: Path) -> Latents:
    """Latents `[N, c, h, w]` of every photograph of a folder."""
    codec = load_codec(name)
    reader = ImageReader(channels=codec.config.signal_channels, size=SIZE)
    return np.concatenate([codec.encode(read_image(path, reader)[None]).numpy() for path in list_images(folder)])


def measure(known: Latents, unknown: Latents, more: bool) -> tuple[Figures, Figures, float, int]:
    """Bits, encode and decode speed by coder, and, if wanted, of variants of ours by name.

    Then the speed of `rans` with two threads over one, and the bytes of its tables.
    """
    unknown = np.ascontiguousarray(unknown)
    rans, zstd = RansCoder.fit(list(known)), ZstdCoder.fit(list(known))
    coders = {"rans": ours(rans, unknown), "zstd": ours(zstd, unknown)}
    squeeze, expand = zstandard.ZstdCompressor(level=19), zstandard.ZstdDecompressor()
    coders["Zstandard 19"] = peer(partial(compress, squeeze), expand.decompress, unknown)
    coders["static ANS (constriction)"] = static_ans(known, unknown)
    for layout in LAYOUTS:
        if layout.__name__ != "coloured" or unknown.shape[1] % 3 == 0:
            for codec, (encode, decode) in PICTURES.items():
                coders[f"{codec}, {layout.__name__}"] = peer(partial(encode_as, layout, encode), decode, unknown)
    extra = variants_of(rans, zstd, list(known), unknown) if more else {}
    coders |= extra
    megabytes = unknown.nbytes / 1e6
    found = {}
    for name, (encode_batch, decode_batch, size) in coders.items():
        payloads = encode_batch()
        bits = 8 * size(payloads) / unknown.size
        found[name] = [bits, megabytes / best_time(encode_batch, 3 if name in ("rans", "zstd") else 1), 0.0]
        coders[name] = (encode_batch, partial(decode_batch, payloads), size)
    for _ in range(TURNS):
        for name, (_, decode_batch, _) in coders.items():
            found[name][2] = max(found[name][2], megabytes / best_time(decode_batch, 3 if name == "rans" else 1))
    families: Figures = {}
    for name, (bits, encode_speed, decode_speed) in found.items():
        family = name if name in extra else name.split(",")[0]
        if family not in families or bits < families[family][0]:
            families[family] = (bits, encode_speed, decode_speed)
    variants = {name: families.pop(name) for name in extra}
    return (
        families,
        variants,
        two_threads(decode_halves(rans, unknown)),
        sum(table.nbytes for table in rans.tables().values()),
    )


def variants_of(
    rans: RansCoder, zstd: ZstdCoder, known: list[Latents], unknown: Latents
) -> dict[str, tuple[Any, Any, Any]]:
    """Coders like ours with less to them, and plain Zstandard at other levels."""
    mean, error, references = (rans.tables()[name] for name in ("mean", "error", "references"))
    alone, still, level = error.copy(), np.zeros_like(mean), np.zeros_like(error)
    alone[:, REFERENCE:] = 0
    level[:, BIAS] = np.linspace(0, 4000, len(error)).astype(np.int16)  # a context a channel, whatever is near
    found = {
        "rans, 8 distributions": RansCoder.from_weights(mean, error, references, known, most=8),
        "rans, 2 distributions": RansCoder.from_weights(mean, error, references, known, most=2),
        "rans, no means": RansCoder.from_weights(still, error, references, known),
        "rans, channels apart": RansCoder.from_weights(mean, alone, references, known),
        "rans, a table a channel": RansCoder.from_weights(still, level, references, known),
    }
    variants = {name: ours(coder, unknown) for name, coder in found.items()}
    variants["zstd, no prediction"] = ours(ZstdCoder(np.zeros_like(zstd.predictors)), unknown)
    expand = zstandard.ZstdDecompressor()
    for number in (1, 3, 9):
        squeeze = zstandard.ZstdCompressor(level=number)
        variants[f"Zstandard {number}"] = peer(partial(compress, squeeze), expand.decompress, unknown)
    return variants


def compress(squeeze: zstandard.ZstdCompressor, sample: Latents) -> bytes:
    """A sample's bytes as a Zstandard frame."""
    return squeeze.compress(sample.tobytes())


def ours(coder: Coder, latents: Latents) -> tuple[Any, Any, Any]:
    """Encode, decode and size of one of our coders, with its tables as they weigh on 10,000 samples."""
    tables = sum(table.nbytes for table in coder.tables().values()) * len(latents) / 10_000
    out = np.empty_like(latents)

    def decode(payloads: list[bytes]) -> None:
        coder.decode(*packed(payloads), out)

    decode(coder.encode(latents))
    if not np.array_equal(out, latents):
        raise SystemExit(f"{coder.name} does not give back what it was given")
    return lambda: coder.encode(latents), decode, lambda payloads: sum(map(len, payloads)) + tables


def packed(payloads: list[bytes]) -> tuple[bytes, NDArray[np.uint64]]:
    """Payloads one behind the other, and where each is."""
    lengths = np.array([len(payload) for payload in payloads], np.uint64)
    return b"".join(payloads), np.stack([np.cumsum(lengths, dtype=np.uint64) - lengths, lengths], 1)


def two_threads(work: Callable[[int], Any]) -> float:
    """How many times as fast two threads, each on a core of its own, do parts 0 and 1 of some work as one thread.

    The median of 30 pairs, the two taking turns.
    """

    def pinned(part: int) -> None:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {sorted(os.sched_getaffinity(os.getpid()))[part]})
        work(part)

    ratios = []
    for _ in range(30):
        started = time.perf_counter()
        work(0)
        work(1)
        alone = time.perf_counter()
        threads = [threading.Thread(target=pinned, args=(part,)) for part in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ratios.append((alone - started) / (time.perf_counter() - alone))
    return round(float(np.median(ratios)), 2)


def decode_halves(coder: RansCoder, latents: Latents) -> Callable[[int], None]:
    """Decode a half of the latents, several times over, so that starting a thread does not count."""
    latents = np.concatenate([latents] * max(1, _ENOUGH // latents.nbytes))
    buffer, places = packed(coder.encode(latents))
    out, half = np.empty_like(latents), len(latents) // 2
    parts = (slice(0, half), slice(half, None))
    return lambda part: coder.decode(buffer, places[parts[part]], out[parts[part]])


def hash_bytes(part: int) -> None:
    """Work that shares nothing: what two threads of this machine can gain."""
    hashlib.sha256(bytes(_ENOUGH))


def plot(results: Figures, variants: Figures, name: str) -> None:
    """Bits against decode speed, and the line of what nothing else beats in both."""
    everything = results | variants
    best = sorted((decode, bits) for bits, _, decode in everything.values())
    line = [
        (x, y)
        for x, y in best
        if all(other_y > y or other_x <= x for other_x, other_y in best if (other_x, other_y) != (x, y))
    ]
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    axes.plot(*zip(*line, strict=True), color="#c1440e", linewidth=1, alpha=0.5, zorder=1)
    for coder, (bits, _, decode) in everything.items():
        own = coder.split(",")[0] in ("rans", "zstd")
        whole = coder in results
        axes.scatter(decode, bits, s=60 if whole else 22, color="#c1440e" if own else "#4a6fa5", zorder=3)
        place, side, size = ((7, 4), "left", 9) if whole else ((-6, -2), "right", 7)
        axes.annotate(coder, (decode, bits), xytext=place, textcoords="offset points", ha=side, fontsize=size)
    axes.set(xscale="log", xlabel="decoding, MB of latents a second on one core", ylabel="bits a latent")
    axes.set_title(f"Latents of {name}, held-out photographs at {SIZE} pixels", fontsize=10)
    axes.grid(True, which="both", alpha=0.25)
    axes.margins(x=0.2, y=0.1)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    main()
