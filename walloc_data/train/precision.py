"""Where and how precisely to compute: what is there, and what is fastest there."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import torch

from walloc_data.errors import TrainError

__all__ = ["autocast_dtype", "chosen_device", "fastest", "precisely", "precisions_of", "seconds"]

_T = TypeVar("_T")
_REPEATS = 2


def chosen_device(name: str) -> torch.device:
    """The device that is meant. Raises `TrainError` for one that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise TrainError(
            f"device {name!r} is not there or cannot be used: take 'cpu', or 'auto', which takes a GPU where one is"
        ) from error
    return device


@contextmanager
def precisely(precision: str) -> Iterator[None]:
    """Products of float32 matrices computed as `"tf32"` or, as otherwise, in full; convolutions as it is fastest."""
    before, chosen = torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.benchmark = True  # windows are all of one shape
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
        torch.backends.cudnn.benchmark = chosen


def precisions_of(device: torch.device) -> tuple[str, ...]:
    """Those worth a try."""
    return ("float32", "bfloat16") if device.type == "cpu" else ("float32", "tf32", "bfloat16")


def autocast_dtype(precision: str) -> torch.dtype | None:
    """What the network computes in where that is not float32."""
    return torch.bfloat16 if precision == "bfloat16" else None


def fastest(device: torch.device, ways: Sequence[_T], run: Callable[[_T], None]) -> _T:
    """The way in which `run` takes least time; measured, since devices differ by far more than they say.

    One that takes more than thrice as long as the best so far is not run again.
    """
    best, least = ways[0], float("inf")
    for way in ways:
        run(way)  # what is prepared once, such as kernels, does not count
        for _ in range(_REPEATS):
            taken = seconds(device, partial(run, way))
            if taken < least:
                best, least = way, taken
            elif taken > 3 * least:
                break
    return best


def seconds(device: torch.device, run: Callable[[], None]) -> float:
    """How long something takes on a device."""
    _wait(device)
    started = time.perf_counter()
    run()
    _wait(device)
    return time.perf_counter() - started


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
