"""What does the tasks of a run: processes of this machine, or those of a cluster."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from walloc_data.errors import DatasetError
from walloc_data.write.local import LocalEngine

__all__ = ["Engine", "engine_of"]

_T = TypeVar("_T")
_R = TypeVar("_R")


class Engine(Protocol):
    """Does tasks in any order and any number at a time; what they write depends on each alone."""

    def run(
        self, work: Callable[[_T, Callable[[int], None]], _R], tasks: Sequence[_T], tick: Callable[[int], None]
    ) -> Iterator[tuple[_T, _R]]:
        """Do each task, and give it with its result as it is done; `tick` is told of samples meanwhile."""


def engine_of(name: str, workers: int) -> Engine:
    """The engine of a name, with so many processes. Raises `DatasetError` for one that is not known."""
    if name != "local":
        raise DatasetError(f"engine={name!r} is not 'local'")
    return LocalEngine(workers)
