"""What raw bytes mean: readers that turn them into signals."""

from walloc_data.signals.arrays import ArrayReader
from walloc_data.signals.audio import AudioReader
from walloc_data.signals.crops import Box, random_crops
from walloc_data.signals.door import reader_for
from walloc_data.signals.gaps import unpack_mask
from walloc_data.signals.images import ImageReader
from walloc_data.signals.signal import Cutting, Reader, Signal, Viewing, Window
from walloc_data.signals.told import Told, told
from walloc_data.signals.video import VideoReader

__all__ = [
    "ArrayReader",
    "AudioReader",
    "Box",
    "Cutting",
    "ImageReader",
    "Reader",
    "Signal",
    "Told",
    "VideoReader",
    "Viewing",
    "Window",
    "random_crops",
    "reader_for",
    "told",
    "unpack_mask",
]
