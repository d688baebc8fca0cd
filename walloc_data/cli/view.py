"""The verb `view`."""

import argparse
import sys
from pathlib import Path

from walloc_data.cli.info import add_bands, add_dataset
from walloc_data.errors import SourceError

__all__ = ["add", "run"]


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `walloc view`."""
    add_dataset(parser)
    parser.add_argument(
        "picture",
        type=Path,
        metavar="PICTURE",
        help="file to write (.png, .jpg); sound and video go as files into a folder beside it, such as view-files",
    )
    parser.add_argument("--split", help="split to show (default: the first)")
    parser.add_argument(
        "--against",
        "--originals",
        dest="originals",
        metavar="SRC",
        help="what the dataset was made of, to compare with",
    )
    parser.add_argument("--count", type=int, default=12, help="samples to show")
    parser.add_argument("--columns", type=int, help="samples a row (default: 4; of sound 2, of video and arrays 1)")
    add_bands(parser)


def run(arguments: argparse.Namespace) -> None:
    """Draw a contact sheet."""
    from PIL import Image

    from walloc_data.dataset import LatentDataset
    from walloc_data.originals import Originals
    from walloc_data.read.opened import open_dataset
    from walloc_data.report.view import contact_sheet

    picture: Path = arguments.picture
    split = arguments.split or next(iter(open_dataset(arguments.dataset).manifest.splits))
    dataset = LatentDataset(arguments.dataset, split, decode="signal")
    if Image.registered_extensions().get(picture.suffix.lower()) not in Image.SAVE:
        raise SourceError(f"{picture}: not a name of a picture that Pillow writes, such as view.png")
    sheet, shown = contact_sheet(
        dataset,
        count=arguments.count,
        columns=arguments.columns,
        original_of=None if arguments.originals is None else Originals(dataset, arguments.originals).signal,
        files=picture.with_name(f"{picture.stem}-files"),
        bands=arguments.bands,
    )
    known = [one.psnr for one in shown if one.psnr is not None]
    if arguments.originals is not None and not known:
        raise SourceError(
            f"{arguments.originals} holds none of these samples' originals, such as {shown[0].key}: give what the "
            "dataset was made of"
        )
    sheet.save(picture)
    for one in shown:
        print(f"{one.key}" + ("" if one.psnr is None else f"  {one.psnr:.2f} dB"))
    if known:
        print(f"mean {sum(known) / len(known):.2f} dB")
    if any(one.files is None for one in shown):
        print("note: MP4s are written with PyAV: pip install 'walloc-data[video]'", file=sys.stderr)
    written = [path for one in shown for path in one.files or []]
    if written:
        print(f"{len(written)} files, such as {written[0]}")
