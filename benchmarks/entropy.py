"""Entropy coders on latents of held-out photographs: `python -m benchmarks.entropy --data FOLDER` (extra `bench`).

Photographs at 256 pixels; tables are fitted to every other one, the rest is coded. Bits include the tables of
`rans` and `zstd` as they weigh on 10,000 samples. Speeds are megabytes of latents a second on one core, the best of
several runs, the coders taking turns. Of several ways to lay latents out as pictures, the smallest counts.
"""

import argparse
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import constriction
import imagecodecs
import matplotlib.pyplot as plt
import numpy as np
import torch
import zstandard
from numpy.typing import NDArray
from PIL import Image

from benchmarks.results import best_time, save
from walloc_data import ImageReader, load_codec, zoo_names
from walloc_data.entropy import Coder, RansCoder, ZstdCoder
from walloc_data.sources import list_images

Latents = NDArray[np.int8]
SIZE, TESTED, TURNS = 256, 100, 4
PICTURE = Path(__file__).parent / "results" / "entropy.png"


def main() -> None:
    """Measure, print, plot, save."""
    parser = argparse.ArgumentParser(description="Bits and speed of entropy coders on latents.")
    parser.add_argument("--data", type=Path, required=True, help="folder of photographs, 1,000 or so")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[tuple[Any, ...]] = [
        ("codec", "coder", "bits a latent", "rans is smaller by", "encode, MB/s", "decode, MB/s")
    ]
    threads, tables = {}, {}
    for name in zoo_names():
        latents = encode_all(name, arguments.data)
        results, threads[name], tables[name] = measure(latents[::2], latents[1::2][:TESTED])
        ours = results["rans"][0]
        for coder, (bits, encode, decode) in results.items():
            saved = "" if coder == "rans" else f"{1 - ours / bits:.1%}"
            rows.append((name, coder, f"{bits:.3f}", saved, f"{encode:.0f}", f"{decode:.0f}"))
            print(*rows[-1], flush=True)
        if name == "rgb-f8c12":
            plot(results, name)
    save("entropy", rows, tested=TESTED, rans_two_threads_over_one=threads, rans_table_bytes=tables)


def encode_all(name: str, folder: Path) -> Latents:
    """Latents `[N, c, h, w]` of every photograph of a folder."""
    codec = load_codec(name)
    reader = ImageReader(channels=codec.config.signal_channels, size=SIZE)
    pixels = [torch.from_numpy(reader.read(path).pixels)[None] for path in list_images(folder)]
    return np.concatenate([codec.encode(x).numpy() for x in pixels])


def measure(known: Latents, unknown: Latents) -> tuple[dict[str, tuple[float, float, float]], float, int]:
    """Bits, encode and decode speed by coder; the speed of `rans` with two threads over one; bytes of its tables."""
    unknown = np.ascontiguousarray(unknown)
    rans, zstd = RansCoder.fit(list(known)), ZstdCoder.fit(list(known))
    coders = {"rans": ours(rans, unknown), "zstd": ours(zstd, unknown)}
    squeeze, expand = zstandard.ZstdCompressor(level=19), zstandard.ZstdDecompressor()
    coders["Zstandard 19"] = peer(lambda sample: squeeze.compress(sample.tobytes()), expand.decompress, unknown)
    coders["static ANS (constriction)"] = static_ans(known, unknown)
    for layout in (tiled, grid, coloured):
        if layout is not coloured or unknown.shape[1] % 3 == 0:
            for codec, (encode, decode) in PICTURES.items():
                coders[f"{codec}, {layout.__name__}"] = peer(partial(encode_as, layout, encode), decode, unknown)
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
    families: dict[str, tuple[float, float, float]] = {}
    for name, (bits, encode_speed, decode_speed) in found.items():
        family = name.split(",")[0]
        if family not in families or bits < families[family][0]:
            families[family] = (bits, encode_speed, decode_speed)
    return families, two_threads(rans, unknown), sum(table.nbytes for table in rans.tables().values())


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


def peer(encode: Callable[[Latents], bytes], decode: Callable[[bytes], Any], latents: Latents) -> tuple[Any, Any, Any]:
    """Encode, decode and size of a coder that takes a sample at a time."""
    return (
        lambda: [encode(sample) for sample in latents],
        lambda payloads: [decode(payload) for payload in payloads],
        lambda payloads: sum(map(len, payloads)),
    )


