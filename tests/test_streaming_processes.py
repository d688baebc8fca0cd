"""Streams in real processes: ranks over torch.distributed (gloo), and runs that are killed and started again."""

import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import torch.distributed
import torch.multiprocessing
from torch.utils.data import DataLoader

from tests import streaming_run
from walloc_data import StreamingLatentDataset
from walloc_data.errors import DatasetError

ROOT = Path(__file__).parents[1]
GLOBAL_BATCH = 8


@pytest.fixture(scope="module")
def steps(dataset):
    """Keys by step of both epochs."""
    stream = StreamingLatentDataset(dataset, batch_size=GLOBAL_BATCH, seed=streaming_run.SEED, columns=["key"])
    return [list(batch[1]) for _ in range(streaming_run.EPOCHS) for batch in stream]


def start(dataset, log, *, world, workers, group):
    """Every rank of a run."""
    ranks = []
    for rank in range(world):
        environment = os.environ | {"RANK": str(rank), "WORLD_SIZE": str(world), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-W", "ignore", "-m", "tests.streaming_run", str(dataset), str(log), str(workers)]
        ranks.append(
            subprocess.Popen(
                [*command, str(GLOBAL_BATCH // world), str(group)], cwd=ROOT, env=environment, stderr=subprocess.PIPE
            )
        )
    return ranks


def finish(ranks):
    for rank in ranks:
        errors = rank.communicate(timeout=120)[1]
        assert rank.returncode == 0, errors.decode()


def read(log, rank):
    return [json.loads(line)["keys"] for line in Path(f"{log}.{rank}").read_text().splitlines()]


@pytest.mark.parametrize(("world", "workers"), [(2, 1), (2, 2), (4, 2)])
def test_ranks_over_gloo_make_the_same_list(dataset, tmp_path, steps, world, workers):
    finish(start(dataset, tmp_path / "log", world=world, workers=workers, group=tmp_path / "group"))
    ranks = [read(tmp_path / "log", rank) for rank in range(world)]
    assert {len(rank) for rank in ranks} == {len(steps)}
    assert [[key for part in step for key in part] for step in zip(*ranks, strict=True)] == steps


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_killed_twice_and_started_again(dataset, tmp_path, steps, workers):
    log = tmp_path / "log"
    for least in (3, 10):
        [process] = start(dataset, log, world=1, workers=workers, group="")
        while not Path(f"{log}.0").exists() or len(read(log, 0)) < least:
            assert process.poll() is None, process.communicate()[1].decode()
            time.sleep(0.01)
        process.kill()
        process.wait()  # its workers notice within seconds, and end
        process.stderr.close()
        whole = Path(f"{log}.0").read_text().rpartition("\n")[0] + "\n"  # a kill may cut a line short
        Path(f"{log}.0").write_text(whole)
        assert least <= len(read(log, 0)) < len(steps)
    finish(start(dataset, log, world=1, workers=workers, group=""))
    assert read(log, 0) == steps


def test_a_script_without_a_guard_is_told_so(dataset, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from walloc_data import StreamingLatentDataset\n"
        f"stream = StreamingLatentDataset({str(dataset)!r}, batch_size=7)\n"
        "for x, y in stream.loader(num_workers=1, multiprocessing_context='spawn'):\n"
        "    pass\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode
    assert done.stderr.splitlines()[-1].startswith("walloc_data.errors.DatasetError: a worker ended as it began")
    assert '`if __name__ == "__main__":`' in done.stderr
    assert "An attempt has been made" not in done.stderr  # the child's own traceback


def _rank(rank, group, before, root, results):
    """A rank that got its stream from the process that spawned it, and another that differs from rank to rank."""
    warnings.simplefilter("ignore")
    torch.distributed.init_process_group("gloo", init_method=f"file://{group}", rank=rank, world_size=2)
    by_hand = DataLoader(before, batch_size=None, num_workers=1, persistent_workers=True)
    given = []
    for epoch in range(streaming_run.EPOCHS):
        before.set_epoch(epoch)
        given += [list(batch[1]) for batch in by_hand]
    other = StreamingLatentDataset(root, batch_size=GLOBAL_BATCH, seed=rank)
    try:
        next(iter(other))
        refused = ""
    except DatasetError as error:
        refused = str(error)
    results.put((rank, given, refused))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def test_a_stream_made_before_the_ranks_are_and_ranks_that_differ(dataset, tmp_path, steps):
    stream = StreamingLatentDataset(dataset, batch_size=GLOBAL_BATCH // 2, seed=streaming_run.SEED, columns=["key"])
    assert (stream.rank, stream.world_size) == (0, 1)
    context = torch.multiprocessing.get_context("spawn")
    results = context.Queue()
    arguments = (tmp_path / "group", stream, dataset, results)
    ranks = [context.Process(target=_rank, args=(rank, *arguments)) for rank in (0, 1)]
    for rank in ranks:
        rank.start()
    (_, first, one), (_, second, other) = sorted(results.get(timeout=240) for _ in ranks)
    for rank in ranks:
        rank.join()
    assert [left + right for left, right in zip(first, second, strict=True)] == steps
    assert sorted([one == "", other == ""]) == [False, True]  # the later of the two
    assert "is to read otherwise than another rank (seed" in one + other
