"""Train the learned codecs of the zoo, in slices, on any machine that has the package's dependencies.

    python -m tools.train_learned pack FOLDER [FOLDER ...] --out build/packed
    python -m tools.train_learned train build/packed --out build/learned --total 12 --minutes 8
    python -m tools.train_learned train photographs --out build/learned --codecs rgb-f16c48-learned --total 180
    python -m tools.train_learned train music --out build/learned --codecs stereo-f256c108-learned

`pack` puts photographs into one folder of at most 60 MiB: files as they are, and large ones at a size at which JPEG's
own errors are small. Recordings it takes as they are, each tenth into a folder `val` of its own: of recordings that are
trained on, other windows say little. `train` trains one codec after another, what it starts from before it, each its
share of the `--total` minutes on this machine, and ends after `--minutes`; the same command goes on where it stopped
(the folder `--out` is all it needs for that, and checkpoints of codecs that are complete may be left out of it).
Weights, logs and pictures are in `--out`; `status.json` says what is complete, and how long each took.
"""

import argparse
import io
import json
import platform
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image

from walloc_data import AudioReader, Codec, ImageReader, TrainOptions, WallocError, load_codec, train_codec
from walloc_data.signals import Reader
from walloc_data.sources import list_files

_AS_IT_IS, _QUALITY = 250_000, 92  # bytes of a file that is packed as it is, and the quality of what is made smaller
_KEPT = 10  # of so many recordings, one is kept to judge by


class Recipe(NamedTuple):
    """A codec to start from, or a recipe that is trained before; options; and its share of the time. `without` are
    blocks that are left out of the network that it starts with."""

    codec: str
    options: TrainOptions
    share: float
    reader: Reader = ImageReader(resize="none", crop="none")
    without: tuple[int, ...] = ()


_COMMON = TrainOptions(
    batch=40,
    window=32,  # 256 pixels at factor 8, of which the network sees the inner ones as it sees those of whole photographs
    width=192,
    blocks=8,
    learning_rate=1.2e-3,
    limit=4000,
    checkpoint_steps=5000,
    validate_steps=10_000,
)
_FINER = replace(_COMMON, batch=4, blocks=8, width=64, coarsest=4.0, learning_rate=4e-3, checkpoint_steps=500)
_LONGER = replace(_FINER, decoder_only=True, width=None)  # of a network that is there, with more blocks
RECIPES = {
    "rgb-f8c12-first": Recipe("rgb-f8c12", _COMMON, 0.2),
    "rgb-f8c12-second": Recipe(
        "rgb-f8c12-first",
        replace(_FINER, decoder_only=True, finer=1, batch=8, blocks=4, width=48, learning_rate=1.2e-3),
        0.2,
        without=(3,),  # whose time the finer grid takes, and of which least is missed
    ),
    "rgb-f8c12-learned": Recipe("rgb-f8c12-second", replace(_LONGER, blocks=5, learning_rate=1e-3), 0.15),
    "rgb-f16c48-first": Recipe("rgb-f16c48", replace(_FINER, finer=2, window=16), 0.2),
    "rgb-f16c48-learned": Recipe("rgb-f16c48-first", replace(_LONGER, window=16, blocks=11, learning_rate=2e-3), 0.15),
    "rgb-f8c48-learned": Recipe("rgb-f8c48", replace(_COMMON, blocks=6), 0.1),
    "stereo-f256c108-learned": Recipe(
        "stereo-f256c108",
        replace(
            _COMMON,
            batch=12,
            window=128,  # 0.74 seconds
            width=128,
            blocks=6,
            relative=True,
            coarsest=4.0,
            learning_rate=2e-3,
            limit=1000,  # 2.8 hours
            checkpoint_steps=250,
            validate_steps=700,
        ),
        1.0,
        AudioReader(channels=2, rate=44100, segment=10.24),
    ),
}
PHOTOGRAPHS = [name for name in RECIPES if name.startswith("rgb-") and name.endswith("-learned")]


