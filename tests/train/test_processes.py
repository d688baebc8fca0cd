"""Several processes that train one codec: the losses of one process, one checkpoint, and one end for all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.train.shared_run import OPTIONS
from tests.train.test_training import READER, losses
from walloc_data import load_codec
from walloc_data.errors import TrainError
from walloc_data.train import train_codec
from walloc_data.train.batches import Batches
from walloc_data.train.processes import Processes
from walloc_data.train.samples import Samples

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def shared(photos, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("shared")
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "tests.train.shared_run"]
    done = subprocess.run(
        [sys.executable, "-B", "-m", *launcher, str(photos), str(root)],
        check=False,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return root


def test_losses_are_those_of_one_process(shared, photos, tmp_path):
    alone = train_codec(photos, tmp_path / "whole.safetensors", reader=READER, options=OPTIONS)
    found, expected = losses(shared / "whole.safetensors"), losses(tmp_path / "whole.safetensors")
    assert [line.keys() for line in found] == [line.keys() for line in expected]
    for ours, theirs in zip(found, expected, strict=True):
        for name, value in theirs.items():
            assert ours[name] == (pytest.approx(value, rel=1e-3) if isinstance(value, float) else value)
    assert load_codec(shared / "whole.safetensors").steps == pytest.approx(alone.codec.steps, rel=1e-3)


def test_one_process_goes_on_where_two_were(shared, photos):
    out = shared / "part.safetensors"
    assert out.exists()
    resumed = train_codec(photos, out, reader=READER, options=OPTIONS)
    assert resumed.complete
    [found], [expected] = (
        [line["loss"] for line in losses(shared / name) if line["step"] == 10 and "loss" in line]
        for name in ("part.safetensors", "whole.safetensors")
    )
    assert found == pytest.approx(expected, rel=1e-3)


def test_all_processes_end_alike(shared):
    first, second = (json.loads((shared / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first["steps"] == second["steps"] == [10, 1]
    uneven, differing, unread, full = zip(first["said"], second["said"], strict=True)
    assert uneven == ("batch=3 cannot be shared evenly by 2 processes: take a multiple of it",) * 2
    assert differing[0] == differing[1]
    assert differing[0].startswith("process 1 of 2 trains otherwise than the first (seed 1, not 0): give")
    assert unread == ("process 1 of 2 failed, so this one ends too: nothing can be read", "nothing can be read")
    assert full[0].startswith("cannot write disk: No space left on device. The last checkpoint is kept")
    assert full[1] == "process 0 of 2 failed, so this one ends too: [Errno 28] No space left on device: 'disk'"


def test_shares_are_those_of_the_whole_batch():
    codec = load_codec("rgb-f8c12")
    draw = torch.Generator().manual_seed(0)
    grids = [(9, 8), (7, 11), (8, 8), (12, 7)]
    rows = torch.randn(sum(a * b for a, b in grids), codec.config.packet_channels, generator=draw).half()
    samples = Samples(rows, grids, [], (6, 5))
    parts = [Batches(samples, codec, batch=6, seed=3, share=slice(i, i + 2)) for i in (0, 2, 4)]
    whole = Batches(samples, codec, batch=6, seed=3)
    for step in (0, 7):
        packets = whole(step)
        assert torch.equal(packets, torch.cat([part(step) for part in parts]))
        assert torch.equal(whole.times(step, 2.0), torch.cat([part.times(step, 2.0) for part in parts]))
        noise = whole.noise(step, packets)
        assert torch.equal(noise, torch.cat([part.noise(step, packets[:2]) for part in parts]))
        assert torch.equal(noise[:1], parts[0].noise(step, packets[:1]))


def test_processes_that_cannot_meet_are_told_so(photos, tmp_path, monkeypatch):
    for name in ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(TrainError, match="only one of RANK and WORLD_SIZE"):
        train_codec(photos, tmp_path / "some.safetensors", options=OPTIONS)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainError, match=r"process 0 of 2 cannot meet the others .*: start them by torchrun"):
        train_codec(photos, tmp_path / "some.safetensors", options=OPTIONS)


def test_a_process_without_a_gpu_of_its_own_is_told_so(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name, value in (("RANK", "1"), ("WORLD_SIZE", "3"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    processes = Processes()
    assert (processes.rank, processes.world, processes.first) == (1, 3, False)
    assert processes.device("auto") == torch.device("cuda", 1)
    assert processes.device("cpu") == torch.device("cpu")
    assert processes.share(6) == slice(2, 4)
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(TrainError, match=r"process 2 of this machine has no GPU of its own \(2 are there"):
        processes.device("auto")


def test_alone_nothing_is_sent():
    processes = Processes()
    assert (processes.rank, processes.world, processes.share(5)) == (0, 1, slice(0, 5))
    assert processes.decided(2.5) == processes.mean(2.5) == 2.5
    with pytest.raises(KeyError), processes.alike():
        raise KeyError("mine")