def two_threads(coder: RansCoder, latents: Latents) -> float:
    """How many times as fast two threads decode as one."""
    buffer, places = packed(coder.encode(latents))
    out, half = np.empty_like(latents), len(latents) // 2
    parts = (slice(0, half), slice(half, None))
    with ThreadPoolExecutor(2) as pool:

        def both() -> None:
            list(pool.map(lambda part: coder.decode(buffer, places[part], out[part]), parts))

        ratios = [best_time(lambda: coder.decode(buffer, places, out), 3) / best_time(both, 3) for _ in range(8)]
    return round(max(ratios), 2)


def static_ans(known: Latents, unknown: Latents) -> tuple[Any, Any, Any]:
    """constriction's ANS coder with one static table a channel."""
    channels, places = unknown.shape[1], unknown[0, 0].size
    models = []
    for channel in range(channels):
        counts = np.bincount(known[:, channel].ravel().view(np.uint8) ^ 128, minlength=256) + 0.01
        models.append(constriction.stream.model.Categorical((counts / counts.sum()).astype(np.float32), perfect=False))

    def encode(sample: Latents) -> bytes:
        coder = constriction.stream.stack.AnsCoder()
        for channel in reversed(range(channels)):
            coder.encode_reverse(sample[channel].ravel().astype(np.int32) + 128, models[channel])
        return bytes(coder.get_compressed().tobytes())

    def decode(payload: bytes) -> list[Any]:
        coder = constriction.stream.stack.AnsCoder(np.frombuffer(payload, np.uint32))
        return [coder.decode(model, places) for model in models]

    return peer(encode, decode, unknown)


def tiled(sample: Latents) -> Any:
    """Channels one below the other."""
    return sample.reshape(-1, sample.shape[-1]).view(np.uint8) ^ np.uint8(128)


def grid(sample: Latents) -> Any:
    """Channels in a grid, four or eight a row."""
    channels, rows, columns = sample.shape
    wide = 8 if channels % 8 == 0 else 4
    lines = sample.reshape(channels // wide, wide, rows, columns).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(lines).reshape(-1, wide * columns).view(np.uint8) ^ np.uint8(128)


def coloured(sample: Latents) -> Any:
    """Three channels at a time as colours."""
    channels, rows, columns = sample.shape
    colours = sample.reshape(channels // 3, 3, rows, columns).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(colours).reshape(-1, columns, 3).view(np.uint8) ^ np.uint8(128)


def encode_as(layout: Callable[[Latents], Any], encode: Callable[[Any], bytes], sample: Latents) -> bytes:
    """A sample laid out as a picture, and coded."""
    return encode(layout(sample))


def webp(picture: NDArray[np.uint8]) -> bytes:
    """Lossless WebP, method 6."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", lossless=True, method=6)
    return file.getvalue()


PICTURES: dict[str, tuple[Any, Any]] = {
    "WebP lossless m6": (webp, lambda data: np.asarray(Image.open(io.BytesIO(data)))),
    "JPEG XL lossless e7": (
        partial(imagecodecs.jpegxl_encode, lossless=True, effort=7, numthreads=1),
        partial(imagecodecs.jpegxl_decode, numthreads=1),
    ),
    "JPEG-LS": (imagecodecs.jpegls_encode, imagecodecs.jpegls_decode),
}


def plot(results: dict[str, tuple[float, float, float]], name: str) -> None:
    """Bits against decode speed."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for coder, (bits, _, decode) in results.items():
        own = coder in ("rans", "zstd")
        axes.scatter(decode, bits, s=60, color="#c1440e" if own else "#4a6fa5", zorder=3)
        axes.annotate(coder, (decode, bits), xytext=(7, 4), textcoords="offset points", fontsize=9)
    axes.set(xscale="log", xlabel="decoding, MB of latents a second on one core", ylabel="bits a latent")
    axes.set_title(f"Latents of {name}, held-out photographs at {SIZE} pixels", fontsize=10)
    axes.grid(True, which="both", alpha=0.25)
    axes.margins(x=0.25, y=0.15)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    main()
