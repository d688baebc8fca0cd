"""A training in several processes: each takes its share of every batch, and all of them make the same steps."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from walloc_data.errors import TrainError
from walloc_data.read.ranks import Ranks, UnknownRank
from walloc_data.train.precision import chosen_device

__all__ = ["Processes"]

_MEETINGS = count()  # of this process: a launcher's store keeps what an earlier one left, such as addresses
_BACKENDS = {"cpu": "gloo", "cuda": "cpu:gloo,cuda:nccl"}  # numbers that decide something are sent from the CPU


class Processes:
    """Process `rank` of `world` that train one codec, as torch.distributed or a launcher says; the first one writes.

    Of one process alone nothing is sent. Whatever is sent raises `TrainError` where another process cannot be reached.
    """

    def __init__(self) -> None:
        try:
            self.rank, self.world = Ranks(None, None).now()
        except UnknownRank as error:
            raise TrainError(
                "the environment sets only one of RANK and WORLD_SIZE, so which process of how many this one is stays "
                "unknown: start the processes of a training by torchrun, or unset it"
            ) from error
        self._group: dist.ProcessGroup | None = None

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def share(self, batch: int) -> slice:
        """Which windows of a batch are this process's. Raises `TrainError` where they cannot be shared evenly."""
        if batch % self.world:
            raise TrainError(f"batch={batch} cannot be shared evenly by {self.world} processes: take a multiple of it")
        each = batch // self.world
        return slice(self.rank * each, (self.rank + 1) * each)

    def device(self, name: str) -> torch.device:
        """The device that is meant; of several processes with GPUs, one's own."""
        device = chosen_device(name)
        if self.world == 1 or device.type != "cuda" or device.index is not None:
            return device
        there = torch.cuda.device_count()
        local = int(os.environ.get("LOCAL_RANK") or self.rank % there)
        if local >= there:
            raise TrainError(
                f"process {local} of this machine has no GPU of its own ({there} are there, counted from 0): start "
                "fewer processes, or train on the CPU"
            )
        return torch.device("cuda", local)

    @contextmanager
    def joined(self, device: torch.device) -> Iterator[None]:
        """Meet the others, whose devices are of the same type, and part in the end."""
        if self.world == 1:
            yield
            return
        if device.type == "cuda":
            torch.cuda.set_device(device)
        backend = _BACKENDS.get(device.type, "gloo")
        if dist.is_initialized():
            self._group = dist.new_group(backend=backend)
        else:
            try:
                store, _, _ = next(rendezvous("env://", self.rank, self.world))
                store = dist.distributed_c10d.PrefixStore(
                    f"walloc_data/train/{next(_MEETINGS)}", store
                )  # of no earlier meeting
                dist.init_process_group(backend, store=store, rank=self.rank, world_size=self.world)
            except (ValueError, RuntimeError) as error:
                raise TrainError(
                    f"process {self.rank} of {self.world} cannot meet the others ({error}): start them by torchrun"
                ) from error
        try:
            yield
        finally:
            dist.destroy_process_group(self._group)
            self._group = None

    def average(self, losses: Tensor, tensors: Sequence[Tensor]) -> Tensor:
        """The means over all processes: of `losses`, and in their place of the gradients of `tensors`."""
        if self.world == 1:
            return losses
        gradients = [tensor.grad for tensor in tensors if tensor.grad is not None]
        flat = torch.cat([each.reshape(-1) for each in (losses, *gradients)])
        with self._reached():
            dist.all_reduce(flat, group=self._group)
        flat /= self.world
        found, *means = flat.split_with_sizes([losses.numel(), *(each.numel() for each in gradients)])
        for gradient, mean in zip(gradients, means, strict=True):
            gradient.copy_(mean.view_as(gradient))
        return found.clone()

    def mean(self, number: float) -> float:
        """Of the numbers of all processes."""
        return float(self.average(torch.tensor([number], dtype=torch.float64), ()))

    def decided(self, number: float) -> float:
        """The number of the first process."""
        if self.world == 1:
            return number
        sent = torch.tensor([number], dtype=torch.float64)
        with self._reached():
            dist.broadcast(sent, group=self._group, group_src=0)
        return float(sent)

    def equalise(self, tensors: Sequence[Tensor]) -> None:
        """Give tensors the values that they have in the first process."""
        if self.world > 1:
            with self._reached(), torch.no_grad():
                for tensor in tensors:
                    sent = tensor.contiguous()  # as NCCL asks for
                    dist.broadcast(sent, group=self._group, group_src=0)
                    tensor.copy_(sent)

    def agree(self, facts: Mapping[str, Any]) -> None:
        """Raises `TrainError`, in all processes, where one was told something else than the first."""
        all_facts = self._gathered(dict(facts))
        for rank, theirs in enumerate(all_facts):
            differing = [
                f"{name} {theirs[name]!r}, not {value!r}"
                for name, value in all_facts[0].items()
                if theirs[name] != value
            ]
            if differing:
                raise TrainError(
                    f"process {rank} of {self.world} trains otherwise than the first ({'; '.join(differing[:4])}): "
                    "give all the same command, and the same files"
                )

    @contextmanager
    def alike(self) -> Iterator[None]:
        """What raises within in one process raises in all of them. Nothing may be sent within."""
        failure: Exception | None = None
        try:
            yield
        except Exception as error:
            if self.world == 1:
                raise
            failure = error
        if self.world == 1:
            return
        found = self._gathered(None if failure is None else str(failure))
        if failure is not None:
            raise failure
        for rank, said in enumerate(found):
            if said is not None:
                raise TrainError(f"process {rank} of {self.world} failed, so this one ends too: {said}")

    def _gathered(self, thing: Any) -> list[Any]:
        if self.world == 1:
            return [thing]
        found: list[Any] = [None] * self.world
        with self._reached():
            dist.all_gather_object(found, thing, group=self._group)
        return found

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise TrainError(
                f"process {self.rank} of {self.world} no longer reaches the others: one of them has ended. Run the "
                "same command again to go on from the last checkpoint"
            ) from error
