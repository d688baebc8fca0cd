"""What raw bytes mean: readers that turn them into signals."""

from walloc_data.signals.door import reader_for
from walloc_data.signals.images import ImageReader
from walloc_data.signals.signal import Reader, Signal

__all__ = ["ImageReader", "Reader", "Signal", "reader_for"]
