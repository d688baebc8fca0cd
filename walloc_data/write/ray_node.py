"""What a task of a Ray cluster does on the node that it comes to."""

import contextlib
import hashlib
import os
import pickle
import socket
import time
import traceback
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from walloc_data.errors import DatasetError, WallocError
from walloc_data.write.sending import picklable

__all__ = ["by_value", "installed", "serve"]

_BYTES_DEPEND_ON = ("numpy", "pillow", "torch", "zstandard")
_SAY = 1.0  # seconds between reports of progress
_WORK: dict[bytes, Any] = {}  # of this process: what it was given last


@cache
def installed() -> dict[str, str]:
    """What the bytes of a dataset depend on, as it is installed here: by package, its version, of ours with a sum."""
    root, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    ours = f"{version('walloc-data')} ({digest.hexdigest()[:8]})"
    return {"walloc-data": ours} | {name: version(name) for name in _BYTES_DEPEND_ON}


def by_value() -> Callable[..., Any]:
    """The function that nodes are given: it names nothing of this package, since they may have another version of it.

    It gives a kind and a value, as `serve` does.
    """

    def task(expected: dict[str, str], counter: Any, digest: bytes, pickled: bytes, folder: str, *rest: Any) -> Any:
        import importlib
        import socket

        index, task = rest

        try:
            node = importlib.import_module("walloc_data.write.ray_node")
            found = node.installed()
        except Exception as error:
            found = {"walloc-data": f"none that fits ({error})"}
        differing = [name for name in expected if found.get(name) != expected[name]]
        if differing:
            there, here = (
                ", ".join(f"{name} {each[name]}" for name in differing if name in each) for each in (found, expected)
            )
            return "other", f"node {socket.gethostname()} has {there}, and this machine {here}"
        return node.serve(digest, pickled, folder, lambda done: counter.put.remote(index, done), task)

    return task


def serve(digest: bytes, pickled: bytes, folder: str, say: Callable[[int], Any], task: Any) -> tuple[str, Any]:
    """Do a task in the folder in which the run was started, and give `"done"` with its result and samples, or
    `"failed"` and the error. `say` is told now and then how many samples are done."""
    torch.set_num_threads(1)
    with contextlib.suppress(OSError):  # addresses that were given may be relative
        os.chdir(folder)
    done, said = 0, time.monotonic()

    def tick(samples: int) -> None:
        nonlocal done, said
        done += samples
        if time.monotonic() - said >= _SAY:
            said = time.monotonic()
            say(done)

    try:
        if digest not in _WORK:
            _WORK.clear()
            _WORK[digest] = pickle.loads(pickled)
        return "done", (_WORK[digest](task, tick), done)
    except Exception as error:
        return "failed", _sent(error)


def _sent(error: Exception) -> Exception:
    """An error that pickles; where it is no sentence of ours, with where it came from."""
    if isinstance(error, WallocError):
        return error
    trace = f"on node {socket.gethostname()}:\n{traceback.format_exc()}"
    if isinstance(error, OSError):
        return DatasetError(f"node {socket.gethostname()}: {error.filename or 'input or output'}: {error.strerror}")
    found = picklable(error)
    found.args = (*found.args, trace) if not found.args else (f"{found.args[0]}\n{trace}", *found.args[1:])
    return found
