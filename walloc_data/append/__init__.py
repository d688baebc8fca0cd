"""New samples of a source that has grown, as new shards of a dataset."""

from walloc_data.append.run import Appended, append_dataset

__all__ = ["Appended", "append_dataset"]
