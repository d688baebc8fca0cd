"""Which rank a process is: what launchers say, when they say it, and where ranks do not agree."""

import logging
import pickle

import pytest
import torch.distributed

from tests.test_streaming import keys, stream
from walloc_data.errors import DatasetError
from walloc_data.read.ranks import Ranks

LAUNCHERS = [
    {"RANK": "1", "WORLD_SIZE": "2"},
    {"WORLD_SIZE": "2", "LOCAL_RANK": "1", "NODE_RANK": "0"},  # Lightning, in its children
    {"WORLD_SIZE": "2", "LOCAL_RANK": "1"},
    {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"},
    {"PMI_RANK": "1", "PMI_SIZE": "2"},
    {"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2", "SLURM_NTASKS": "2"},
    {"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2", "WORLD_SIZE": "2"},  # a script for srun that sets a half
    {"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2", "RANK": "1"},
    {"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2", "PMI_RANK": "0", "PMI_SIZE": "1"},  # an MPI that was not asked
    {"RANK": "1", "WORLD_SIZE": "2", "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"},  # torchrun under srun
]
ALONE = [
    {},
    {"WORLD_SIZE": "1"},
    {"WORLD_SIZE": "1", "LOCAL_RANK": "0"},
    {"RANK": "", "WORLD_SIZE": ""},
    {"SLURM_NTASKS": "4", "SLURM_PROCID": "0"},  # a batch script, and no srun
]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for environment in LAUNCHERS:
        for name in environment:
            monkeypatch.delenv(name, raising=False)


def test_launchers(monkeypatch):
    for environments, expected in ((LAUNCHERS, (1, 2)), (ALONE, (0, 1))):
        for environment in environments:
            with monkeypatch.context() as patch:
                for name, value in environment.items():
                    patch.setenv(name, value)
                assert Ranks(None, None).now() == expected, environment


@pytest.mark.parametrize(
    ("environment", "lacking"),
    [
        ({"WORLD_SIZE": "2"}, "RANK"),
        ({"RANK": "0"}, "WORLD_SIZE"),
        ({"WORLD_SIZE": "4", "LOCAL_RANK": "1", "NODE_RANK": "1"}, "RANK"),
    ],
)
def test_half_of_an_environment_is_refused_when_iteration_starts(dataset, monkeypatch, environment, lacking):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    one = stream(dataset)
    for use in (lambda: next(iter(one)), lambda: next(iter(one.loader())), lambda: len(one), lambda: one.rank):
        with pytest.raises(DatasetError, match=rf"no {lacking}, so which rank .* is unknown: iterate after"):
            use()
    assert "is unknown" in repr(one)
    one.load_state_dict(stream(dataset, rank=0, world_size=1).state_dict())
    one.set_epoch(3)  # neither needs the rank
    assert len(stream(dataset, rank=0, world_size=2)) == 5


def test_what_is_no_rank(monkeypatch, dataset):
    for environment in ({"RANK": "x", "WORLD_SIZE": "2"}, {"RANK": "2", "WORLD_SIZE": "2"}):
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            with pytest.raises(DatasetError, match=r"RANK|rank 2 is not one of 2"):
                stream(dataset)


def test_a_stream_made_before_the_process_group_follows_it(dataset, tmp_path, monkeypatch):
    one = stream(dataset)
    before = pickle.dumps(one)
    assert (one.rank, one.world_size, len(one)) == (0, 1, 9)
    state = one.state_dict()
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    try:
        monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
        monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
        half = keys(stream(dataset, rank=1, world_size=2))
        for late in (one, pickle.loads(before)):
            late.load_state_dict(state)
            assert (late.rank, late.world_size, len(late)) == (1, 2, 5)
            assert keys(late) == half
    finally:
        torch.distributed.destroy_process_group()


def test_ranks_that_read_otherwise_are_refused(dataset, samples_dataset, tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    try:
        first, same, other, more = (
            stream(dataset),
            stream(dataset),
            stream(samples_dataset),
            stream(dataset, batch_size=6),
        )
        for rank in (first, same, other, more):
            rank._steps.ranks._number = 10**6  # as if each were the first stream of another process
            rank._steps.commits = ["a" * 40 if rank is first else "b" * 40]
        next(iter(first))
        next(iter(same))  # of another commit, with the same data
        with pytest.raises(DatasetError, match=r"otherwise than another rank \(dataset.*; commits \['b.*, not \['a"):
            next(iter(other))
        with pytest.raises(DatasetError, match=r"batch 6, not 7"):
            next(iter(more))
        more.set_epoch(1)
        next(iter(more))  # an epoch that no other rank has begun
    finally:
        torch.distributed.destroy_process_group()


def test_a_rank_from_another_launcher_is_spoken_of_once(dataset, monkeypatch, caplog):
    monkeypatch.setenv("SLURM_PROCID", "3")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "5")
    with caplog.at_level(logging.WARNING, "walloc_data"):
        assert len(stream(dataset)) == len(stream(dataset)) == 2
    assert caplog.text.count("rank 3 of 5, as SLURM_PROCID and SLURM_STEP_NUM_TASKS say") == 1
