"""Where the bytes of a dataset go."""

from functools import partial

from walloc_data.errors import FormatError
from walloc_data.format import CODEC_FILE, MANIFEST_FILE
from walloc_data.format.shard import INDEX_HEADER
from walloc_data.read.opened import OpenedDataset, read_entries
from walloc_data.storage.work import Work

__all__ = ["bytes_by_purpose"]

_TOGETHER = 16  # indices fetched at a time


def bytes_by_purpose(opened: OpenedDataset) -> dict[str, int]:
    """Bytes of a dataset by what they are for, in a folder of all of its files.

    Raises `FormatError` where a shard has other bytes than the manifest says, and `DatasetError` for what is not there.
    """
    shards = [shard for of_split in opened.manifest.splits.values() for shard in of_split]
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
