"""Kill tasks of a Ray cluster, and lose a node: `python -m tools.disturb_nodes [--kills 10] [--samples 2000]`.

Needs `pip install 'walloc-data[ray]'`. A folder of small pictures is sharded by one process. Then a cluster of two
nodes of this machine does the same, again and again: processes that have a task are killed at random moments, a few a
run, until so many have been; at last one of the nodes is lost in the middle of a run. Each run has to end well, with
the bytes of the first in every file, and no file besides. Ends with exit status 1 where one did not.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.nodes import NODES, TASK, cluster_on, processes
from tools.disturb_runs import make
from walloc_data.cli import main_shard

_A_RUN = 3  # kills
_PAUSE = 1.0  # seconds before a task that is seen is killed, at most


def main() -> None:
    """Disturb, compare, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10, help="(default: 10)")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--shard-samples", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng, cores = random.Random(arguments.seed), sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = make(folder / "pictures", arguments.samples)
        flags = ["--read", "size=32", "--block", "8", "--shard-samples", str(arguments.shard_samples), "--quiet"]
        if status := main_shard([str(source), str(folder / "whole"), *flags, "--workers", "1"]):
            raise SystemExit(status)
        whole, kills, faults, number = _contents(folder / "whole"), 0, 0, 0
        with cluster_on([cores[node % len(cores)] for node in range(NODES)]) as cluster:
            command = [sys.executable, "-m", "walloc_data", "shard", str(source)]
            given = [*flags, "--engine", "ray", "--address", str(cluster.address)]

            def run(disturb: Callable[[Path, "subprocess.Popen[str]"], Any]) -> None:
                nonlocal faults, number
                out, number = folder / f"out{number}", number + 1
                with subprocess.Popen([*command, str(out), *given], stderr=subprocess.PIPE, text=True) as process:
                    what = disturb(out, process)
                    said = process.communicate()[1]
                found = _contents(out)
                differing = sorted(each for each in whole.keys() | found.keys() if whole.get(each) != found.get(each))
                wrong = process.returncode or differing
                faults += bool(wrong)
                outcome = f"status {process.returncode}, {differing}: {said}" if wrong else "the same bytes"
                print(f"run {number}, {what}: {outcome}", flush=True)

            def kill(out: Path, process: "subprocess.Popen[str]") -> str:
                nonlocal kills
                done = 0
                while process.poll() is None and done < min(_A_RUN, arguments.kills - kills):
                    time.sleep(rng.uniform(0, _PAUSE))
                    at_work = [pid for pid, (name, _) in processes().items() if name.startswith(TASK)]
                    if at_work and out.exists():
                        with suppress(ProcessLookupError):
                            os.kill(rng.choice(at_work), signal.SIGKILL)
                            done += 1
                kills += done
                return f"{done} tasks killed"

            def lose(out: Path, process: "subprocess.Popen[str]") -> str:
                while process.poll() is None and len(list(out.glob("*.tar"))) < len(whole) // 8:
                    time.sleep(0.01)
                cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
                return f"a node lost when {len(list(out.glob('*.tar')))} shards were there"

            while kills < arguments.kills:
                run(kill)
            run(lose)
    print(f"{kills} kills and a node lost in {number} runs, {faults} of them wrong")
    raise SystemExit(bool(faults))


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


if __name__ == "__main__":
    main()
