"""How many threads torch computes with."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["one_thread"]


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch with one thread on the CPU.

    The codec's products are small: further threads gain little on a quiet machine and wait for one another on a busy
    one, many times as long as the work takes. Sums round alike however the work is spread.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
