"""Numbers that a dataset says of a sample, which may be anything."""

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["number_of"]


def number_of(fields: Mapping[str, Any], name: str) -> float:
    """A field that is a number from 0 on; 0 for all else."""
    value = fields.get(name)
    return float(value) if isinstance(value, int | float) and 0 <= value < math.inf else 0.0
