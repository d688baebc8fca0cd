"""Accelerate, Lightning and Transformers' Trainer on two processes: every sample once, exact resume, clear refusals."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.frameworks.task import BATCH, EPOCHS
from walloc_data import StreamingLatentDataset

ROOT = Path(__file__).parents[1]
STEPS = 8  # an epoch


@pytest.fixture(scope="module")
def steps(dataset):
    """Keys by step of all epochs, as one process would have them in batches of both."""
    one = StreamingLatentDataset(dataset, batch_size=2 * BATCH, columns=("label", "key"), seed=3)
    return [list(batch[2]) for _ in range(EPOCHS) for batch in one]


def run(framework, dataset, folder, *phases):
    """Both processes of a script; what they were given by step in each phase."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-W", "ignore", "-m", f"tests.frameworks.with_{framework}", str(dataset), str(folder)]
    shared = os.environ | {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    ranks = [{"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"} for rank in "01"]
    processes = [
        subprocess.Popen([*command, *phases], cwd=ROOT, env=shared | rank, stderr=subprocess.PIPE, text=True)
        for rank in ([{}] if framework == "lightning" else ranks)  # it starts the other one itself
    ]
    for process in processes:
        said = process.communicate(timeout=600)[1]
        assert process.returncode == 0, said
    return [together(sorted(folder.glob(f"{phase}.[01]"))) for phase in phases]


def together(logs):
    ranks = [[json.loads(line) for line in log.read_text().splitlines()] for log in logs]
    return [[key for part in step for key in part] for step in zip(*ranks, strict=True)]


@pytest.mark.parametrize("framework", ["accelerate", "transformers"])
def test_every_sample_once_exact_resume_and_no_second_dealing(framework, dataset, tmp_path, steps):
    pytest.importorskip(framework)
    first, rest, by_hand = run(framework, dataset, tmp_path, "11", "resume", "hand")
    assert first == steps[:11]
    assert first + rest == steps
    assert by_hand == []
    refusal = (tmp_path / "refused-hand").read_text()
    assert refusal.startswith("Accelerate would deal the batches of each of 2 ranks once more")
    assert "iterate stream.loader(num_workers=4)" in refusal


def test_lightning(dataset, tmp_path, steps):
    """It leaves loaders made by hand as they are; of the stream's own, epochs that it breaks off are not repeated."""
    pytest.importorskip("lightning")
    first, rest, by_hand, limited = run("lightning", dataset, tmp_path, "11", "resume", "hand", "limit")
    assert first == steps[:11]
    assert first + rest == steps
    assert by_hand == steps
    assert limited == [step for epoch in range(EPOCHS) for step in steps[STEPS * epoch : STEPS * epoch + 3]]
