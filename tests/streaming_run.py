"""A training run for the tests, to be started as a process and killed: writes what it was given after every step.

`python -m tests.streaming_run DATASET LOG WORKERS BATCH [FILE_OF_THE_PROCESS_GROUP]`
"""

import json
import os
import sys
import time
from pathlib import Path

import torch.distributed

from walloc_data import StreamingLatentDataset

EPOCHS, SEED, PAUSE = 2, 3, 0.02


def main(dataset: str, log: str, workers: str, batch: str, group: str = "") -> None:
    if group:
        rank, world = (int(os.environ.pop(name)) for name in ("RANK", "WORLD_SIZE"))  # so torch.distributed says it
        torch.distributed.init_process_group("gloo", init_method=f"file://{group}", rank=rank, world_size=world)
    stream = StreamingLatentDataset(dataset, batch_size=int(batch), seed=SEED, columns=("label", "key"))
    path = Path(f"{log}.{stream.rank}")
    lines = path.read_text().splitlines() if path.exists() else []
    if lines:
        stream.load_state_dict(json.loads(lines[-1])["state"])
    loader = stream.loader(num_workers=int(workers))
    with path.open("a") as file:
        while stream.state_dict()["epoch"] < EPOCHS:
            for latents, labels, keys in loader:
                assert len(latents) == len(labels) == len(keys)
                if group:  # a step that all ranks take together, as training does
                    torch.distributed.all_reduce(torch.ones(1))
                file.write(json.dumps({"keys": keys, "state": loader.state_dict()}) + "\n")
                file.flush()
                time.sleep(PAUSE)
    if group:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
