"""Whether every byte of a dataset folder is the one that was written."""

import hashlib
from pathlib import Path

from walloc_data.errors import WallocError
from walloc_data.format import Manifest, read_index
from walloc_data.read.opened import open_dataset

__all__ = ["find_damage"]

_CHUNK = 1 << 22


def find_damage(folder: Path) -> list[str]:
    """A sentence for each file that is missing, cut short or changed; none for a dataset that is whole.

    Reads all of it. Raises `FormatError` or `CodecError` where the manifest or the codec are damaged.
    """
    manifest: Manifest = open_dataset(folder).manifest
    found = []
    for shard in (shard for shards in manifest.splits.values() for shard in shards):
        path = folder / shard.name
        try:
            size = path.stat().st_size
            if size != shard.bytes:
                found.append(f"{path} has {size} bytes, not {shard.bytes}")
            elif _sha256(path) != shard.sha256:
                found.append(f"{path} is damaged (its sha256 is not that of the manifest)")
        except OSError as error:
            found.append(f"{path}: cannot be read ({error.strerror})")
        index = path.with_suffix(".idx")
        try:
            entries, tar_bytes = read_index(index)
            if (tar_bytes, len(entries)) != (shard.bytes, shard.records):
                found.append(f"{index} is not of the shard that the manifest describes")
        except WallocError as error:
            found.append(str(error))
    return found


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
