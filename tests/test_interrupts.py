"""Ctrl-C and SIGTERM: one line and a status, in the first seconds, in the midst of it, and twice."""

import os
import re
import signal
import sys
import time
import types
from pathlib import Path

import pytest

from tests.test_shard import SMALL, children, many, start, wait_for_journal  # noqa: F401
from walloc_data.cli.interrupts import _imports

KEPT = ": finished shards are kept; run the same command again to go on"


def wait_until(process, condition):
    while process.poll() is None:
        if condition():
            return
        time.sleep(0.001)
    raise AssertionError(f"ended too early: {process.communicate()}")


def answers(process):
    """Whether a process has handlers for signals."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = int(re.search(r"SigCgt:\s*([0-9a-f]+)", status)[1], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def has_mapped(process, name):
    return name in Path(f"/proc/{process.pid}/maps").read_text()


@pytest.mark.parametrize(("number", "status", "line"), [(2, 130, "interrupted"), (15, 143, "terminated")])
@pytest.mark.parametrize("library", ["", "_multiarray_umath", "libtorch_python"])
def test_in_the_first_seconds(many, tmp_path, library, number, status, line):  # noqa: F811
    process = start(many, tmp_path / "out", *SMALL, "--workers", 1)
    wait_until(process, lambda: answers(process))
    wait_until(process, lambda: has_mapped(process, library))
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) in ((status, f"{line}\n"), (status, f"{line}{KEPT}\n"))


@pytest.mark.parametrize(("workers", "everyone"), [(1, True), (2, True), (2, False)])  # alone, everyone is one
@pytest.mark.parametrize(("number", "status", "line"), [(2, 130, "interrupted"), (15, 143, "terminated")])
def test_twice_in_the_midst_of_it(many, tmp_path, workers, number, status, line, everyone):  # noqa: F811
    out = tmp_path / "out"
    process = start(many, out, *SMALL, "--workers", workers)
    wait_for_journal(out, process)
    team = children(process.pid)
    assert len(team) == (workers if workers > 1 else 0)
    for _ in range(2):
        if process.poll() is None:
            os.killpg(process.pid, number) if everyone else process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (status, f"{line}{KEPT}\n")
    assert not list(out.glob(".*.tmp"))
    assert not any(Path(f"/proc/{worker}").exists() for worker in team)


def test_an_import_is_the_loading_of_a_module_and_not_its_mention(tmp_path, monkeypatch):
    """Pillow asks for a module of its own for each image: a signal then is answered as any other."""
    found = {}
    package = types.ModuleType("package_of_this_test")
    package.__path__ = [str(tmp_path)]

    def mentioned(name):
        found[name] = _imports(sys._getframe())
        return 1

    package.__getattr__ = mentioned
    package.seen = lambda: found.setdefault("loaded", _imports(sys._getframe()))
    monkeypatch.setitem(sys.modules, package.__name__, package)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "module_of_this_test.py").write_text("import package_of_this_test\npackage_of_this_test.seen()\n")
    exec("from package_of_this_test import something\nimport module_of_this_test", {})
    assert found["something"] is False
    assert found["loaded"] is True
