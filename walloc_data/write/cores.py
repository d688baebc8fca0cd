"""How many cores this process may use."""

import os
from pathlib import Path

__all__ = ["usable_cores"]

_UNLIMITED = float("inf")


def usable_cores(root: Path = Path("/")) -> int:
    """Cores by the affinity of this process, and by the limits of its control groups (containers, SLURM, systemd).

    `root` is where `proc` and `sys` are.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min(cores, _quota(root))))


def _quota(root: Path) -> float:
    """The least limit of the control groups that this process is in, of either version, in cores."""
    limits = [_UNLIMITED]
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, controllers, path = (*line.split(":", 2), "", "")[:3]
        if number == "0":
            places, read = [root / "sys/fs/cgroup", root / "sys/fs/cgroup/unified"], _limit_2
        elif "cpu" in controllers.split(","):
            places, read = [root / "sys/fs/cgroup" / controllers, root / "sys/fs/cgroup/cpu"], _limit_1
        else:
            continue
        for place in places:
            group = place / path.lstrip("/")
            limits += [read(folder) for folder in (group, *group.parents) if folder.is_relative_to(place)]
    return min(limits)


def _limit_2(folder: Path) -> float:
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    return _ratio(quota, period)


def _limit_1(folder: Path) -> float:
    return _ratio(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us"))


def _ratio(quota: str, period: str) -> float:
    try:
        limit = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):  # "max", or nothing there
        return _UNLIMITED
    return limit if limit > 0 else _UNLIMITED


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""
