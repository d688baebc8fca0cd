"""The journal of an unfinished dataset: a line for the plan, then one a finished shard."""

import json
import os
from contextlib import suppress
from pathlib import Path

from walloc_data.errors import DatasetError
from walloc_data.format import MANIFEST_FILE, Manifest, replace_file
from walloc_data.sources import ImageFolder
from walloc_data.write.encode_shard import ShardReport
from walloc_data.write.plan import ShardTask

__all__ = ["JOURNAL_FILE", "append_line", "open_journal"]

JOURNAL_FILE = ".walloc-journal.jsonl"


def open_journal(out: Path, source: ImageFolder, tasks: list[ShardTask], plan: str) -> dict[str, ShardReport] | None:
    """What an earlier run of this plan finished, by shard, or None if it finished all."""
    if out.exists() and not out.is_dir():
        raise DatasetError(f"{out} is not a folder")
    if (out / MANIFEST_FILE).exists():
        manifest = Manifest.read(out)
        if manifest.plan != plan:
            raise DatasetError(
                f"{out} holds another dataset, or one made with other options: choose another folder or delete it"
            )
        if not _same_files(manifest, source, tasks):
            raise DatasetError(
                f"{out} holds a dataset of other files with the same names: choose another folder or delete it"
            )
        return None
    journal, first = out / JOURNAL_FILE, json.dumps({"plan": plan, "source": str(source.root.resolve())})
    if not journal.exists():
        if out.exists() and any(out.iterdir()):
            raise DatasetError(f"{out} is not empty and holds no dataset: choose an empty or a new folder")
        out.mkdir(parents=True, exist_ok=True)
        replace_file(journal, first + "\n")
        return {}
    text = journal.read_text("utf-8", errors="replace")
    lines = text.splitlines()
    if lines[:1] != [first]:
        raise DatasetError(
            f"{out} holds an unfinished dataset of another source or made with other options: run that command again "
            "to finish it, or choose another folder, or delete it"
        )
    if not text.endswith("\n"):
        append_line(journal, "")  # so that the next line does not become part of one that a kill cut short
    for leftover in out.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)
    done = {}
    for line in lines[1:]:
        try:
            report = ShardReport.from_json(line)
        except (ValueError, TypeError, KeyError):
            continue  # cut short: its shard is written again
        path = out / report.shard.name
        whole = path.exists() and path.stat().st_size == report.shard.bytes and path.with_suffix(".idx").exists()
        if whole or not report.shard.samples:
            done[path.stem] = report
    return done


def _same_files(manifest: Manifest, source: ImageFolder, tasks: list[ShardTask]) -> bool:
    """Whether the files of a source can be those a dataset was made of, by the sum of their bytes."""
    total = 0
    for task in tasks:
        for item in task.items:
            with suppress(OSError):  # was skipped
                total += source.path(item).stat().st_size
    made_of = manifest.summary.source_bytes
    return bool(total >= made_of if manifest.summary.skipped else total == made_of)


def append_line(journal: Path, line: str) -> None:
    """Add a line that a power cut after this call does not take away."""
    with journal.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())
