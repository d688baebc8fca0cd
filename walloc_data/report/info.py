"""What a dataset holds and where its bytes go, as text."""

import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy import Coder
from walloc_data.format.readable import readable_bytes, readable_psnr, readable_ratio
from walloc_data.read.opened import OpenedDataset, open_dataset
from walloc_data.report.bytes import bytes_by_purpose
from walloc_data.report.drawn import Drawn, count_classes, draw_samples, span
from walloc_data.report.lineage import step_of
from walloc_data.report.units import in_its_units
from walloc_data.storage import StorageOptions

__all__ = ["describe_dataset"]

_A_ROW = 16  # channels
_CLASSES = 8  # named


def describe_dataset(root: str | os.PathLike[str], *, storage: StorageOptions | None = None) -> str:
    """Several lines about the dataset in a folder or at a URL.

    Shapes and bits by channel are those of a sample of the dataset, and left out where its shards are not there. Of a
    remote dataset the indices are read and few records; samples a class, and files that the manifest does not name,
    are not counted.

    Raises `FormatError` or `CodecError` for one that is damaged, and `DatasetError` for one that cannot be reached.
    """
    opened = open_dataset(root, storage)
    manifest, codec = opened.manifest, opened.codec
    summary, config = manifest.summary, codec.config
    parts = bytes_by_purpose(opened)
    total, drawn = sum(parts.values()), draw_samples(root, opened, storage)
    beside = readable_ratio(summary.source_bytes, total, "the source files")
    lines = [
        f"{opened.storage.url}: {summary.samples:,} samples, {readable_bytes(total)}"
        + (f", {' times '.join(beside)}" if summary.source_bytes else ""),
        f"codec   {codec.name} (fingerprint {codec.fingerprint}), wavelet {config.wavelet}: "
        f"{config.signal_channels} channels to {codec.channels}, {_positions(config.factors)} to 1",
        f"decoder {codec.network.name}"
        + (f", {codec.network.parameters:,} parameters" if codec.network.parameters else ""),
        *_shapes(drawn),
        *in_its_units(opened, drawn, total),
        f"coder   {manifest.coder}, {summary.bits_per_latent:.3f} bits a latent; layout {manifest.layout}",
        f"quality {readable_psnr(summary.psnr)}; {summary.saturated:,} of {summary.latents:,} "
        f"latents saturated; {summary.skipped} samples skipped",
    ]
    lines += map(step_of, manifest.lineage)
    views = f" of {manifest.views} views each" if manifest.views > 1 else ""
    for split, of_split in manifest.splits.items():
        lines.append(f"split   {split}: {manifest.samples(split):,} samples{views} in {len(of_split)} shards")
    lines += _classes(opened)
    lines += [f"  {share / total:7.2%}  {readable_bytes(share):>9}  {name}" for name, share in parts.items()]
    lines += [*_figures(opened, drawn), *_statistics(manifest.statistics)]
    return "\n".join(lines + _bits_by_channel(opened.coder, drawn.latents))


def _positions(factors: tuple[int, ...]) -> str:
    return f"{factors[0]} samples a side" if len(set(factors)) == 1 else f"{' x '.join(map(str, factors))} samples"


def _shapes(drawn: Drawn) -> list[str]:
    latents = span([x.shape for x in drawn.latents])
    sizes = [("encoded", drawn.sizes("size")), ("originals", drawn.sizes("original_size"))]
    told = [f"{name} {size}" for name, size in sizes if size]
    return (
        [f"shapes  {', '.join([f'latents int8 {latents}', *told])} ({len(drawn.latents)} samples)"] if latents else []
    )


def _classes(opened: OpenedDataset) -> Iterator[str]:
    for column, names in opened.manifest.classes.items():
        counts = count_classes(opened, column)
        told = [
            name if counts is None else f"{name} {count:,}"
            for name, count in zip(names, counts or [0] * len(names), strict=True)
        ]
        shown = ", ".join(told[:_CLASSES]) + (", ..." if len(told) > _CLASSES else "")
        each = f" ({min(counts):,} to {max(counts):,} samples each)" if counts and len(told) > _CLASSES else ""
        yield f"classes {'' if column == 'label' else f'of {column} '}{len(names)}: {shown}{each}"


def _figures(opened: OpenedDataset, drawn: Drawn) -> Iterator[str]:
    """What is stored of each sample's bytes and PSNR."""
    writing = opened.manifest.options.get("write")
    measured = writing.get("measure") if isinstance(writing, dict) else None
    for name in measured if isinstance(measured, list) else []:
        found = [each[name] for each in drawn.fields if isinstance(each.get(name), int | float)]
        if found:
            mean = sum(found) / len(found)
            yield f"column  {name}: {min(found):,.4g} to {max(found):,.4g}, mean {mean:,.4g} ({len(found)} samples)"


def _statistics(statistics: dict[str, list[float]]) -> Iterator[str]:
    """Means and standard deviations by channel, which the manifest keeps of all latents."""
    for name, told in (("mean", "means"), ("std", "standard deviations")):
        numbers = statistics.get(name)
        if numbers:
            yield f"{told} of latents by channel (all samples)"
            yield from _rows([f"{number:6.2f}" for number in numbers])


def _rows(numbers: list[str]) -> list[str]:
    return [f"  {first:>4}  {' '.join(numbers[first : first + _A_ROW])}" for first in range(0, len(numbers), _A_ROW)]


def _bits_by_channel(coder: Coder, latents: list[NDArray[np.int8]]) -> list[str]:
    if not latents:
        return []
    bits = [f"{value:5.2f}" for value in coder.bits_by_channel(latents)]
    return [f"bits a latent by channel ({coder.bits_are}; {len(latents)} samples)", *_rows(bits)]
