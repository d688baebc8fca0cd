"""A dataset as one page: `walloc report`."""

import os
from pathlib import Path

from walloc_data.dataset import LatentDataset
from walloc_data.errors import DatasetError, SourceError, WallocError
from walloc_data.format import MANIFEST_FILE
from walloc_data.numbers import whole_number
from walloc_data.originals import Originals
from walloc_data.read.opened import OpenedDataset, open_dataset
from walloc_data.report.bytes import bytes_by_purpose
from walloc_data.report.false_colour import bands_of
from walloc_data.report.kinds import SHOWN, drawn_as
from walloc_data.report.page.document import document
from walloc_data.report.page.facts import Facts
from walloc_data.report.page.item import sample_item
from walloc_data.report.page.markup import Markup
from walloc_data.report.page.samples import Judged, judge, numbers_of
from walloc_data.report.page.scan import is_damage, scan_records
from walloc_data.report.page.sections import sections
from walloc_data.storage import StorageOptions

__all__ = ["write_report"]

_MEDIA = 6_000_000  # bytes of pictures, sound and clips, before they become text


def write_report(
    root: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    against: str | os.PathLike[str] | None = None,
    split: str | None = None,
    count: int | None = None,
    samples: int = 64,
    bands: str | None = None,
    storage: StorageOptions | None = None,
) -> None:
    """Write what a dataset, in a folder or at a URL, holds as one file of HTML, which takes nothing from elsewhere.

    `count` samples of `split` (None: the first) are shown, evenly from all (None: 12 images, 4 sounds, 3 clips or
    arrays), beside their originals where those are found in `against`, what the dataset was made of; then `samples`,
    also evenly from all, are compared with theirs. `bands` are the channels of arrays that become colours, as
    `bands_of` takes them. The same dataset gives the same bytes, of which there are at most some megabytes.

    What is damaged is said on the page. Raises `FormatError`, `CodecError` or `CoderError` where the dataset cannot be
    opened at all, `DatasetError` for one that cannot be reached, has no such split, or options that are none, and
    `SourceError` for an `against` that holds none of the originals.
    """
    if not isinstance(path, str | os.PathLike):
        raise DatasetError(f"a page is written to a file, such as report.html, not to {path!r}")
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm") or path.is_dir():
        raise DatasetError(f"{path}: not a name of a page, such as report.html")
    if not path.parent.is_dir():
        raise DatasetError(f"{path.parent} is no folder to write {path.name} into: make it first")
    opened = open_dataset(root, storage)
    config, what = opened.codec.config, drawn_as(opened.codec.config)
    split = split or next(iter(opened.manifest.splits))
    count = whole_number("count", SHOWN[what] if count is None else count, least=1)
    samples = whole_number("samples", samples, least=1)
    if bands is not None and what != "array":
        raise DatasetError(
            f"bands {bands!r} are chosen of arrays, and this dataset is of {config.kind}: leave them out"
        )
    bands_of(config.signal_channels, bands)
    dataset = LatentDataset(root, split, columns=(), storage=storage)
    remote = opened.storage.path(MANIFEST_FILE) is None
    every, shown = numbers_of(count, count if remote else samples, len(dataset))
    original_of = None if against is None else Originals(dataset, against).signal
    scan = scan_records(opened, {split: every})
    judged, items = Judged(), list[Markup]()
    for sample in judge(dataset, every, shown, original_of, lambda error: is_damage(opened, error), judged):
        items.append(sample_item(sample, opened, most=_MEDIA // max(1, len(shown)), bands=bands))
    if against is not None and judged.asked and not judged.psnr:
        raise SourceError(
            f"{os.fspath(against)} holds none of these samples' originals: give what the dataset was made of"
        )
    facts = Facts(opened, split, scan, judged, _purposes(opened, judged.damaged), against is not None)
    text = document(facts.title, sections(facts, items))
    _replace(path, text)


def _purposes(opened: OpenedDataset, damaged: list[str]) -> dict[str, int]:
    try:
        return bytes_by_purpose(opened)
    except WallocError as error:
        if not is_damage(opened, error):
            raise
        damaged.append(str(error))
        return {}


def _replace(path: Path, text: str) -> None:
    """Write a file under another name first, so that there is none that is half written."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, "utf-8", newline="\n")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
