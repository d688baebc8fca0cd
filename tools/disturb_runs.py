"""Disturb runs of `walloc-shard`, and run them again: `python -m tools.disturb_runs [--count 50] [--samples 5000]`.

A folder of small pictures is sharded without disturbance. Then runs of the same are disturbed at random moments, each
time in one of the ways of `--how`: `kill` (SIGKILL to the process), `worker` (to one of its workers), `interrupt`
(SIGINT), `terminate` (SIGTERM), `second` (another run of the same command meanwhile). With `--steps N`, runs are killed
before their first operation on files, their second, and so on, at N of all. `--slow` makes each operation on files take
so long, and `--clock` lets the clock jump by days, to and fro.

What was disturbed has to say one line, with its status, or none at all where it was killed; run again it has to end
well, with the bytes of the undisturbed run in every file, and no file besides. Ends with exit status 1 where it did
not, and prints counts.
"""

import argparse
import math
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.photographs import CLASSES, window
from tools.forked_runs import Runs, end_of, workers_of
from walloc_data.cli import main_shard

__all__ = ["disturb", "judge"]

_SIGNALS = {"kill": signal.SIGKILL, "worker": signal.SIGKILL, "interrupt": signal.SIGINT, "terminate": signal.SIGTERM}
_KEPT = "inished shards are kept"
_SAID = {  # exit statuses, and how the line begins
    "kill": (-9, ""),
    "worker": (1, "error: a worker process died"),
    "interrupt": (130, "interrupted"),
    "terminate": (143, "terminated"),
}
_SECOND = "is being written by another run"


def disturb(runs: Runs, how: str, shards: float, seconds: float, rng: np.random.Generator) -> str | None:
    """Run it in an empty folder, disturbed when it has finished so many shards and, for what is no whole one, so much
    of `seconds` later. Gives what is wrong with its end, empty where nothing is; None where it ended before."""
    runs.clear()
    pid, until = runs.start(), math.inf
    while time.monotonic() < until:
        if until == math.inf and runs.lock.exists() and runs.finished() >= int(shards):
            until = time.monotonic() + seconds * (shards % 1)
        time.sleep(0.001)
        if runs.has_ended(pid):
            return None
    if how == "second":
        status, said = runs.second()
        first = end_of(pid)
        refused = status == 1 and _SECOND in said and said.count("\n") == 1
        return "" if first == 0 and (refused or status == 0) else f"status {first}, and of the second {status}: {said}"
    team = workers_of(pid) if how == "worker" else [pid]
    if not team:
        end_of(pid)
        return None
    runs.signal(int(rng.choice(team)), _SIGNALS[how])
    status, (wanted, line) = end_of(pid), _SAID[how]
    said = runs.said.read_text()
    if status == 0:
        return None
    told = said == f"{line}\n" or _KEPT in said  # the first where it was importing
    right = status == wanted and said.startswith(line) and said.count("\n") == bool(line) and (not line or told)
    left = [] if how == "kill" else [path.name for path in runs.out.glob(".*.tmp")]
    return "" if right and not left else f"status {status}, files {left}: {said}"


def judge(runs: Runs, whole: dict[str, bytes]) -> tuple[str, str]:
    """Run it again. Gives how far it had come before, and what is wrong now, empty where nothing is."""
    before, of = runs.finished(), sum(name.endswith(".tar") for name in whole)
    status = end_of(runs.start())
    found = runs.contents()
    differing = sorted(name for name in whole.keys() | found.keys() if whole.get(name) != found.get(name))
    wrong = f"exit status {status}: {runs.said.read_text()}" if status else ""
    wrong += f"other bytes in {', '.join(differing)}" if differing else ""
    return "no shard" if not before else "all shards" if before == of else "some shards", wrong


def main() -> None:
    """Disturb, run again, compare, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50, help="disturbances at random moments")
    parser.add_argument("--how", default="kill,worker", help="ways of them, one after another (default: kill,worker)")
    parser.add_argument("--steps", type=int, default=0, metavar="N", help="kills at N of all operations on files")
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--shard-samples", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--slow", type=float, default=0, metavar="SECONDS", help="of each operation on files")
    parser.add_argument("--clock", action="store_true", help="let the clock jump")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng, begun = np.random.default_rng(arguments.seed), time.monotonic()
    outcomes, faults = Counter[str](), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = make(folder / "pictures", arguments.samples)
        flags = ["--read", "size=32", "--block", "8", "--shard-samples", str(arguments.shard_samples), "--quiet"]

        def runs(workers: int) -> Runs:
            given = (*flags, "--workers", str(workers))
            return Runs(folder, source, given, arguments.slow, arguments.clock, arguments.seed)

        alone, several = runs(1), runs(arguments.workers)
        if status := main_shard(
            [str(source), str(several.out), *flags]
        ):  # here, so that what it compiles is had by all
            raise SystemExit(status)
        whole = several.contents()
        several.clear()  # which takes its time once more, as it is disturbed
        duration = -time.monotonic()
        end_of(several.start())
        duration += time.monotonic()

        def count(which: str, what: str, wrong: str) -> None:
            nonlocal faults
            come, again = judge(several, whole)
            outcomes[f"{what}, {come} finished: " + ("wrong" if wrong + again else "the same bytes")] += 1
            if outcomes.total() % 10 == 0:
                print(f"{outcomes.total()} by now, {faults} of them wrong", flush=True)
            if wrong + again:
                faults += 1
                print(f"{which}, {what}: {wrong} {again}", flush=True)

        steps = alone.count_steps() if arguments.steps else 0
        for step in chosen(steps, arguments.steps):
            alone.kill_at_step(step)
            count(f"operation {step} of {steps}", "killed before it", "")
        ways, number = arguments.how.split(","), 0
        shards = sum(name.endswith(".tar") for name in whole)
        while number < arguments.count:
            how, moment = ways[number % len(ways)], float(rng.uniform(0, shards))
            wrong = disturb(several, how, moment, duration / shards, rng)
            if wrong is not None:
                count(f"disturbance {number}", how, wrong)
                number += 1
    for line, times in sorted(outcomes.items()):
        print(f"{times:6} {line}")
    print(f"an undisturbed run took {duration:.1f} s, all {time.monotonic() - begun:.0f} s")
    raise SystemExit(bool(faults))


def chosen(steps: int, wanted: int) -> Sequence[int]:
    """As many as are wanted of the numbers from 1, evenly."""
    return sorted(set(np.linspace(1, steps, min(steps, wanted)).astype(int).tolist()))


def make(root: Path, samples: int) -> Path:
    """A folder of so many small pictures."""
    for number in range(samples):
        name = CLASSES[number % len(CLASSES)]
        (root / name).mkdir(parents=True, exist_ok=True)
        window(name, number, (32, 32)).save(root / name / f"{number:05d}.png")
    return root


if __name__ == "__main__":
    main()
