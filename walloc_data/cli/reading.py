"""Options of how raw data is read, for the verbs that read it."""

import argparse
from typing import Any

from walloc_data.errors import SourceError

__all__ = ["add_reading", "refuse_former"]

_FORMER = ("size", "resize", "crop", "max-pixels", "color")  # options of their own in version 0.1


def add_reading(parser: argparse.ArgumentParser) -> None:
    """The options `--read`, a mapping, `--data` and `--names`, and those that the first took the place of."""
    parser.add_argument(
        "--read",
        type=_mapping,
        metavar="KEY=VALUE,...",
        help="how samples are read; images: size=256 (pixels), resize=shorter|squash|none, crop=center|none, "
        "color=srgb|stored, max_pixels=N; sound: rate=16000 (samples a second), segment=4 (seconds), mix=mean|repeat, "
        "max_samples=N; video: frames=16 (of a clip), rate=10 (frames a second), stride=4 (seconds between clips), and "
        "size, resize, crop as images; arrays: bands=-1|none (axis), variable=NAME, tile=256, nodata=VALUE|mask|keep, "
        "max_values=N",
    )
    parser.add_argument(
        "--data",
        metavar="NAME",
        help="the column of a table or list, or the suffix of members of tars, that holds data",
    )
    parser.add_argument(
        "--names",
        metavar="PATTERN",
        help="fields in the names of files, as in '{label}_{speaker}_*'",
    )
    for name in _FORMER:
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)


def refuse_former(arguments: argparse.Namespace) -> None:
    """Raises `SourceError` for an option that is spelled otherwise now, and says how."""
    for name in _FORMER:
        value = getattr(arguments, name.replace("-", "_"))
        if value is not None:
            raise SourceError(f"--{name} {value} is now --read {name.replace('-', '_')}={value}")


def _mapping(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise argparse.ArgumentTypeError(f"{part!r} is not KEY=VALUE, such as size=224")
        found[name.strip().replace("-", "_")] = _value(value.strip())
    return found


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