def main() -> None:
    """Pack, or train."""
    parser = argparse.ArgumentParser(description="Train the learned codecs of the zoo, in slices.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    packing = verbs.add_parser("pack", help="photographs or recordings into one small folder")
    packing.add_argument("folders", nargs="+", type=Path)
    packing.add_argument("--out", type=Path, required=True)
    packing.add_argument("--mib", type=float, default=60.0, help="at most (default: 60)")
    packing.add_argument("--side", type=int, default=768, help="pixels of the longer side of what is made smaller")
    training = verbs.add_parser("train", help="for so long, or to the end")
    training.add_argument("data", type=Path, help="a folder that `pack` made, or any of images or music")
    training.add_argument("--out", type=Path, required=True)
    training.add_argument("--total", type=float, help="minutes that all take (default: 12; quick: 1)")
    training.add_argument("--minutes", type=float, default=8.0, help="minutes after which this run ends")
    training.add_argument(
        "--codecs",
        nargs="+",
        choices=RECIPES,
        default=PHOTOGRAPHS,
        help="which, and what these start from (default: those of images)",
    )
    training.add_argument("--device", default="auto")
    training.add_argument("--quick", action="store_true", help="small networks in a minute, to see that all of it runs")
    arguments = parser.parse_args()
    try:
        if arguments.verb == "pack":
            pack(arguments.folders, arguments.out, side=arguments.side, most=int(arguments.mib * (1 << 20)))
        else:
            train(arguments)
    except WallocError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("stopped: what is complete is kept, and the last checkpoint; the same command goes on", file=sys.stderr)
        sys.exit(130)


def pack(folders: list[Path], out: Path, *, side: int, most: int) -> None:
    """Copy files, numbered, those of each folder in turn, until there are `most` bytes."""
    lists = [list_files(folder, ImageReader.suffixes | AudioReader.suffixes) for folder in folders]
    size = count = 0
    for place in range(max(map(len, lists))):
        for files in lists:
            if place >= len(files):
                continue
            name, data = packed(files[place], side)
            size += len(data)
            if size > most:
                print(f"{out}: {count:,} files; the limit of {most / (1 << 20):g} MiB is reached")
                return
            split = "" if name in ImageReader.suffixes else "train" if count % _KEPT else "val"
            (out / split).mkdir(parents=True, exist_ok=True)
            (out / split / f"{count:05d}{name}").write_bytes(data)
            count += 1
    print(f"{out}: {count:,} files, {size / (1 << 20):.1f} MiB")


def packed(path: Path, side: int) -> tuple[str, bytes]:
    """The suffix and bytes of a recording, or of a photograph: as it is, or smaller."""
    data = path.read_bytes()
    if len(data) <= _AS_IT_IS or path.suffix.lower() in AudioReader.suffixes:
        return path.suffix.lower(), data
    with Image.open(io.BytesIO(data)) as image:
        image = image.convert("RGB")
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return ".jpg", file.getvalue()


def train(arguments: argparse.Namespace) -> None:
    """One codec after another, each for its share of the time."""
    started, out = time.monotonic(), arguments.out / "quick" if arguments.quick else arguments.out
    out.mkdir(parents=True, exist_ok=True)
    status_file = out / "status.json"
    status = json.loads(status_file.read_text()) if status_file.exists() else {}
    total = arguments.total if arguments.total is not None else 1.0 if arguments.quick else 12.0
    shares = sum(RECIPES[name].share for name in with_starts(arguments.codecs))  # of all, or none could go on
    for name in with_starts([name for name in arguments.codecs if not status.get(name, {}).get("complete")]):
        left = arguments.minutes - (time.monotonic() - started) / 60
        if status.get(name, {}).get("complete"):
            continue
        if left <= 0:
            break
        start, options, share, reader, without = RECIPES[name]
        options = replace(
            options, total_minutes=round(total * share / shares, 3), minutes=left, device=arguments.device
        )
        if arguments.quick:
            width, blocks = (16, 1) if options.width else (None, 2)
            options = replace(options, width=width, blocks=blocks, batch=4, limit=40)
            without = ()
        codec = without_blocks(load_codec(out / f"{start}.safetensors" if start in RECIPES else start), without)
        begun = time.monotonic()
        trained = train_codec(arguments.data, out / f"{name}.safetensors", codec=codec, reader=reader, options=options)
        seconds = time.monotonic() - begun + status.get(name, {}).get("seconds", 0)
        status[name] = {
            "complete": trained.complete,
            "steps": trained.steps,
            "total": trained.total,
            "seconds": round(seconds),
            "before": trained.before._asdict(),
            "after": trained.after._asdict(),
            "device": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor(),
            "notes": trained.notes,
        }
        status_file.write_text(json.dumps(status, indent=1) + "\n")
        print(name, json.dumps(status[name]), flush=True)
        if not trained.complete:
            break
    else:
        print("all are complete")
        return
    print("the minutes are over: run the same command again to go on")


def with_starts(names: list[str]) -> list[str]:
    """Recipes, each behind what it starts from."""
    found: list[str] = []
    for name in names:
        start = RECIPES[name].codec
        found += [each for each in (*(with_starts([start]) if start in RECIPES else ()), name) if each not in found]
    return found


def without_blocks(codec: Codec, without: tuple[int, ...]) -> Codec:
    """A codec with the decoder `conv`, whose network lacks some blocks."""
    if not without:
        return codec
    tensors, metadata = codec.state()
    settings = metadata["codec"]["decoder"]
    kept = [block for block in range(settings["blocks"]) if block not in without]
    settings["blocks"] = len(kept)
    for part in ("depthwise", "expand", "project"):
        for name in (f"decoder.{part}", f"decoder.{part}_bias"):
            tensors[name] = tensors[name][kept]
    return Codec.from_state(tensors, metadata, origin=codec.name)


if __name__ == "__main__":
    main()
