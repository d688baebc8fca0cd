"""The journal of a dataset: a line for what was asked, then one a finished shard.

It stays when the dataset is complete, so that the same command finds what has changed in the source since.
"""

import base64
import json
import os
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from walloc_data.format import JOURNAL_FILE, replace_file
from walloc_data.write.encode_shard import ShardReport

__all__ = ["Head", "append_report", "read_journal", "write_journal"]


@dataclass(frozen=True)
class Head:
    """What was asked: the identity of the plan, the source's name, options by name, and the keys of each split.

    Journals of version 0.1 have no options and no keys.
    """

    plan: str
    source: str
    asked: Mapping[str, Any] = field(default_factory=dict)
    keys: Mapping[str, list[str]] = field(default_factory=dict)

    def to_json(self) -> str:
        """One line."""
        keys = {split: _packed(names) for split, names in self.keys.items()}
        return json.dumps({"plan": self.plan, "source": self.source, "asked": self.asked, "keys": keys})

    @classmethod
    def from_json(cls, line: str) -> "Head":
        """The inverse of `to_json`; raises ValueError, TypeError or KeyError for a damaged line."""
        content = dict(json.loads(line))
        keys = {split: _unpacked(names) for split, names in dict(content.get("keys", {})).items()}
        return cls(str(content["plan"]), str(content["source"]), dict(content.get("asked", {})), keys)


def read_journal(out: Path) -> tuple[Head | None, dict[str, ShardReport]]:
    """What was asked, and the last report of each shard by its name; None and nothing where there is no journal.

    A line that a kill cut short is passed over: its shard is written again.
    """
    try:
        lines = (out / JOURNAL_FILE).read_text("utf-8", errors="replace").splitlines()
        head = Head.from_json(lines[0])
    except (FileNotFoundError, IndexError, ValueError, TypeError, KeyError, zlib.error):
        return None, {}
    reports = {}
    for line in lines[1:]:
        with suppress(ValueError, TypeError, KeyError):
            report = ShardReport.from_json(line)
            reports[Path(report.shard.name).stem] = report
    return head, reports


def write_journal(out: Path, head: Head, reports: Iterable[ShardReport]) -> None:
    """Write it anew, whole or not at all."""
    lines = [head.to_json(), *(report.to_json() for report in reports)]
    replace_file(out / JOURNAL_FILE, "".join(line + "\n" for line in lines))


def append_report(out: Path, report: ShardReport) -> None:
    """Add a line that a power cut after this call does not take away."""
    with (out / JOURNAL_FILE).open("a", encoding="utf-8") as file:
        file.write(report.to_json() + "\n")
        file.flush()
        os.fsync(file.fileno())


def _packed(keys: list[str]) -> str:
    return base64.b85encode(zlib.compress("\0".join(keys).encode("utf-8", "surrogateescape"), 1)).decode()


def _unpacked(packed: str) -> list[str]:
    text = zlib.decompress(base64.b85decode(packed)).decode("utf-8", "surrogateescape")
    return text.split("\0") if text else []
