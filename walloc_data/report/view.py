"""A picture of decoded samples, beside their originals where those are at hand."""

import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from torch import Tensor

from walloc_data.codec import psnr
from walloc_data.dataset import LatentDataset
from walloc_data.errors import DatasetError
from walloc_data.format import Manifest
from walloc_data.report.array import draw_array
from walloc_data.report.image import draw_image
from walloc_data.report.kinds import SHOWN, drawn_as, evenly
from walloc_data.report.sheet import Cell, draw_sheet
from walloc_data.report.sound import draw_sound, write_sounds
from walloc_data.report.video import draw_video, write_video

__all__ = ["Shown", "contact_sheet", "small_picture"]

_COLUMNS = {"image": 4, "sound": 2, "video": 1, "array": 1}  # of a sheet
_MOST_VALUES = 1 << 26  # of a signal that is decoded for it
_SMALL_SIDE, _SMALL_BYTES = 256, 300_000  # of `small_picture`: of a sample, and of the file
_WRITERS = {"sound": write_sounds, "video": write_video}
_UNSAFE = re.compile(r"[^\w.#-]+")


class Shown(NamedTuple):
    """A sample that was drawn: its key, the PSNR of what is decoded in dB (None without an original), and the files
    that were written of it (None where that takes a library that is not installed)."""

    key: str
    psnr: float | None
    files: list[Path] | None


def contact_sheet(
    dataset: LatentDataset,
    *,
    count: int = 12,
    columns: int | None = None,
    original_of: Callable[[Mapping[str, Any]], Tensor | None] | None = None,
    side: int | None = None,
    files: Path | None = None,
    bands: str | None = None,
) -> tuple[Image.Image, list[Shown]]:
    """A picture of `count` samples, evenly from the dataset, and what there is to say of each.

    `dataset` decodes to signals. Images are drawn as they are, with a side longer than `side` pixels smaller; sound as
    spectrograms, video as some of its frames, arrays in false colours (of `bands`, as `bands_of` takes them), with
    curves. `original_of` gives the original of a sample of some columns, as it would be decoded: then each stands
    beside its original or below it; without, or where it gives None, alone, and its PSNR is None. `columns` is samples
    a row (None: as many as suit). In the folder `files`, which is made, what can be listened to or watched is written:
    WAVs, MP4s.

    Raises `DatasetError` for options that are none, and `SampleError` for an original that cannot be read.
    """
    if dataset.decode not in ("signal", "pixels"):
        raise DatasetError("a contact sheet takes a dataset with decode='signal'")
    for name, value in ("count", count), ("columns", columns):
        if value is not None and value < 1:
            raise DatasetError(f"{name}={value}: a picture takes whole numbers from 1 on")
    config = dataset.codec.config
    what = drawn_as(config)
    if bands is not None and what != "array":
        raise DatasetError(
            f"bands {bands!r} are chosen of arrays, and this dataset is of {config.kind}: leave them out"
        )
    cells: list[Cell] = []
    shown: list[Shown] = []
    for number, index in enumerate(evenly(count, len(dataset))):
        decoded, fields = dataset[index][0], dataset.fields(index)
        original = None if original_of is None else original_of(fields)
        if original is not None and original.shape != decoded.shape:
            original = None
        key, quality = str(fields["key"]), None
        if original is not None:
            quality = psnr(decoded, original, config.kind, peaks=config.peaks)
        caption = "/".join(key.split("/")[-2:]) + ("" if quality is None else f"  {quality:.2f} dB")
        cells.append(Cell(caption, _pictures(what, decoded, original, fields, side, bands)))
        written: list[Path] | None = []
        if files is not None and what in _WRITERS:
            files.mkdir(parents=True, exist_ok=True)
            stem = files / f"{number:02d}-{_UNSAFE.sub('-', key)[-80:]}"
            written = _WRITERS[what](stem, decoded, original, fields)
        shown.append(Shown(key, quality, written))
    return draw_sheet(cells, columns or _COLUMNS[what]), shown


def small_picture(folder: Path) -> bytes | None:
    """A JPEG of decoded samples of a dataset's first split, at most 300 kB; None where samples are so large that
    decoding a few would take gigabytes."""
    manifest = Manifest.read(folder)
    dataset = LatentDataset(folder, next(iter(manifest.splits)), decode="signal")
    config, summary = dataset.codec.config, manifest.summary
    positions = summary.latents / max(1, summary.samples * manifest.views) / dataset.codec.channels
    if positions * config.packet_channels > _MOST_VALUES:
        return None
    sheet, _ = contact_sheet(dataset, count=SHOWN[drawn_as(config)], side=_SMALL_SIDE)
    for quality in (85, 70, 50, 30, 10):
        file = io.BytesIO()
        sheet.save(file, "JPEG", quality=quality)
        if file.tell() <= _SMALL_BYTES:
            break
    return file.getvalue()


def _pictures(
    what: str,
    decoded: Tensor,
    original: Tensor | None,
    fields: Mapping[str, Any],
    side: int | None,
    bands: str | None,
) -> list[Image.Image]:
    if what == "array":
        return draw_array(decoded, original, bands, side)
    if what == "image":
        return [draw_image(image, side) for image in (original, decoded) if image is not None]
    return {"sound": draw_sound, "video": draw_video}[what](decoded, original, fields)
