"""Payloads and columns to records, shards, indices and the manifest, and back."""

from walloc_data.format.columns import Column
from walloc_data.format.crc import crc32
from walloc_data.format.hub_refusal import hub_refusal
from walloc_data.format.manifest import CODEC_FILE, MANIFEST_FILE, Manifest, ShardInfo, Summary, replace_file
from walloc_data.format.parsed import read_parsed
from walloc_data.format.record import Record, pack_record
from walloc_data.format.shard import ShardWriter, parse_index, read_index
from walloc_data.format.storage import Storage, StorageOptions, open_storage

__all__ = [
    "CODEC_FILE",
    "MANIFEST_FILE",
    "Column",
    "Manifest",
    "Record",
    "ShardInfo",
    "ShardWriter",
    "Storage",
    "StorageOptions",
    "Summary",
    "crc32",
    "hub_refusal",
    "open_storage",
    "pack_record",
    "parse_index",
    "read_index",
    "read_parsed",
    "replace_file",
]
