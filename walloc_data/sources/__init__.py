"""Raw data to signals."""

from walloc_data.sources.folder import ImageFolder, Item
from walloc_data.sources.images import ImageReader, Picture, list_images

__all__ = ["ImageFolder", "ImageReader", "Item", "Picture", "list_images"]
