"""Which rank of how many this process is, asked when it matters: launchers and frameworks say it at different times."""

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import count
from typing import Any

import torch.distributed
from torch.utils.data import get_worker_info

from walloc_data.errors import DatasetError
from walloc_data.numbers import whole_number

__all__ = ["Ranks", "UnknownRank"]

_LOG = logging.getLogger("walloc_data")
_LAUNCHERS = (  # what a launcher other than torch's sets for each process: its rank, and how many there are
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),  # by srun; SLURM_NTASKS is also there where one process runs alone
)
_STREAMS = count()  # that this process has begun as one rank of several


class UnknownRank(DatasetError):
    """Half of what says the rank is there; the rest may come before iteration starts."""


class Ranks:
    """A rank among `world` ranks: as given, or what torch.distributed or the environment says at the time."""

    def __init__(self, rank: int | None, world_size: int | None) -> None:
        if (rank is None) != (world_size is None):
            raise DatasetError("rank and world_size are given together, or neither")
        self.given: tuple[int, int] | None = None
        if rank is not None:
            self.given = _checked(whole_number("rank", rank), whole_number("world_size", world_size))
        self._of_parent: tuple[int, int] | None = None
        self._number: int | None = None

    def now(self) -> tuple[int, int]:
        """Rank and world. Raises `UnknownRank` where the environment says only one of them."""
        if self.given:
            return self.given
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            return torch.distributed.get_rank(), torch.distributed.get_world_size()
        if self._of_parent and get_worker_info():  # a spawned worker knows nothing of its parent's torch.distributed
            return self._of_parent
        return _from_environment()

    def agree(self, epoch: int, order: Mapping[str, Any], commits: Sequence[str]) -> None:
        """Compare the order that this rank is to read with that of the first rank to begin the epoch.

        Nobody waits for anybody. Streams count in the order in which ranks begin them. Raises `DatasetError`, which
        names the commits too, where ranks differ: in the data of a dataset that was replaced meanwhile, for one.
        """
        if self.given or not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return
        if self._number is None:
            self._number = next(_STREAMS)
        try:
            store = torch.distributed.distributed_c10d._get_default_store()
            mine = json.dumps([order, commits])
            first, theirs = json.loads(store.compare_set(f"walloc_data/{self._number}/{epoch}", "", mine))
        except (AttributeError, RuntimeError):
            return  # without a store, nothing is compared
        differ = [
            f"{name} {value!r}, not {first.get(name)!r}" for name, value in order.items() if first.get(name) != value
        ]
        if differ and commits != theirs:
            differ.append(f"commits {commits}, not {theirs}")
        if differ:
            raise DatasetError(
                f"rank {torch.distributed.get_rank()} is to read otherwise than another rank ({'; '.join(differ)}): "
                "give all ranks the same data (hf://user/name@COMMIT fixes a commit), options and order of streams"
            )

    def __getstate__(self) -> dict[str, object]:
        try:
            parent = self.now()
        except UnknownRank:
            parent = None
        return {"given": self.given, "_of_parent": parent, "_number": None}


def _from_environment() -> tuple[int, int]:
    rank, world = _number("RANK"), _number("WORLD_SIZE")
    launched = list(_launched())
    if rank is not None and world is not None:  # torchrun, and what is like it
        return _checked(rank, world)
    if rank is None and world is None:
        for where, one, all_ in launched:
            if all_ > 1:
                _tell(where, one, all_)
                return _checked(one, all_)
        return 0, 1
    if world == 1:
        return 0, 1
    for _, one, all_ in launched:  # as scripts for srun and mpirun often set one of the two
        if one == rank or all_ == world:
            return _checked(one, all_)
    local = _number("LOCAL_RANK")
    if world is not None and local is not None and not _number("NODE_RANK"):  # Lightning's children on a first node
        return _checked(local, world)
    there, lacking = ("WORLD_SIZE", "RANK") if rank is None else ("RANK", "WORLD_SIZE")
    raise UnknownRank(
        f"the environment sets {there}={os.environ[there]} but no {lacking}, so which rank reads what is unknown: "
        f"iterate after torch.distributed.init_process_group, set {lacking}, or give rank and world_size"
    )


def _launched() -> Iterator[tuple[str, int, int]]:
    for rank, world in _LAUNCHERS:
        one, all_ = _number(rank), _number(world)
        if one is not None and all_ is not None:
            yield f"{rank} and {world}", one, all_


def _number(name: str) -> int | None:
    text = os.environ.get(name, "")
    try:
        return int(text) if text else None
    except ValueError as error:
        raise DatasetError(f"the environment's {name}={text!r} is not a whole number") from error


def _checked(rank: int, world: int) -> tuple[int, int]:
    if not 0 <= rank < world:
        raise DatasetError(f"rank {rank} is not one of {world} ranks, which count from 0")
    return rank, world


@lru_cache
def _tell(where: str, rank: int, world: int) -> None:
    """Once a process: it may be one of several runs that only share a launcher."""
    _LOG.warning("read as rank %d of %d, as %s say; a run of its own gives rank=0, world_size=1", rank, world, where)
