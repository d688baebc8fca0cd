"""The order of samples, and how it is dealt to steps and ranks: pure functions, which know of no file."""

from walloc_data.order.cut import Cut
from walloc_data.order.endless import MixedOrder, SplitOrder
from walloc_data.order.filtered import FilteredOrder
from walloc_data.order.views import Order, ViewedOrder, Views

__all__ = ["Cut", "FilteredOrder", "MixedOrder", "Order", "SplitOrder", "ViewedOrder", "Views"]
