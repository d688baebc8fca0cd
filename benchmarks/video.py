"""Video beside H.264: `python -m benchmarks.video --data FOLDER [--known bigbuckbunny.mp4 ...]`.

Every file of the folder that the codec was not fitted to is brought to 144 lines, so that less is left of the H.264
that it comes in, and read in clips of 16 frames. Bytes are those of the coder's payloads, its tables fitted to the
files that are known, and of the packets of libx264; PSNR is of all values of RGB. H.264 is encoded at several
qualities, and its PSNR at the codec's bytes lies between them; with a keyframe every 16 frames each clip can be decoded
alone, as latents can.

Times are those of one core, as the system counts them for the process, so that other work on a machine changes them
little; for H.264 without the conversion from RGB and back, for latents with all there is, at the quality of the codec.
What a model trains from is had sooner: latents for their payloads, pixels as RGB.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.h264 import decode_h264, encode_h264, to_rgb, to_yuv
from benchmarks.results import add_save, best_time, show
from benchmarks.scenes import accuracies
from walloc_data import Codec, VideoReader, load_codec
from walloc_data.entropy import RansCoder
from walloc_data.signals import Window

KNOWN = ("bigbuckbunny.mp4", "nasa_13013.mp4")
COARSER, QUALITIES = (1, 2, 4), (1.0, 4.0, 10.0, 16.0, 22.0, 28.0, 34.0, 40.0, 46.0)
PEERS = {"veryfast, 16": ("veryfast", 16), "medium, 16": ("medium", 16), "medium, 250": ("medium", 250)}
FRAMES, LINES, GRID = 16, 144, 8
Point = tuple[float, float, float]  # bytes, PSNR, quality


def main() -> None:
    """Measure, print, and save if asked."""
    parser = argparse.ArgumentParser(description="Video beside H.264 at the same bytes, speed at the same PSNR.")
    parser.add_argument("--data", type=Path, required=True, help="folder of video")
    parser.add_argument("--known", nargs="*", default=KNOWN, help="files that the codec was fitted to")
    parser.add_argument("--codecs", nargs="+", default=["video-t4f8c48", "video-t4f8c192"])
    parser.add_argument("--seeds", type=int, default=3, help="of the classifier of scenes")
    add_save(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    codecs = [load_codec(name) for name in arguments.codecs]
    paths = sorted(path for path in arguments.data.iterdir() if path.suffix in VideoReader.suffixes)
    known = [clip for path in paths if path.name in arguments.known for clip in clips(path)]
    rows = [("film", "codec", "ratio", "bits a pixel", "PSNR, dB", *(f"x264 {name}, dB" for name in PEERS))]
    speeds: list[tuple[str, ...]] = [
        ("film", "what", "encoding, Mpixel/s", "decoding, Mpixel/s", "to what a model reads, Mpixel/s")
    ]
    for path in paths:
        if path.name not in arguments.known:
            found = clips(path)
            frames = to_yuv(np.concatenate(found, 1))
            curves = {name: curve(frames, np.concatenate(found, 1), *how) for name, how in PEERS.items()}
            for codec, times in product(codecs, COARSER):
                coarse = codec.coarser(times)
                size, quality = measure(coarse, known, found)
                pixels = sum(clip[0].size for clip in found)
                others = [f"{at(points, 0, size, 1):.2f}" for points in curves.values()]
                ratio, rate = f"{3 * pixels / size:.0f}", f"{8 * size / pixels:.3f}"
                rows.append((path.stem, coarse.name, ratio, rate, f"{quality:.2f}", *others))
                print(*rows[-1], flush=True)
                if times == 1:
                    crf = at(curves["veryfast, 16"], 1, quality, 2)
                    speeds += speed(path.stem, codec, known, found, crf)
                    print(*speeds[-2:], sep="\n", flush=True)
    scenes = accuracies(paths, codecs[0].name, arguments.seeds)
    show("video", rows, save=arguments.save, scenes=len(paths), scene_accuracies=scenes)
    show("video_speed", speeds, save=arguments.save)


def clips(path: Path) -> list[NDArray[np.uint8]]:
    """Whole clips `[3, 16, H, W]` of a film, its sides cut to multiples of 8."""
    reader = VideoReader(frames=FRAMES, size=LINES, crop="none")
    found = [reader.read(Window(path, start, 0), path.name) for start in reader.starts(path, path.name)]
    whole = [signal.values for signal in found if signal.fields["length"] == FRAMES]
    height, width = (side // GRID * GRID for side in whole[0].shape[2:])
    return [np.ascontiguousarray(values[:, :, :height, :width]) for values in whole]


def decibels(ours: NDArray[np.generic], theirs: NDArray[np.uint8], peak: float) -> float:
    """PSNR over all values of two arrays `[3, T, H, W]`, the second of 8 bits."""
    total = 0.0
    for number in range(theirs.shape[1]):  # a frame at a time, or it would take gigabytes
        one, other = ours[:, number].astype(np.float32), theirs[:, number].astype(np.float32)
        total += float(np.square(one / peak - other / 255).sum(dtype=np.float64))
    return float(-10 * np.log10(total / theirs.size))


def measure(codec: Codec, known: Sequence[NDArray[np.uint8]], found: Sequence[NDArray[np.uint8]]) -> tuple[int, float]:
    """Bytes of the payloads of clips, and their PSNR."""
    coder = fitted(codec, known)
    latents = [codec.encode(torch.from_numpy(clip)[None]) for clip in found]
    decoded = np.concatenate([codec.decode(one)[0].numpy() for one in latents], 1)
    size = sum(len(coder.encode(one.numpy())[0]) for one in latents)
    return size, decibels(decoded, np.concatenate(found, 1), 1)


def fitted(codec: Codec, known: Sequence[NDArray[np.uint8]]) -> RansCoder:
    """The coder, its tables fitted to latents of clips."""
    return RansCoder.fit([codec.encode(torch.from_numpy(clip)[None])[0].numpy() for clip in known])


def curve(frames: list[object], original: NDArray[np.uint8], preset: str, keyframes: int) -> list[Point]:
    """Bytes and PSNR of H.264 at several qualities, the most bytes first."""
    points = []
    for crf in QUALITIES:
        packets = encode_h264(frames, preset=preset, crf=crf, keyframes=keyframes)
        points.append((float(sum(map(len, packets))), decibels(to_rgb(decode_h264(packets)), original, 255), crf))
    return points


def at(points: Sequence[Point], known: int, value: float, wanted: int) -> float:
    """What a curve has where one of its coordinates is `value`: between two points, by the logarithm of bytes."""
    logs = [(np.log(size), quality, crf) for size, quality, crf in points]
    value = float(np.log(value)) if known == 0 else value
    for above, below in pairwise(logs):
        if below[known] <= value <= above[known]:
            share = (value - below[known]) / (above[known] - below[known])
            return float(below[wanted] + share * (above[wanted] - below[wanted]))
    return float("nan")


def speed(
    film: str,
    codec: Codec,
    known: Sequence[NDArray[np.uint8]],
    found: Sequence[NDArray[np.uint8]],
    crf: float,
) -> list[tuple[str, ...]]:
    """Rows of the codec and of H.264 at its PSNR: pixels a second, from arrays to bytes and back."""
    coder, some = fitted(codec, known), found[:4]
    latents = [codec.encode(torch.from_numpy(clip)[None]) for clip in some]
    payloads = [coder.encode(one.numpy())[0] for one in latents]

    def encode() -> None:
        for clip in some:
            coder.encode(codec.encode(torch.from_numpy(clip)[None]).numpy())

    def decode(to_pixels: bool) -> None:
        for payload, one in zip(payloads, latents, strict=True):
            out = np.empty(one.shape, np.int8)
            coder.decode(payload, np.array([[0, len(payload)]], np.uint64), out)
            if to_pixels:
                codec.decode(torch.from_numpy(out))

    frames = to_yuv(np.concatenate(some, 1))
    packets = encode_h264(frames, preset="veryfast", crf=crf, keyframes=FRAMES)
    calls: dict[str, tuple[Callable[[], object], ...]] = {
        codec.name: (encode, partial(decode, True), partial(decode, False)),
        f"x264 veryfast, crf {crf:.0f}": (
            partial(encode_h264, frames, preset="veryfast", crf=crf, keyframes=FRAMES),
            partial(decode_h264, packets),
            lambda: to_rgb(decode_h264(packets)),
        ),
    }
    pixels = sum(clip[0].size for clip in some) / 1e6
    seconds = partial(best_time, repeats=3, clock=time.process_time)
    return [(film, name, *(f"{pixels / seconds(call):.1f}" for call in each)) for name, each in calls.items()]


if __name__ == "__main__":
    main()
