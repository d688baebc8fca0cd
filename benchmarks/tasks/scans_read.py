"""What reading windows of receipts costs: cut from the scans each time, or from windows stored in some way."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.tasks.arms import ARMS, prepare
from benchmarks.tasks.scans import Window, cut, draw_windows, open_scan, read_receipts, split_receipts
from benchmarks.tasks.task import Task

__all__ = ["ScanSplit", "reading"]

_SCANS = 128  # windows cut from scans, which takes long
_STORED = ("all pixels, JPEG 95", "latents rgb-f8c12", "latents rgb-f8c48")


class ScanSplit(Dataset[tuple[Tensor, int]]):
    """Windows by number, the JPEG scan decoded whole for each: uint8 `[3, 128, 128]` and the digit."""

    def __init__(self, windows: list[Window]) -> None:
        self.windows = windows

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        window = self.windows[index]
        pixels = np.array(cut(open_scan(window.receipt), window))
        return torch.from_numpy(pixels).permute(2, 0, 1), int(window.digit.value)


def reading(task: Task, data: Path, work: Path) -> dict[str, Any]:
    """Windows of `val` a second that a `DataLoader` gives in this process, made ready for the network; `scans` are
    decoded whole and cut for each window. Seconds are of processor time, on one core.
    """
    torch.set_num_threads(1)
    found = {}
    for arm in ARMS:
        if arm.name in _STORED:
            stored = prepare(task, arm, work)
            found[arm.name] = _windows_a_second(stored.val, stored.to_input)
            if arm.codec is None:
                receipts = split_receipts(read_receipts(data))["val"]
                found["scans"] = _windows_a_second(ScanSplit(draw_windows(receipts, _SCANS, "val")), stored.to_input)
    return found


def _windows_a_second(windows: Any, to_input: Any) -> float:
    started = time.process_time()
    for x, _ in DataLoader(windows, batch_size=64):
        to_input(x, False)
    return len(windows) / (time.process_time() - started)
