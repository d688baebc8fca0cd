# mypy: disable-error-code="no-untyped-def,var-annotated"
"""The stream of `rans`, and what its compiled loops share: a batch a call, without the GIL.

Two rANS states of 64 bits share one stream of 32-bit words. A front is cut into chunks of `WIDTH` places, a chunk into
pairs of places, which the states take by turns; a state is refilled after its pair (or the one place left over), for
two symbols take no more than 20 of its 58 bits. Escaped residuals are bytes at the payload's end, the last one first.
Nothing that a payload says can reach beyond an array:

- a chunk takes at most one word a pair, words are copied to where there is room behind them for all that a plane may
  take, and the cursor is held to the payload's words after every plane; escapes end where their payload begins;
- a state stays within 64 bits (it is below `TOP` to begin with and after a refill, and frequencies do not exceed
  `TOTAL`), and a distribution's slot is its low bits;
- a context is made of a level and a bin that are clamped to `LEVELS` and `BINS`, and `RansCoder` has checked that
  the distributions that `lookup` names cover all their slots.
"""

import numpy as np

from walloc_data.entropy.rans.context import jit
from walloc_data.entropy.rans.lanes import address

__all__ = [
    "BITS",
    "ESCAPE",
    "FIRST",
    "HEADER",
    "LOW",
    "RANGES",
    "SLOT_BITS",
    "SLOT_MASK",
    "START",
    "STATES",
    "TOP",
    "TOTAL",
    "WORD",
    "ZERO",
    "pointers_of",
]

BITS = 10
TOTAL = 1 << BITS  # slots of a distribution
RANGES = 4 * 256  # bytes of a distribution's ranges, uint32 each, before the symbols of its slots
STATES = 2
HEADER = 8 * STATES  # bytes
START = 1 << 26  # of every state in the encoder, so where the decoder must end
ESCAPE = 128  # stands for -128, and for a residual that a distribution has no slot for

WORD = np.uint64(32)
SLOT_BITS = np.uint64(BITS)
SLOT_MASK = np.uint64(TOTAL - 1)
FIRST = np.uint64(START)
TOP = np.uint64(START << 32)
LOW = np.uint64(255)
ZERO = np.uint64(0)


@jit
def pointers_of(plan):  # pragma: no cover  (compiled)
    """Where the arrays of a `Plan` start."""
    return (
        address(plan.planes), address(plan.watched), address(plan.moved), address(plan.counts),
        address(plan.offsets), address(plan.weights), address(plan.biases),
    )  # fmt: skip
