"""What the scripts share: the data, a model, and a log of the samples that each rank was given.

Each is called as DATASET FOLDER PHASE...: 11 ends after as many steps with a checkpoint, from which `resume` goes on;
`hand` trains on a loader made by hand; `limit` on three steps of each epoch. All in one process, for imports take long.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from walloc_data import StreamingLatentDataset
from walloc_data.errors import DatasetError

BATCH, EPOCHS = 4, 3


def stream(root: str, columns: Any = ("label", "key")) -> StreamingLatentDataset:
    return StreamingLatentDataset(root, batch_size=BATCH, columns=columns, seed=3)


class Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(12 * 8 * 8, 3)

    def forward(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        return {"loss": torch.nn.functional.cross_entropy(self.linear(x.float().flatten(1)), y)}


def note(log: str, rank: int, keys: list[str]) -> None:
    """A line of a rank's log: the keys of a batch."""
    with Path(f"{log}.{rank}").open("a") as file:
        file.write(json.dumps(keys) + "\n")


def run(phase_of: Callable[[str, str, str, str], None]) -> None:
    """Call it with dataset, log, folder and phase, for each phase; a refusal is a file beside the logs."""
    root, folder, *phases = sys.argv[1:]
    for phase in phases:
        try:
            phase_of(root, f"{folder}/{phase}", folder, phase)
        except DatasetError as error:
            Path(folder, f"refused-{phase}").write_text(str(error))
