"""What does the tasks of a run: processes of this machine, or those of a cluster."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from walloc_data.errors import DatasetError
from walloc_data.write.local import LocalEngine
from walloc_data.write.ray import RayEngine

__all__ = ["Engine", "engine_of"]

_T = TypeVar("_T")
_R = TypeVar("_R")


class Engine(Protocol):
    """Does tasks in any order and any number at a time; what they write depends on each alone."""

    def run(
        self, work: Callable[[_T, Callable[[int], None]], _R], tasks: Sequence[_T], tick: Callable[[int], None]
    ) -> Iterator[tuple[_T, _R]]:
        """Do each task, and give it with its result as it is done; `tick` is told of samples meanwhile."""


def engine_of(name: str, workers: int | None = None, address: str | None = None) -> Engine:
    """The engine of a name: `local` with `workers` processes (None: this one alone), or `ray` with as many tasks at a
    time (None: as the cluster has cores) on the cluster at `address` (None: `$RAY_ADDRESS`, or one of this machine
    alone, made for the run).

    Raises `DatasetError` for one that is not known, whose package is not installed, or that cannot be reached.
    """
    if name == "ray":
        return RayEngine.at(address, workers)
    if name != "local":
        raise DatasetError(f"engine={name!r} is not 'local' or 'ray'")
    if address is not None:
        raise DatasetError(f"address={address!r} is one of a cluster: ask for engine='ray' (--engine ray)")
    return LocalEngine(workers or 1)
