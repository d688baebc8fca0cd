"""The files of a dataset, wherever they are."""

from walloc_data.storage.door import Storage, open_storage
from walloc_data.storage.hub_refusal import hub_failures, hub_refusal, hub_unreachable
from walloc_data.storage.options import StorageOptions
from walloc_data.storage.parsed import read_parsed
from walloc_data.storage.retry import UnreachableError

__all__ = [
    "Storage",
    "StorageOptions",
    "UnreachableError",
    "hub_failures",
    "hub_refusal",
    "hub_unreachable",
    "open_storage",
    "read_parsed",
]
