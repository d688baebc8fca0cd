"""A few of the cases of `tools/fuzz.py`, which looks for trouble and ends where it finds some."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_damage_is_an_error_or_what_a_checksum_tells() -> None:
    command = [sys.executable, "-m", "tools.fuzz", "--count", "3000", "--seed", "1"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    counts: dict[str, int] = {}
    for count, outcome in re.findall(r"^ *([\d,]+)  \w+, (\w+: .*)$", said.stdout, re.MULTILINE):
        counts[outcome] = counts.get(outcome, 0) + int(count.replace(",", ""))
    assert sum(counts.values()) == 3000
    assert counts["payload: an error"] > 500
    assert counts["record: an error of the format"] > 500
    assert {"record: an error of the coder", "record: unharmed"} <= counts.keys()
