"""Batches from workers to the process that trains, through shared memory that is used over and over.

New shared memory for each batch, as torch has it, costs both sides more time in page faults than the batch takes to
copy, and a file for each tensor. And it has names, in a folder that is small in many containers; this has none.
"""

import math
import mmap
import os
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from multiprocessing.reduction import DupFd
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from walloc_data.read.payloads import Empty

__all__ = ["Packed", "Slots"]

_ALIGNED = 64
_MORE = 1 << 16  # bytes that a slot has room for beside latents, so that it need not grow for labels
_POOLS: "weakref.WeakValueDictionary[int, Slots]" = weakref.WeakValueDictionary()
_NUMBERS = count()


@dataclass(frozen=True)
class Packed:
    """A batch whose tensors are in a slot, `bytes_` of it, or in `data`; it has a `_Place` where each of them was."""

    pool: int
    slot: int | None
    bytes_: int
    batch: Any
    data: bytearray | None = None

    def unpack(self) -> Any:
        """The batch, where its `Slots` were made. Its slot is in use until the last of the tensors is gone."""
        if self.slot is None:
            return _unpacked(self.batch, np.frombuffer(self.data, np.uint8)) if self.data else self.batch
        return _POOLS[self.pool].get(self)

    def pin_memory(self) -> Any:
        """The batch in pinned memory: what torch's loader calls where it is to pin."""
        return _mapped(self.unpack(), Tensor, Tensor.pin_memory)


@dataclass(frozen=True)
class _Place:
    start: int
    dtype: torch.dtype
    shape: tuple[int, ...]


class Slots:
    """Pieces of shared memory, by number; where the system gives no nameless ones (only Linux does), there are none.

    The process that trains takes a slot and asks a worker for a batch in it; the worker puts it there and says where
    its tensors are; the former gives them out, and takes the slot again when they are gone. So a slot has one owner at
    any time, and is handed over with a message. Slots grow to what is put in them, and vanish with the processes.
    """

    def __init__(self, slots: int) -> None:
        files: list[int] = []
        with suppress(AttributeError, OSError):
            files.extend(os.memfd_create("walloc_data") for _ in range(slots))
        self._be(next(_NUMBERS), files)
        _POOLS[self._number] = self
        weakref.finalize(self, _close, files)

    def _be(self, number: int, files: list[int]) -> None:
        self._number, self._files = number, files
        self._maps: dict[int, mmap.mmap] = {}
        self._free, self._asked = deque(range(len(files))), set[int]()
        self._used: dict[int, weakref.ref[Any]] = {}  # kept, or nothing would be called when a batch is gone
        self._reserved: dict[int, int] = {}  # bytes that `room` gave away

    def __getstate__(self) -> tuple[int, list[Any]]:
        return self._number, [DupFd(file) for file in self._files]

    def __setstate__(self, state: tuple[int, list[Any]]) -> None:
        self._be(state[0], [file.detach() for file in state[1]])

    def take(self) -> int | None:
        """A slot that nobody uses, the last one freed, which caches know best; None if all are in use."""
        if not self._free:
            return None
        slot = self._free.pop()
        self._asked.add(slot)
        return slot

    def reclaim(self) -> None:
        """Take back what was asked for and not given, when no worker is at it any more."""
        self._free.extend(self._asked)
        self._asked.clear()

    def room(self, slot: int) -> Empty:
        """What makes one int8 array of a given shape in a slot, further ones elsewhere: what `put` finds there, it need
        not copy.
        """
        self._reserved.pop(slot, None)

        def empty(shape: tuple[int, ...]) -> NDArray[np.int8]:
            if slot in self._reserved:
                return np.empty(shape, np.int8)
            size = math.prod(shape)
            self._reserved[slot] = _aligned(size)
            return np.frombuffer(self._map(slot, size + _MORE), np.int8, size).reshape(shape)

        return empty

    def put(self, slot: int | None, batch: Any) -> Packed:
        """Copy the tensors of a batch (of lists, tuples and dicts) to a slot, but for what lies there already.

        Without a slot they travel in the message: slower, and bounded by nothing but memory.
        """
        reserved = self._reserved.pop(slot, 0) if slot is not None else 0
        size, first = reserved, 0
        if slot is not None and reserved:
            first = torch.frombuffer(self._maps[slot], dtype=torch.uint8).data_ptr()
        found: list[tuple[_Place, Tensor]] = []

        def place(tensor: Tensor) -> Any:
            nonlocal size
            if type(tensor) is not Tensor or tensor.layout is not torch.strided or tensor.requires_grad:
                return tensor
            start = tensor.data_ptr() - first
            if tensor.is_contiguous() and 0 <= start < start + tensor.nbytes <= reserved:
                return _Place(start, tensor.dtype, tuple(tensor.shape))
            found.append((_Place(size, tensor.dtype, tuple(tensor.shape)), tensor))
            size += _aligned(max(1, tensor.nbytes))
            return found[-1][0]

        placed = _mapped(batch, Tensor, place)
        data = bytearray(size) if slot is None else None
        if found:
            memory = torch.frombuffer(data if slot is None else self._map(slot, size), dtype=torch.uint8)
            for where, tensor in found:
                _view(memory, where).copy_(tensor)
        return Packed(self._number, slot, size, placed, data)

    def get(self, packed: Packed) -> Any:
        """The batch that a worker has put in a slot."""
        free, slot = self._free, packed.slot
        assert slot is not None
        self._asked.discard(slot)
        if not packed.bytes_:
            free.append(slot)
            return packed.batch
        memory = np.frombuffer(self._map(slot, packed.bytes_), np.uint8)  # all tensors keep it, and no one else
        self._used[slot] = weakref.ref(memory, lambda _: free.append(slot))
        return _unpacked(packed.batch, memory)

    def _map(self, slot: int, size: int) -> mmap.mmap:
        if slot not in self._maps or len(self._maps[slot]) < size:
            file = self._files[slot]
            if os.fstat(file).st_size < size:
                os.ftruncate(file, size)
            self._maps[slot] = mmap.mmap(file, 0)
        return self._maps[slot]


def _unpacked(batch: Any, memory: NDArray[np.uint8]) -> Any:
    whole = torch.from_numpy(memory)
    return _mapped(batch, _Place, lambda where: _view(whole, where))


def _view(memory: Tensor, where: _Place) -> Tensor:
    size = where.dtype.itemsize * math.prod(where.shape)
    return memory[where.start : where.start + size].view(where.dtype).view(where.shape)


def _aligned(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED


def _mapped(batch: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """A batch with `change` of each thing of a kind in it."""
    if isinstance(batch, kind):
        return change(batch)
    if isinstance(batch, dict):
        return {key: _mapped(value, kind, change) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(_mapped(value, kind, change) for value in batch))
    if type(batch) in (list, tuple):
        return type(batch)(_mapped(value, kind, change) for value in batch)
    return batch


def _close(files: list[int]) -> None:
    for file in files:
        os.close(file)
