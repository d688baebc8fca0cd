"""The order of samples, and how it is dealt to steps and ranks: pure functions, which know of no file."""

from walloc_data.order.cut import Cut
from walloc_data.order.endless import MixedOrder, SplitOrder

__all__ = ["Cut", "MixedOrder", "SplitOrder"]
