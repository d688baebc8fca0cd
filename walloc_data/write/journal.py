"""The journal of a dataset: a line for what was asked, then one a finished shard.

It stays when the dataset is complete, so that the same command finds what has changed in the source since. Each line
ends with the CRC32 of the line without it; versions up to 0.1 wrote none.
"""

import base64
import json
import os
import re
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from walloc_data.crc import crc32
from walloc_data.format import JOURNAL_FILE, replace_file
from walloc_data.write.encode_shard import ShardReport

__all__ = ["Head", "append_report", "damaged_lines", "read_journal", "write_journal"]

_SUM = re.compile(rb'(.*), "crc32": "([0-9a-f]{8})"}')


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


def read_journal(out: Path, name: str = JOURNAL_FILE) -> tuple[Head | None, dict[str, ShardReport]]:
    """What was asked (None where that is damaged, or there is no journal), and the last report of each shard by name.

    A line that a kill cut short, or that is damaged, is passed over: its shard is written again.
    """
    try:
        lines = (out / name).read_text("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return None, {}
    try:
        head = Head.from_json(lines[0])
    except (IndexError, ValueError, TypeError, KeyError, zlib.error):
        head = None
    return head, _reports(lines if head is None else lines[1:])


def write_journal(out: Path, head: Head, reports: Iterable[ShardReport], name: str = JOURNAL_FILE) -> None:
    """Write it anew, whole or not at all."""
    lines = [_summed(head.to_json()), *(_summed(report.to_json()) for report in reports)]
    replace_file(out / name, "".join(line + "\n" for line in lines))


def append_report(out: Path, report: ShardReport, name: str = JOURNAL_FILE) -> None:
    """Add a line that a power cut after this call does not take away."""
    with (out / name).open("a", encoding="utf-8") as file:
        file.write(_summed(report.to_json()) + "\n")
        file.flush()
        os.fsync(file.fileno())


def damaged_lines(data: bytes) -> list[int]:
    """The lines of a journal, from 0, that are not what was written; none of one that has no sums."""
    *lines, end = data.split(b"\n")
    if b'"crc32"' not in data:
        return []
    return [number for number, line in enumerate(lines) if not _is_whole(line)] + ([len(lines)] if end else [])


def _summed(line: str) -> str:
    body = line.removesuffix("}")
    return f'{body}, "crc32": "{crc32(body.encode()):08x}"}}'


def _is_whole(line: bytes) -> bool:
    found = _SUM.fullmatch(line)
    return found is not None and f"{crc32(found[1]):08x}".encode() == found[2]


def _reports(lines: Iterable[str]) -> dict[str, ShardReport]:
    reports = {}
    for line in lines:
        if '"crc32"' in line and not _is_whole(line.encode()):
            continue
        with suppress(ValueError, TypeError, KeyError):
            report = ShardReport.from_json(line)
            reports[Path(report.shard.name).stem] = report
    return reports


def _packed(keys: list[str]) -> str:
    return base64.b85encode(zlib.compress("\0".join(keys).encode("utf-8", "surrogateescape"), 1)).decode()


def _unpacked(packed: str) -> list[str]:
    text = zlib.decompress(base64.b85decode(packed)).decode("utf-8", "surrogateescape")
    return text.split("\0") if text else []
