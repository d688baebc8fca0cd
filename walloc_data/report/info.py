"""What a dataset holds and where its bytes go, as text."""

from pathlib import Path

import numpy as np

from walloc_data.dataset import LatentDataset
from walloc_data.entropy import Coder
from walloc_data.errors import FormatError
from walloc_data.format import CODEC_FILE, Manifest, read_index
from walloc_data.format.readable import readable_bytes, readable_psnr
from walloc_data.read.opened import open_dataset

__all__ = ["describe_dataset"]

_SAMPLES, _LATENTS = 256, 1 << 26  # that bits by channel are measured on, at most
_A_ROW = 16  # channels


def describe_dataset(folder: Path) -> str:
    """Several lines about the dataset in a folder. Raises `FormatError` or `CodecError` for one that is damaged.

    Bits by channel are those of a sample of the dataset, and left out where its shards are not there.
    """
    opened = open_dataset(folder)
    manifest, codec, coder = opened.manifest, opened.codec, opened.coder
    summary, config = manifest.summary, codec.config
    shards = [shard for shards in manifest.splits.values() for shard in shards]
    indices = [(folder / shard.name).with_suffix(".idx") for shard in shards]
    records = sum(int(read_index(path)[0]["bytes"].sum()) for path in indices)
    for shard in shards:
        path = folder / shard.name
        if path.exists() and path.stat().st_size != shard.bytes:
            raise FormatError(
                f"{path} has {path.stat().st_size} bytes, not {shard.bytes}: cut short or replaced; copy it again"
            )
    tars, payload = sum(shard.bytes for shard in shards), sum(shard.payload_bytes for shard in shards)
    total = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    parts = {
        "payloads": payload,
        "record headers and columns": records - payload,
        "tar": tars - records,
        "indices": sum(path.stat().st_size for path in indices),
        CODEC_FILE: (folder / CODEC_FILE).stat().st_size,
    }
    parts["other files"] = total - sum(parts.values())
    lines = [
        f"{folder}: {summary.samples:,} samples, {readable_bytes(total)}, "
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
    return "\n".join(lines + _bits_by_channel(folder, manifest, coder))


def _bits_by_channel(folder: Path, manifest: Manifest, coder: Coder) -> list[str]:
    """What each channel costs, by a bounded number of samples from all over the dataset."""
    splits = [
        split for split, shards in manifest.splits.items() if all((folder / shard.name).exists() for shard in shards)
    ]
    total = sum(manifest.samples(split) for split in splits)
    wanted = min(_SAMPLES, max(1, _LATENTS * manifest.summary.samples // max(1, manifest.summary.latents)))
    latents = []
    for split in splits:
        here = manifest.samples(split)
        count = min(here, max(1, wanted * here // total))
        numbers = np.linspace(0, here - 1, count).round().astype(int).tolist()
        latents += [x.numpy() for x, _ in LatentDataset(folder, split).__getitems__(numbers)]
    if not latents:
        return []
    bits = [f"{value:5.2f}" for value in coder.bits_by_channel(latents)]
    rows = [f"  {first:>4}  {' '.join(bits[first : first + _A_ROW])}" for first in range(0, len(bits), _A_ROW)]
    return [f"bits a latent by channel ({coder.bits_are}; {len(latents)} samples)", *rows]
