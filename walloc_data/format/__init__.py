"""Payloads and columns to records, shards, indices and the manifest, and back."""

from walloc_data.format.card import dataset_card
from walloc_data.format.columns import Column
from walloc_data.format.manifest import (
    CODEC_FILE,
    JOURNAL_FILE,
    MANIFEST_FILE,
    Manifest,
    ShardInfo,
    Summary,
    differing,
    no_manifest,
    replace_file,
)
from walloc_data.format.readable import readable_bytes, readable_psnr, readable_ratio
from walloc_data.format.record import Record, pack_record
from walloc_data.format.seal import is_sealed
from walloc_data.format.shard import ShardWriter, parse_index, parse_member, read_index

__all__ = [
    "CODEC_FILE",
    "JOURNAL_FILE",
    "MANIFEST_FILE",
    "Column",
    "Manifest",
    "Record",
    "ShardInfo",
    "ShardWriter",
    "Summary",
    "dataset_card",
    "differing",
    "is_sealed",
    "no_manifest",
    "pack_record",
    "parse_index",
    "parse_member",
    "read_index",
    "readable_bytes",
    "readable_psnr",
    "readable_ratio",
    "replace_file",
]
