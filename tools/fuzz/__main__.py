"""Damage what is read, at random: `python -m tools.fuzz [--count 10000 | --minutes 5] [--targets tars,codecs]`.

Payloads, records, columns, indices, manifests, journals, codecs, whole datasets; images, sound, arrays and video; tars,
parquet, lists and metadata. Each case must end within seconds and without much memory, as an error of this package, as
data that a checksum tells from the right one, or unharmed. Anything else, the end of the process by a signal too, is
told with the number of the case, by which `--only` tries it again, and makes for exit status 1. What each came to is
counted. `--count` is of cases of the fastest target; of slower ones there are fewer.
"""

import argparse
import faulthandler
import mmap
import os
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from tools.fuzz import datasets, files, records, sources
from tools.fuzz.damage import Attempt

__all__ = ["TARGETS"]

_SECONDS = 20.0  # of a case
_MEMORY, _GROWTH = 3 << 30, 256 << 10  # bytes that may be asked for, and kB that one case may take for the first time
_LINES, _COLUMNS = 40, 300  # of what is told of what goes wrong
_STATE = struct.Struct("<qd")  # the case that runs, and since when

# By name: how many times as long a case takes as one of a payload, and what makes them in a folder.
TARGETS: dict[str, tuple[int, Callable[[Path], Attempt]]] = {
    "payloads": (1, lambda folder: records.payloads()),
    "records": (1, lambda folder: records.records()),
    "columns": (1, lambda folder: records.columns()),
    "indices": (1, datasets.indices),
    "journals": (5, datasets.journals),
    "codecs": (20, datasets.codecs),
    "manifests": (100, datasets.manifests),
    "datasets": (100, datasets.datasets),
    "images": (5, lambda folder: files.images()),
    "sound": (10, lambda folder: files.sound()),
    "arrays": (5, lambda folder: files.arrays()),
    "video": (50, lambda folder: files.video()),
    "tars": (10, sources.tars),
    "parquet": (10, sources.parquet),
    "lists": (10, sources.lists),
    "metadata": (10, sources.metadata),
}


def main() -> None:
    """Try, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="cases of the fastest target (default: 10,000)")
    parser.add_argument("--minutes", type=float, help="of each target, instead of a count")
    parser.add_argument("--targets", default=",".join(TARGETS), help="which (default: all)")
    parser.add_argument("--only", type=int, metavar="CASE", help="try one case, of one target")
    parser.add_argument("--seed", type=int, default=0, help="of what is tried (default: 0)")
    arguments = parser.parse_args()
    faults = 0
    for name in arguments.targets.split(","):
        first = 0 if arguments.only is None else arguments.only
        last = first + 1 if arguments.only is not None else max(1, arguments.count // TARGETS[name][0])
        until = float("inf")
        if arguments.minutes is not None and arguments.only is None:
            last, until = 1 << 62, time.monotonic() + 60 * arguments.minutes
        faults += watched(name, partial(cases, name, arguments.seed, first, last, until))
    raise SystemExit(bool(faults))


def cases(name: str, seed: int, first: int, last: int, until: float, state: mmap.mmap) -> None:
    """Try cases of a target, from a number on; raises what goes wrong. `state` always says which case runs."""
    outcomes, slowest = Counter[str](), 0.0
    with tempfile.TemporaryDirectory() as folder:
        attempt = TARGETS[name][1](Path(folder))
        attempt(np.random.default_rng([seed, 0]))  # what is loaded at first is no growth of a case
        resource.setrlimit(resource.RLIMIT_AS, (_in_use() + _MEMORY, resource.RLIM_INFINITY))
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number in range(first, last):
            started = time.monotonic()
            if started > until:
                break
            state[:] = _STATE.pack(number, started)
            outcomes[attempt(np.random.default_rng([seed, zlib.crc32(name.encode()), number]))] += 1
            slowest = max(slowest, time.monotonic() - started)
            now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            if now - most > _GROWTH:
                raise MemoryError(f"the case took {(now - most) / 1024:.0f} MB")
            most = max(most, now)
    for outcome, count in sorted(outcomes.items()):
        print(f"{count:8,}  {name}: {outcome}")
    print(f"{sum(outcomes.values()):8,}  {name}: in all, the slowest {slowest:.2f} s", flush=True)


def watched(name: str, run: Callable[[mmap.mmap], None]) -> bool:
    """Run cases in a process of their own. Gives whether one went wrong, which is told."""
    state = mmap.mmap(-1, _STATE.size)
    state[:] = _STATE.pack(-1, time.monotonic() + 60)
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        faulthandler.enable()
        try:
            run(state)
            os._exit(0)
        except BaseException:
            for line in traceback.format_exc().splitlines()[-_LINES:]:
                print(line[:_COLUMNS], file=sys.stderr)
            sys.stderr.flush()
            os._exit(1)
    why = ""
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        number, since = _STATE.unpack(state[:])
        if found:
            code = os.waitstatus_to_exitcode(status)
            why = f"ended by signal {-code}" if code < 0 else "went wrong" if code else ""
            break
        if time.monotonic() - since > _SECONDS and not why:
            why = f"took more than {_SECONDS:.0f} s"
            os.kill(pid, signal.SIGABRT)  # which tells where it is
        time.sleep(0.02)
    if why:
        print(f"case {number} of {name} {why}: --targets {name} --only {number}", flush=True)
    return bool(why)


def _in_use() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    main()
