"""Where the time of sharding goes: `python -m benchmarks.sharding --data FOLDER_OF_PHOTOGRAPHS`.

One worker, beside what others do with the same JPEGs in the same run and in turns: Pillow alone, which decodes and
resizes, and LitData's writer of JPEGs resized so (`pip install litdata`; without it, that row is missing). Then each
stage of sharding alone. Times are of the clock, and of cores; sharding encodes in a second thread where a core is free.
"""

import argparse
import importlib.util
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.encoding import SIZE, decode_and_resize
from benchmarks.images import open_images, paths
from benchmarks.results import add_save, show
from walloc_data import ImageReader, load_codec, shard_dataset
from walloc_data.entropy import RansCoder
from walloc_data.write.encode_shard import encode_signals

CODEC, QUALITY, CHUNK = "rgb-f8c12", 95, 1 << 26


def main() -> None:
    """Measure, print, and save if asked."""
    parser = argparse.ArgumentParser(description="Where the time of sharding goes, beside Pillow and LitData.")
    parser.add_argument("--data", type=Path, required=True, help="image folder of photographs, 1,000 or so")
    parser.add_argument("--turns", type=int, default=3, help="how often each is done (default: 3; the median counts)")
    add_save(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    source = open_images(arguments.data)
    files = [path for split in source.splits.values() for path in paths(split)]
    whole: dict[str, Callable[[], Any]] = {
        "Pillow: decode and resize": partial(_each, decode_and_resize, files),
        "walloc-shard, one worker": partial(_shard, source),
    }
    if importlib.util.find_spec("litdata"):
        whole["LitData's writer: decode, resize, JPEG"] = partial(_litdata, files)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in [*whole, *_STAGES]}
    for _ in range(arguments.turns):
        for name, call in whole.items():
            with _timed(times[name]):
                call()
        _stages(files, times)
    rows: list[tuple[str, ...]] = [
        ("what", "ms of the clock a photograph", "ms of a core", "of Pillow's clock", "core")
    ]
    clock, core = _medians(times["Pillow: decode and resize"])
    for name, found in times.items():
        if found:
            mine = _medians(found)
            each = [f"{1000 * seconds / len(files):.2f}" for seconds in mine]
            rows.append((name, *each, f"{mine[0] / clock:.2f}", f"{mine[1] / core:.2f}"))
    show("sharding", rows, save=arguments.save, photographs=len(files))


_STAGES = ("of these: read files", "decode, resize, crop", "encode", "code")


def _stages(files: list[Path], times: dict[str, list[tuple[float, float]]]) -> None:
    """Each stage alone, over all files; signals and latents of all of them are in memory meanwhile."""
    codec, reader = load_codec(CODEC), ImageReader(size=SIZE)
    with _timed(times[_STAGES[0]]):
        data = [path.read_bytes() for path in files]
    reader.read(data[0], files[0].name)  # what is compiled is loaded
    with _timed(times[_STAGES[1]]):
        signals = [reader.read(one, path.name) for one, path in zip(data, files, strict=True)]
    at_once = codec.at_once(signals[0].values.shape)
    with _timed(times[_STAGES[2]]):
        latents = [
            one
            for start in range(0, len(signals), at_once)
            for one in encode_signals(codec, signals[start : start + at_once])
        ]
    coder = RansCoder.fit(latents[:64])
    coder.encode(latents[0][None])  # as above
    with _timed(times[_STAGES[3]]):
        for one in latents:
            coder.encode(one[None])


def _shard(source: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        codec, reader = load_codec(CODEC), ImageReader(size=SIZE)
        shard_dataset(source, Path(folder) / "out", codec=codec, reader=reader, workers=1)


def _litdata(files: list[Path]) -> None:
    from litdata.streaming.writer import BinaryWriter

    with tempfile.TemporaryDirectory() as folder:
        writer = BinaryWriter(folder, chunk_bytes=CHUNK)
        for number, path in enumerate(files):
            packed = io.BytesIO()
            decode_and_resize(path).save(packed, "JPEG", quality=QUALITY)
            writer[number] = {"image": packed.getvalue(), "label": 0}
        writer.done()


def _each(call: Callable[[Path], Any], files: list[Path]) -> None:
    for path in files:
        call(path)


@contextmanager
def _timed(times: list[tuple[float, float]]) -> Iterator[None]:
    clock, core = time.perf_counter(), time.process_time()
    yield
    times.append((time.perf_counter() - clock, time.process_time() - core))


def _medians(times: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(one for one, _ in times), statistics.median(one for _, one in times)


if __name__ == "__main__":
    main()
