"""What a dataset holds and where its bytes go, as text."""

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy import Coder
from walloc_data.errors import FormatError
from walloc_data.format import CODEC_FILE, MANIFEST_FILE, ShardInfo
from walloc_data.format.readable import readable_bytes, readable_psnr
from walloc_data.format.shard import INDEX_HEADER
from walloc_data.read.opened import OpenedDataset, open_dataset, read_entries
from walloc_data.report.drawn import Drawn, count_classes, draw_samples, span
from walloc_data.report.units import in_its_units
from walloc_data.storage import StorageOptions
from walloc_data.storage.work import Work

__all__ = ["describe_dataset"]

_A_ROW = 16  # channels
_CLASSES = 8  # named
_TOGETHER = 16  # indices fetched at a time


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
    parts = _parts(opened, [shard for shards in manifest.splits.values() for shard in shards])
    total, drawn = sum(parts.values()), draw_samples(root, opened, storage)
    lines = [
        f"{opened.storage.url}: {summary.samples:,} samples, {readable_bytes(total)}"
        + (f", {summary.source_bytes / total:.1f} times smaller than the source files" if summary.source_bytes else ""),
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
    lines += map(_made, manifest.lineage)
    for split, of_split in manifest.splits.items():
        lines.append(f"split   {split}: {manifest.samples(split):,} samples in {len(of_split)} shards")
    lines += _classes(opened)
    lines += [f"  {share / total:7.2%}  {readable_bytes(share):>9}  {name}" for name, share in parts.items()]
    return "\n".join(lines + _bits_by_channel(opened.coder, drawn.latents))


def _made(step: dict[str, Any]) -> str:
    """What a manifest, of which anything may be wrong, says was done to other datasets."""
    of = step.get("of")
    named = [
        " ".join(str(one.get(name, "?")) for name in ("dataset", "codec", "coder"))
        for one in (of if isinstance(of, list) else [])
        if isinstance(one, dict)
    ]
    options = step.get("options")
    told = [f"{name}={value}" for name, value in options.items()] if isinstance(options, dict) else []
    return f"made of {'; '.join(named)} by {' '.join([str(step.get('verb')), *told])}"


def _positions(factors: tuple[int, ...]) -> str:
    return f"{factors[0]} samples a side" if len(set(factors)) == 1 else f"{' x '.join(map(str, factors))} samples"


def _parts(opened: OpenedDataset, shards: list[ShardInfo]) -> dict[str, int]:
    """Bytes by what they are for, in a folder all of its files."""
    with Work(_TOGETHER, "walloc-index") as work:
        coming = [work.submit(partial(read_entries, opened.storage, shard)) for shard in shards]
        entries = [work.result(future) for future in coming]
    records = sum(int(of_shard["bytes"].sum()) for of_shard in entries)
    payload, tars = sum(shard.payload_bytes for shard in shards), sum(shard.bytes for shard in shards)
    parts = {
        "payloads": payload,
        "record headers and columns": records - payload,
        "tar": tars - records,
        "indices": sum(INDEX_HEADER.size + of_shard.nbytes for of_shard in entries),
        CODEC_FILE: len(opened.storage.read(CODEC_FILE, version=opened.manifest.codec_sha256)),
    }
    manifest = opened.storage.path(MANIFEST_FILE)
    if manifest is None:
        return {**parts, MANIFEST_FILE: len(opened.storage.read(MANIFEST_FILE))}
    sizes = {path.name: path.stat().st_size for path in manifest.parent.iterdir() if path.is_file()}
    for shard in shards:
        if sizes.setdefault(shard.name, shard.bytes) != shard.bytes:
            raise FormatError(
                f"{manifest.parent / shard.name} has {sizes[shard.name]} bytes, not {shard.bytes}: cut short or "
                "replaced; copy it again"
            )
    return {**parts, "other files": sum(sizes.values()) - sum(parts.values())}


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


def _bits_by_channel(coder: Coder, latents: list[NDArray[np.int8]]) -> list[str]:
    if not latents:
        return []
    bits = [f"{value:5.2f}" for value in coder.bits_by_channel(latents)]
    rows = [f"  {first:>4}  {' '.join(bits[first : first + _A_ROW])}" for first in range(0, len(bits), _A_ROW)]
    return [f"bits a latent by channel ({coder.bits_are}; {len(latents)} samples)", *rows]
