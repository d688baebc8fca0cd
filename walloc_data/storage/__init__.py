"""The files of a dataset, wherever they are."""

from walloc_data.storage.door import Storage, open_storage
from walloc_data.storage.fsspec_folder import FsspecFolder
from walloc_data.storage.hub import parse_hub_address
from walloc_data.storage.hub_refusal import hub_failures, hub_refusal, hub_unreachable
from walloc_data.storage.options import StorageOptions
from walloc_data.storage.parsed import read_parsed
from walloc_data.storage.retry import UnreachableError

__all__ = [
    "FsspecFolder",
    "Storage",
    "StorageOptions",
    "UnreachableError",
    "hub_failures",
    "hub_refusal",
    "hub_unreachable",
    "open_storage",
    "parse_hub_address",
    "read_parsed",
]
