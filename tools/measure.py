"""Measure speeds anew, and write the tables of README and docs: `python -m tools.measure --data FOLDER [--only NAME]`.

For a machine that does nothing else: the benchmarks of `--only`, one after another, each in a process of its own, with
settings of a few minutes. `FOLDER` holds photographs, 1,000 or so. What each took is printed; what one could not be run
for, such as a peer that is not installed (see benchmarks/streaming.py), ends the command, and its table stays as it is.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMANDS = {
    "streaming": ("--samples", "60000", "--seconds", "3", "--turns", "2"),  # the table of README
    "loading": (),
    "encoding": (),
}


def main() -> int:
    """Run the benchmarks, and write the pages."""
    parser = argparse.ArgumentParser(description="Measure speeds anew, and write the tables of README and docs.")
    parser.add_argument("--data", type=Path, required=True, help="folder of photographs, 1,000 or so")
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS), help="benchmarks (default: all)")
    arguments = parser.parse_args()
    lines = [
        [f"benchmarks.{name}", "--data", str(arguments.data.resolve()), *COMMANDS[name], "--save"]
        for name in arguments.only
    ]
    for line in (*lines, ["tools.make_tables"]):
        started = time.monotonic()
        status = subprocess.run([sys.executable, "-m", *line], cwd=ROOT).returncode
        print(f"{line[0]}: {time.monotonic() - started:.0f} s", flush=True)
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
