"""Where raw samples are. Knows nothing of what they mean."""

from walloc_data.sources.door import open_source
from walloc_data.sources.files import Files, unread
from walloc_data.sources.lists import read_list
from walloc_data.sources.source import Raw, Source, Split, evenly, samples_of
from walloc_data.sources.walk import list_files

__all__ = [
    "Files",
    "Raw",
    "Source",
    "Split",
    "evenly",
    "list_files",
    "open_source",
    "read_list",
    "samples_of",
    "unread",
]
