"""Runs of `walloc-shard`, forked off a process that has imported and compiled all they need."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from walloc_data.cli import main_shard

__all__ = ["Runs", "end_of", "workers_of"]

_OPERATIONS = frozenset(("open", "os.mkdir", "os.remove", "os.rename", "os.scandir", "os.truncate"))
_PATIENCE = 600.0  # seconds for a run to end
_DAYS = 86400 * 400


@dataclass(frozen=True)
class Runs:
    """Runs of one command, whose operations on files of `out` take `slow` seconds more each, and whose `clock` jumps.

    What they say goes to `said`.
    """

    folder: Path
    source: Path
    flags: tuple[str, ...]
    slow: float
    clock: bool
    seed: int

    @property
    def out(self) -> Path:
        """The folder of the dataset."""
        return self.folder / "out"

    @property
    def said(self) -> Path:
        """What the last one said."""
        return self.folder / "said"

    @property
    def lock(self) -> Path:
        """Is there while one writes."""
        return self.out / ".walloc-lock"

    def start(self, step: Callable[[int], None] = lambda number: None, said: Path | None = None) -> int:
        """Start one, and give the number of its process. It calls `step` with the number of each operation on files of
        `out`, from 1, before it."""
        pid = os.fork()
        if pid == 0:
            os.setsid()
            file = os.open(said or self.said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(file, 1)
            os.dup2(file, 2)
            if self.clock:
                real, rng = time.time, random.Random(self.seed)
                time.time = lambda: real() + rng.uniform(-_DAYS, _DAYS)
            sys.addaudithook(_hook(self.out, step, self.slow))
            os._exit(main_shard([str(self.source), str(self.out), *self.flags]))
        return pid

    def second(self) -> tuple[int, str]:
        """Run another meanwhile: its exit status, and what it says."""
        said = self.folder / "second"
        return end_of(self.start(said=said)), said.read_text()

    def names(self) -> list[str]:
        """Names of the files."""
        return os.listdir(self.out) if self.out.exists() else []

    def finished(self) -> int:
        """How many shards are whole."""
        return sum(name.endswith(".tar") for name in self.names())

    def contents(self) -> dict[str, bytes]:
        """The bytes of every file."""
        return {name: (self.out / name).read_bytes() for name in self.names()}

    def clear(self) -> None:
        """Take away what was made."""
        for name in self.names():
            with suppress(FileNotFoundError):  # by a worker whose parent was killed, as it ends
                (self.out / name).unlink()

    def count_steps(self) -> int:
        """The operations on files of an undisturbed run into an empty folder."""
        self.clear()
        tally = self.folder / "steps"

        def note(number: int) -> None:
            tally.write_text(str(number))

        end_of(self.start(note))
        return int(tally.read_text())

    def kill_at_step(self, step: int) -> None:
        """Run it in an empty folder, and kill it before its operation of this number, from 1."""
        self.clear()

        def kill(number: int) -> None:
            if number == step:
                os.kill(os.getpid(), signal.SIGKILL)

        end_of(self.start(kill))

    def has_ended(self, pid: int) -> bool:
        """Whether one has; then it is gone."""
        return os.waitpid(pid, os.WNOHANG)[0] == pid

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to a process that may have ended."""
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _hook(out: Path, step: Callable[[int], None], slow: float) -> Callable[[str, tuple[Any, ...]], None]:
    count, inside, root = 0, False, os.fspath(out)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count, inside
        if event not in _OPERATIONS or inside or not isinstance(arguments[0], str | os.PathLike):
            return
        if os.fspath(arguments[0]).startswith(root):
            count, inside = count + 1, True  # what `step` does is no step
            step(count)
            inside = False
            time.sleep(slow)

    return hook


def end_of(pid: int) -> int:
    """Wait for the end of a process, and give its exit status, negative for a signal."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.killpg(pid, signal.SIGKILL)
    raise SystemExit(f"a run had not ended after {_PATIENCE:.0f} s")


def workers_of(pid: int) -> list[int]:
    """Worker processes of a process, not the tracker that Python starts beside them."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
                line = (entry / "cmdline").read_bytes()
            except OSError:  # it has ended
                continue
            if parent == str(pid) and b"spawn_main" in line:
                found.append(int(entry.name))
    return found
