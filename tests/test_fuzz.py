"""A few of the cases of `tools/fuzz`, which looks for trouble and tells where it finds some."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TARGETS = (
    *("payloads", "records", "columns", "indices", "journals", "codecs", "manifests", "datasets"),
    *("images", "sound", "arrays", "video", "tars", "parquet", "lists", "metadata"),
)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited and watched as Linux has it")
def test_damage_is_an_error_or_what_a_checksum_tells() -> None:
    command = [sys.executable, "-m", "tools.fuzz", "--count", "300", "--seed", "1"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout + done.stderr
    counts: Counter[str] = Counter()
    for count, target, outcome in re.findall(r"^ *([\d,]+)  (\w+): (.*)$", done.stdout, re.MULTILINE):
        kind = "in all" if outcome.startswith("in all") else "errors" if "error" in outcome else "others"
        counts[f"{target}, {kind}"] += int(count.replace(",", ""))
    assert {f"{target}, in all" for target in TARGETS} <= counts.keys()
    for target in TARGETS:
        assert counts[f"{target}, in all"] >= 3
        if target != "journals":  # whose damaged lines are passed over
            assert counts[f"{target}, errors"] > 0, target
    for target in ("records", "columns", "images", "sound", "arrays", "tars", "parquet"):
        assert counts[f"{target}, others"] > 0, target
