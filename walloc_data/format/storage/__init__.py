"""The files of a dataset, wherever they are."""

from walloc_data.format.storage.door import Storage, open_storage
from walloc_data.format.storage.options import StorageOptions

__all__ = ["Storage", "StorageOptions", "open_storage"]
