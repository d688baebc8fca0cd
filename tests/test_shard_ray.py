"""The engine of clusters: what a Ray cluster of this machine writes is what one process writes, whatever is lost."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.photographs import made
from tests.test_shard import FLAGS, command, run
from walloc_data import ImageReader, Options, shard_dataset
from walloc_data.errors import DatasetError, SampleError
from walloc_data.write import ray_node
from walloc_data.write.engine import engine_of
from walloc_data.write.ray import RayEngine

HAS_RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed")


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two nodes with a core each, both on this machine, to which this process is connected."""
    if not HAS_RAY:
        pytest.skip("Ray is not installed")
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray
        from ray.cluster_utils import Cluster

        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        made.add_node(num_cpus=1)
        ray.init(made.address, log_to_driver=False, logging_level="error")
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture
def engine(cluster):
    return engine_of("ray", None, cluster.address)


def shard(photos, out, codec, **options):
    return shard_dataset(
        photos,
        out,
        codec=codec,
        reader=ImageReader(size=64),
        options=Options(block=8, shard_samples=16),
        engine="ray",
        **options,
    )


def test_the_bytes_are_those_of_one_process(cluster, photos, codec, dataset, tmp_path):
    assert shard(photos, tmp_path / "out", codec, address=cluster.address).written == 72
    assert made(tmp_path / "out") == made(dataset)
    assert shard(photos, tmp_path / "out", codec, address=cluster.address).written == 0


def double(folder, task, tick):
    tick(2)
    if task == "die" or (task == "die once" and not (folder / "died").exists()):
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if isinstance(task, Exception):
        raise task
    return task * 2


def test_every_task_is_done_once_and_counted_also_by_those_that_stand_in(engine, tmp_path):
    ticks = []
    tasks = [*range(9), "die once"]
    found = list(engine.run(partial(double, tmp_path), tasks, ticks.append))
    assert sorted(map(str, found)) == sorted(str((task, task * 2)) for task in tasks)
    assert sum(ticks) == 20


@pytest.mark.parametrize(
    ("task", "kind", "message"),
    [
        (SampleError("a.jpg: no picture"), SampleError, "^a.jpg: no picture$"),
        (OSError(28, "No space left on device", "/disk/a.tar"), DatasetError, "^node .+: /disk/a.tar: No space left"),
        (ArithmeticError("odd"), ArithmeticError, "odd\non node .*\nTraceback"),
        ("die", DatasetError, "a task was lost 2 times, with its process or its node"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_task_raises_is_raised_and_others_are_kept(engine, tmp_path, monkeypatch, task, kind, message):
    monkeypatch.setattr("walloc_data.write.ray._TRIES", 2)
    done = []
    with pytest.raises(kind, match=message):
        done.extend(engine.run(partial(double, tmp_path), [1, task], lambda _: None))
    assert done == [(1, 2)]


@pytest.mark.parametrize(("package", "version"), [("walloc-data", "0.0.9 (01234567)"), ("pillow", "0.0.9 (any)")])
def test_a_node_with_another_version_is_refused(engine, tmp_path, monkeypatch, package, version):
    other = {**ray_node.installed(), package: version}
    monkeypatch.setattr("walloc_data.write.ray.installed", lambda: other)
    with pytest.raises(DatasetError, match=rf"^node .+ has {package} .+ and this machine {package} 0\.0\.9 .+ install"):
        list(engine.run(partial(double, tmp_path), [1, 2], lambda _: None))


def test_a_folder_on_another_machine_alone_is_refused(cluster, photos, codec, tmp_path, monkeypatch):
    monkeypatch.setattr("walloc_data.write.output.LocalOutput.__getstate__", elsewhere)
    with pytest.raises(DatasetError, match="is not the folder of that name that this run writes in"):
        shard(photos, tmp_path / "out", codec, address=cluster.address)


def elsewhere(output):
    return {**output.__dict__, "folder": Path(output.folder, "other")}


@needs_ray
def test_who_does_not_answer_is_named_at_once(photos, codec, tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(DatasetError, match=f"^the Ray cluster at {address} cannot be reached .*: check --address"):
            shard(photos, tmp_path / "out", codec, address=address)
        free.listen()
        monkeypatch.setattr("walloc_data.write.ray._CONNECT", 0.2)
        with pytest.raises(DatasetError, match=f"^the Ray cluster at {address} cannot be reached .timed out"):
            shard(photos, tmp_path / "out", codec, address=address)
    assert not (tmp_path / "out").exists()


def test_without_ray_the_extra_is_named(photos, codec, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DatasetError, match=r"^engine 'ray' needs Ray \(.*\): pip install 'walloc-data\[ray\]'"):
        shard(photos, tmp_path / "out", codec)
    for options, message in (
        ({"engine": "spark"}, "engine='spark' is not 'local' or 'ray'"),
        ({"address": "here:1"}, "ask for engine='ray'"),
    ):
        with pytest.raises(DatasetError, match=message):
            shard_dataset(photos, tmp_path / "out", codec=codec, **options)


def test_nothing_to_do_starts_no_cluster():
    assert list(RayEngine(None, None).run(double, [], lambda _: None)) == []


@needs_ray
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_one_line_and_the_same_command_goes_on(cluster, photos, dataset, codec, tmp_path, number):
    line = command(photos, tmp_path / "out", *FLAGS, "--engine", "ray", "--address", cluster.address)
    process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not any((tmp_path / "out").glob("*.tar")):
        pass
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    word = "interrupted" if number == signal.SIGINT else "terminated"
    if process.returncode:  # else it was too fast
        assert (process.returncode, errors.splitlines()[-1][: len(word)]) == (128 + number, word)
        assert "Traceback" not in errors
    run(photos, tmp_path / "out", codec)
    assert made(tmp_path / "out") == made(dataset)
