"""Where raw samples are. Knows nothing of what they mean."""

from walloc_data.sources.door import open_source
from walloc_data.sources.files import Files, unread
from walloc_data.sources.lists import read_list
from walloc_data.sources.source import Raw, Source, Split
from walloc_data.sources.walk import list_files

__all__ = ["Files", "Raw", "Source", "Split", "list_files", "open_source", "read_list", "unread"]
