"""Where raw samples are. Knows nothing of what they mean."""

from walloc_data.sources.door import open_source
from walloc_data.sources.files import Files
from walloc_data.sources.folder import list_files
from walloc_data.sources.source import Raw, Source, Split

__all__ = ["Files", "Raw", "Source", "Split", "list_files", "open_source"]
