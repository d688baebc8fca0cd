"""A program that torchrun starts several times: trainings that the processes share, and failures that end all."""

import json
import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tests.train.test_training import READER, SMALL
from walloc_data.errors import TrainError
from walloc_data.train import TrainOptions, train_codec
from walloc_data.train.checkpoint import Checkpoint

OPTIONS = replace(SMALL, steps=10, batch=4, checkpoint_steps=5)


def main(photos: Path, root: Path) -> None:
    """Train `whole` in one go and `part` for a step, then fail in some ways; what came of it goes into a file a
    process."""
    rank, said = int(os.environ["RANK"]), []

    def trained(name: str, options: TrainOptions = OPTIONS, **others: Any) -> int:
        return train_codec(photos, root / f"{name}.safetensors", reader=READER, options=options, **others).steps

    def refused(name: str, options: TrainOptions = OPTIONS) -> None:
        try:
            trained(name, options)
        except TrainError as error:
            said.append(str(error))

    steps = [trained("whole"), trained("part", replace(OPTIONS, minutes=1e-9))]
    refused("uneven", replace(OPTIONS, batch=3))
    refused("differing", replace(OPTIONS, seed=rank))
    read, write = Checkpoint.read, Checkpoint.write

    def unreadable(*arguments: Any) -> None:
        raise TrainError("nothing can be read")

    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device", "disk")

    if rank == 1:
        Checkpoint.read = unreadable  # type: ignore[assignment,method-assign]
    refused("unread")
    Checkpoint.read, Checkpoint.write = read, full  # type: ignore[method-assign,assignment]
    refused("full")
    Checkpoint.write = write  # type: ignore[method-assign]
    (root / f"{rank}.json").write_text(json.dumps({"steps": steps, "said": said}))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
