"""Batches from a worker to the process that trains, through shared memory that is used again.

What torch does with a tensor that a worker gives, new shared memory for each, costs as much as decoding the batch:
the system has to clear and map its pages, and to give them back.
"""

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["Slots", "map_tensors", "opened"]

_LEAST = 1 << 16  # bytes for which it is worth it
_MOST = 16  # slots of a worker; they are made as batches that wait need them


class Slots:
    """The shared memory of a worker. A slot's last byte is 1 from when it is filled until it has been emptied."""

    def __init__(self) -> None:
        self._slots: list[Tensor] = []

    def put(self, x: Tensor) -> Any:
        """What to send in the place of a tensor: a slot with its values, or the tensor itself."""
        if x.nbytes < _LEAST or type(x) is not Tensor or x.device.type != "cpu" or not x.is_contiguous():
            return x
        slot = self._free(x.nbytes)
        if slot is None:
            return x
        slot[: x.nbytes].view(x.dtype).view(x.shape).copy_(x)
        slot[-1] = 1
        return _Sent(slot, x.dtype, x.shape)

    def _free(self, size: int) -> Tensor | None:
        """A slot that is free and large enough."""
        free = [slot for slot in self._slots if not slot[-1]]
        for slot in free:
            if slot.numel() > size:
                return slot
        self._slots = [slot for slot in self._slots if slot[-1]]
        if len(self._slots) == _MOST:
            return None
        slot = torch.empty(size + 1, dtype=torch.uint8)
        slot.untyped_storage().share_memory_()
        slot[-1] = 0
        self._slots.append(slot)
        return slot


class _Sent:
    """A slot on its way. Only where it arrives is it emptied."""

    def __init__(self, slot: Tensor, dtype: torch.dtype, shape: torch.Size) -> None:
        self._parts = slot, dtype, shape

    def __reduce__(self) -> tuple[Any, ...]:
        return _Received, self._parts


class _Received:
    """A slot that has arrived; empties it into a tensor of its own, or, if nobody wants it, sets it free.

    Once, in either case: what lives on after that must not touch a slot that may have been filled again.
    """

    def __init__(self, slot: Tensor, dtype: torch.dtype, shape: torch.Size) -> None:
        self._slot: Tensor | None = slot
        self._dtype, self._shape, self._process = dtype, shape, os.getpid()

    def open(self, *, pinned: bool = False) -> Tensor:
        if self._slot is None:
            raise RuntimeError("a batch from a worker is opened once")
        x = torch.empty(self._shape, dtype=self._dtype, pin_memory=pinned)
        x.copy_(self._slot[: x.nbytes].view(self._dtype).view(self._shape))
        self._release()
        return x

    def pin_memory(self) -> Tensor:
        """What `DataLoader(pin_memory=True)` calls."""
        return self.open(pinned=True)

    def __del__(self) -> None:
        if os.getpid() == self._process:  # and not in a fork that came by a copy
            self._release()

    def _release(self) -> None:
        slot, self._slot = self._slot, None
        if slot is not None:
            slot[-1] = 0


def map_tensors(function: Callable[[Any], Any], batch: Any) -> Any:
    """A batch of tuples and lists with `function` of whatever else is in it."""
    if type(batch) in (list, tuple):
        return type(batch)([map_tensors(function, part) for part in batch])
    return function(batch)


def opened(part: Any) -> Any:
    """What was put in a slot, or anything else as it is."""
    return part.open() if isinstance(part, _Received) else part
