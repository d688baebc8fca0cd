"""The journal of a dataset: a line for what was asked, then one a finished shard.

It stays when the dataset is complete, so that the same command finds what has changed in the source since. Each line
ends with the CRC32 of the line without it; versions up to 0.1 wrote none.
"""

import base64
import json
import os
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from walloc_data.crc import crc32
from walloc_data.format import JOURNAL_FILE, replace_file
from walloc_data.write.encode_shard import ShardReport

__all__ = ["Head", "append_report", "damaged_lines", "not_in", "read_journal", "write_journal"]

_SUM = re.compile(rb'(.*), "crc32": "([0-9a-f]{8})"}')


@dataclass(frozen=True)
class Head:
    """What was asked: the identity of the plan, the source's name, options by name, and the keys of each split.

    Journals of version 0.1 have no options and no keys. Of a dataset that was appended to, `planned` are the keys that
    its shards were planned of: first those that it began with, then those of each append.
    """

    plan: str
    source: str
    asked: Mapping[str, Any] = field(default_factory=dict)
    keys: Mapping[str, list[str]] = field(default_factory=dict)
    planned: Sequence[Mapping[str, list[str]]] = ()

    def to_json(self) -> str:
        """One line."""
        content: dict[str, Any] = {
            "plan": self.plan,
            "source": self.source,
            "asked": self.asked,
            "keys": _all_packed(self.keys),
        }
        if self.planned:
            content["planned"] = [_all_packed(keys) for keys in self.planned]
        return json.dumps(content)

    @classmethod
    def from_json(cls, line: str) -> "Head":
        """The inverse of `to_json`; raises ValueError, TypeError or KeyError for a damaged line."""
        content = dict(json.loads(line))
        keys, planned = (
            _all_unpacked(content.get("keys", {})),
            [_all_unpacked(one) for one in content.get("planned", ())],
        )
        return cls(str(content["plan"]), str(content["source"]), dict(content.get("asked", {})), keys, planned)


def read_journal(out: Path, name: str = JOURNAL_FILE) -> tuple[Head | None, dict[str, ShardReport]]:
    """What was asked (None where that is damaged, or there is no journal), and the last report of each shard by name.

    A line that a kill cut short, or that is damaged, is passed over: its shard is written again.
    """
    try:
        lines = (out / name).read_text("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return None, {}
    try:
        head = None if _is_damaged(lines[0]) else Head.from_json(lines[0])
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


def not_in(errors: Iterable[dict[str, str]], head: Head) -> list[dict[str, str]]:
    """Those of samples that the source of a journal has not."""
    keys = {key for of_split in head.keys.values() for key in of_split}
    return [error for error in errors if error.get("key") not in keys]


def _summed(line: str) -> str:
    body = line.removesuffix("}")
    return f'{body}, "crc32": "{crc32(body.encode()):08x}"}}'


def _is_whole(line: bytes) -> bool:
    found = _SUM.fullmatch(line)
    return found is not None and f"{crc32(found[1]):08x}".encode() == found[2]


def _is_damaged(line: str) -> bool:
    """Whether it has a sum, which is not that of the rest."""
    return '"crc32"' in line and not _is_whole(line.encode())


def _reports(lines: Iterable[str]) -> dict[str, ShardReport]:
    reports = {}
    for line in lines:
        if _is_damaged(line):
            continue
        with suppress(ValueError, TypeError, KeyError):
            report = ShardReport.from_json(line)
            reports[Path(report.shard.name).stem] = report
    return reports


def _all_packed(keys: Mapping[str, list[str]]) -> dict[str, str]:
    return {split: _packed(names) for split, names in keys.items()}


def _all_unpacked(packed: Any) -> dict[str, list[str]]:
    return {split: _unpacked(names) for split, names in dict(packed).items()}


def _packed(keys: list[str]) -> str:
    return base64.b85encode(zlib.compress("\0".join(keys).encode("utf-8", "surrogateescape"), 1)).decode()


def _unpacked(packed: str) -> list[str]:
    text = zlib.decompress(base64.b85decode(packed)).decode("utf-8", "surrogateescape")
    return text.split("\0") if text else []
