"""What a dataset holds and where its bytes go, as text."""

import os
from functools import partial

import numpy as np

from walloc_data.dataset import LatentDataset
from walloc_data.errors import FormatError
from walloc_data.format import CODEC_FILE, MANIFEST_FILE, ShardInfo
from walloc_data.format.readable import readable_bytes, readable_psnr
from walloc_data.format.shard import INDEX_HEADER
from walloc_data.read.opened import OpenedDataset, open_dataset, read_entries
from walloc_data.storage import StorageOptions
from walloc_data.storage.work import Work

__all__ = ["describe_dataset"]

_SAMPLES, _LATENTS = 256, 1 << 26  # that bits by channel are measured on, at most
_A_ROW = 16  # channels
_TOGETHER = 16  # indices fetched at a time


def describe_dataset(root: str | os.PathLike[str], *, storage: StorageOptions | None = None) -> str:
    """Several lines about the dataset in a folder or at a URL.

    Bits by channel are those of a sample of the dataset, and left out where its shards are not there. Of a remote
    dataset the indices are read and few records, and files that the manifest does not name are not counted. Raises
    `FormatError` or `CodecError` for one that is damaged, and `DatasetError` for one that cannot be reached.
    """
    opened = open_dataset(root, storage)
    manifest, codec = opened.manifest, opened.codec
    summary, config = manifest.summary, codec.config
    parts = _parts(opened, [shard for shards in manifest.splits.values() for shard in shards])
    total = sum(parts.values())
    lines = [
        f"{opened.storage.url}: {summary.samples:,} samples, {readable_bytes(total)}, "
        f"{summary.source_bytes / total:.1f} times smaller than the source files",
        f"codec   {codec.name} (fingerprint {codec.fingerprint}), wavelet {config.wavelet}: "
        f"{config.signal_channels} channels to {codec.channels}, {codec.factor} samples a side to 1",
        f"coder   {manifest.coder}, {summary.bits_per_latent:.3f} bits a latent; layout {manifest.layout}",
        f"quality {readable_psnr(summary.psnr)}; {summary.saturated:,} of {summary.latents:,} "
        f"latents saturated; {summary.skipped} samples skipped",
    ]
    for split, of_split in manifest.splits.items():
        lines.append(f"split   {split}: {manifest.samples(split):,} samples in {len(of_split)} shards")
    for column, classes in manifest.classes.items():
        shown = ", ".join(classes[:8]) + (", ..." if len(classes) > 8 else "")
        lines.append(f"classes {'' if column == 'label' else f'of {column} '}{len(classes)}: {shown}")
    lines += [f"  {share / total:7.2%}  {readable_bytes(share):>9}  {name}" for name, share in parts.items()]
    return "\n".join(lines + _bits_by_channel(root, opened, storage))


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


def _bits_by_channel(root: str | os.PathLike[str], opened: OpenedDataset, options: StorageOptions | None) -> list[str]:
    """What each channel costs, by a bounded number of samples from all over the dataset."""
    manifest, storage = opened.manifest, opened.storage
    paths = {split: [storage.path(shard.name) for shard in shards] for split, shards in manifest.splits.items()}
    splits = [split for split, of_split in paths.items() if all(path is None or path.exists() for path in of_split)]
    total = sum(manifest.samples(split) for split in splits)
    wanted = min(_SAMPLES, max(1, _LATENTS * manifest.summary.samples // max(1, manifest.summary.latents)))
    latents = []
    for split in splits:
        here = manifest.samples(split)
        count = min(here, max(1, wanted * here // total))
        together = 1 if storage.path(MANIFEST_FILE) else min(count, manifest.block)  # what is fetched as one is used
        groups = np.linspace(0, -(-here // together) - 1, -(-count // together)).round().astype(int)
        numbers = (groups[:, None] * together + np.arange(together)).ravel()
        samples = LatentDataset(root, split, storage=options).__getitems__(numbers[numbers < here].tolist())
        latents += [x.numpy() for x, _ in samples]
    if not latents:
        return []
    bits = [f"{value:5.2f}" for value in opened.coder.bits_by_channel(latents)]
    rows = [f"  {first:>4}  {' '.join(bits[first : first + _A_ROW])}" for first in range(0, len(bits), _A_ROW)]
    return [f"bits a latent by channel ({opened.coder.bits_are}; {len(latents)} samples)", *rows]
