"""The verb `eval`."""

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from walloc_data.cli.reading import add_reading, refuse_former
from walloc_data.errors import SampleError, SourceError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from walloc_data.signals import Reader
    from walloc_data.sources import Source
    from walloc_data.train.evaluate import Point

__all__ = ["add", "run"]

_COLOURS, _STYLES = 10, ("-", "--", ":")  # of curves: what has the colour of another is dashed


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc eval`."""
    parser.add_argument("source", metavar="SRC", help="raw samples, as `walloc-shard` takes them; images in full size")
    parser.add_argument(
        "--codec",
        nargs="+",
        default=["rgb-f8c12"],
        metavar="NAME",
        help="codecs for the same signals: names in the zoo, files, hf://user/repo; others are compared with the first",
    )
    parser.add_argument(
        "--coarser", type=_times, default="1,1.4,2,2.8", metavar="A,B", help="each with steps so many times as coarse"
    )
    parser.add_argument("--coder", default="rans", help="entropy coder of codecs: rans or zstd")
    parser.add_argument(
        "--peers", action="store_true", help="beside JPEG, WebP, JPEG 2000, AVIF and JPEG XL; sound: MP3, Opus, Vorbis"
    )
    parser.add_argument(
        "--decoded",
        nargs="+",
        type=Path,
        default=[],
        metavar="FOLDER",
        help="folders of files that something else made of the samples: of the same names, with any suffix",
    )
    parser.add_argument(
        "--metrics",
        nargs="+",
        choices=("lpips", "dists"),
        default=[],
        help="of images, where their weights are at hand",
    )
    parser.add_argument("--limit", type=int, default=50, metavar="N", help="at most N samples, evenly from the source")
    parser.add_argument("--split", metavar="NAME", help="of this split alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the curves there (needs matplotlib)")
    add_reading(parser)


def run(arguments: argparse.Namespace) -> None:
    """Judge codecs."""
    refuse_former(arguments)
    if arguments.limit < 1:
        raise SourceError("--limit is a whole number from 1 on")
    from walloc_data.signals import reader_for  # heavy, as all that follows
    from walloc_data.sources import open_source
    from walloc_data.train.evaluate import evaluate_codec, evaluate_folder, evaluate_peer, gain, rows_of
    from walloc_data.train.learned_metrics import learned_metrics
    from walloc_data.train.peers import image_peers, sound_peers
    from walloc_data.write.clips import cut
    from walloc_data.zoo import load_codec

    figure = None if arguments.plot is None else _figure(arguments.plot)
    codecs = [load_codec(name) for name in arguments.codec]
    config = codecs[0].config
    for codec in codecs[1:]:
        other = codec.config
        if (other.kind, other.dims, other.signal_channels) != (config.kind, config.dims, config.signal_channels):
            raise SourceError(f"{codec.name} and {codecs[0].name} are not for the same signals: judge them apart")
    if arguments.metrics and (config.kind != "image" or config.signal_channels not in (1, 3)):
        raise SourceError(f"--metrics are of grey or RGB images, which {codecs[0].name} is not for")
    metrics = learned_metrics(*arguments.metrics)
    whole: dict[str, Any] = {"resize": "none", "crop": "none"} if config.kind == "image" else {}
    reader = reader_for(config, **{**whole, **(arguments.read or {})})
    source = open_source(arguments.source, suffixes=reader.suffixes, data=arguments.data, names=arguments.names)
    names, signals, rates = _read(cut(source, reader), reader, arguments.split, arguments.limit)
    curves: dict[str, list[Point]] = {}
    for given, codec in zip(arguments.codec, codecs, strict=True):
        curves[given] = [
            evaluate_codec(codec.coarser(times), signals, arguments.coder, metrics=metrics)
            for times in arguments.coarser
        ]
    if arguments.peers:
        found = {"image": image_peers, "audio": sound_peers}.get(config.kind)
        peers, missing = ([], [f"there are no peers of {config.kind} here"]) if found is None else found()
        for note in missing:
            print(f"note: {note}", file=sys.stderr)
        for peer in peers:
            curves[peer.name] = [
                evaluate_peer(peer, quality, config, signals, rates, metrics=metrics) for quality in peer.qualities
            ]
    for folder in arguments.decoded:
        curves[str(folder)] = [evaluate_folder(folder, names, reader, config, signals, metrics=metrics)]
    points = [point for curve in curves.values() for point in curve]
    of = "sample" if config.dims == 1 else "pixel"
    _print(list(rows_of(points, of)))
    first, *others = curves
    for name in others:
        more = gain(curves[name], curves[first])
        if not math.isnan(more):
            print(f"{name}: {more:+.2f} dB over {first} at equal bits")
    if arguments.json is not None:
        content = {"source": source.name, "signals": len(signals), "points": [_json(point) for point in points]}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n")
    if figure is not None:
        _plot(figure, curves, of)
        figure.savefig(arguments.plot, dpi=150)


def _times(text: str) -> list[float]:
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not numbers such as 1,2,4") from error
    return found


def _read(
    source: "Source", reader: "Reader", split: str | None, limit: int
) -> tuple[list[str], "list[Tensor]", list[int]]:
    """Keys, signals `[1, C, *space]` and rates (of sound) of at most so many samples."""
    import torch

    from walloc_data.sources import evenly, samples_of

    if split is not None and split not in source.splits:
        raise SourceError(f"{source.name} has no split {split!r}: it has {', '.join(source.splits)}")
    chosen = source.splits if split is None else {split: source.splits[split]}
    names, signals, rates, reasons = [], [], [], []
    for samples, index in evenly(samples_of(chosen.values()), limit):
        try:
            raw = samples[index]
            signal = reader.read(raw.data, raw.name)
            signals.append(torch.from_numpy(signal.values)[None])
            rates.append(int(signal.fields.get("rate") or 0))
            names.append(samples.key(index))
        except SampleError as error:
            reasons.append(str(error))
    if reasons:
        print(f"note: {len(reasons)} samples were passed over, such as {reasons[0]}", file=sys.stderr)
    if not signals:
        raise SourceError(f"{source.name}: there are no samples that can be read")
    return names, signals, rates


def _print(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.ljust(w) if place < 2 else cell.rjust(w)
            for place, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def _figure(path: Path) -> "Figure":
    """An empty one, once it is known that it can be written."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise SourceError("--plot needs matplotlib: pip install matplotlib") from error
    figure = Figure(figsize=(7, 5), layout="constrained")
    known, end = figure.canvas.get_supported_filetypes(), path.suffix.removeprefix(".").lower()
    if end and end not in known:
        raise SourceError(f"{path}: Format {end!r} is not supported, but {', '.join(sorted(known))}")
    return figure


def _plot(figure: "Figure", curves: "Mapping[str, Sequence[Point]]", of: str) -> None:
    """PSNR over bits a pixel or whatever places of signals are called, a line for each codec."""
    axes = figure.add_subplot(xscale="log", xlabel=f"bits a {of}", ylabel="PSNR, dB")
    for number, (name, points) in enumerate(curves.items()):
        ordered = sorted(points, key=lambda point: point.bits)
        again, colour = divmod(number, _COLOURS)
        axes.plot(
            [p.bits for p in ordered],
            [p.psnr for p in ordered],
            color=f"C{colour}",
            linestyle=_STYLES[again % len(_STYLES)],
            marker="o",
            markersize=3,
            label=name,
        )
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()


def _json(point: "Point") -> dict[str, Any]:
    return {name: None if value != value else value for name, value in asdict(point).items()}
