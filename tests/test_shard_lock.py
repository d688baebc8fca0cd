"""One run at a time owns the folder that it writes in."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from tests.photographs import made
from tests.test_shard import JOURNAL, run
from walloc_data.errors import DatasetError
from walloc_data.write.lock import LOCK_FILE, owned

HOLD = """
import sys, time
from pathlib import Path
from walloc_data.write.lock import owned
with owned(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(600)
"""


def holder(out):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(out)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "locked\n"
    process.stdout.close()
    return process


def test_a_second_run_is_refused_until_the_first_is_gone_however_it_goes(photos, codec, tmp_path):
    out = tmp_path / "out"
    process = holder(out)
    half = out / ".train-00000.tar.99.tmp"
    half.write_bytes(b"being written")
    message = rf"{out} is being written by another run \(process {process.pid} on .+\): wait until it has ended"
    try:
        for options in ({}, {"seed": 1}):
            with pytest.raises(DatasetError, match=message):
                run(photos, out, codec, **options)
        assert half.read_bytes() == b"being written"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (out / LOCK_FILE).exists()
    assert run(photos, out, codec).samples == 72
    assert not half.exists()
    assert not (out / LOCK_FILE).exists()


def test_a_complete_dataset_is_not_looked_at_while_it_is_made_again(dataset, photos, codec, copy):
    process = holder(copy)
    try:
        with pytest.raises(DatasetError, match="being written by another run"):
            run(photos, copy, codec)
    finally:
        process.kill()
        process.wait()
    assert run(photos, copy, codec).written == 0
    assert made(copy) == made(dataset)


def test_threads_of_one_process_exclude_one_another(tmp_path):
    inside, failures = [], []

    def enter():
        for _ in range(30):
            try:
                with owned(tmp_path / "out"):
                    inside.append(1)
                    assert len(inside) == 1
                    inside.pop()
            except DatasetError:
                pass
            except BaseException as error:
                failures.append(error)

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    message = f"process {os.getpid()} on"
    with owned(tmp_path / "out"), pytest.raises(DatasetError, match=message), owned(tmp_path / "out"):
        pass


def test_an_unnamed_holder_is_still_one(tmp_path):
    with owned(tmp_path / "out"):
        (tmp_path / "out" / LOCK_FILE).write_bytes(b"")
        with pytest.raises(DatasetError, match="by another run: wait"), owned(tmp_path / "out"):
            pass


def test_the_lock_names_process_and_host(tmp_path):
    with owned(tmp_path):
        assert json.loads((tmp_path / LOCK_FILE).read_text())["process"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_that_nobody_may_write_in_is_still_known_as_complete(photos, codec, copy, monkeypatch):
    real = os.open

    def refusing(path, flags, *rest, **options):
        if flags & os.O_CREAT and str(path).endswith(LOCK_FILE):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", refusing)
    assert run(photos, copy, codec).written == 0
    assert (copy / JOURNAL).exists()
