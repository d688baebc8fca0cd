"""The journal of an unfinished dataset: a line for the plan, then one a finished shard."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from walloc_data.errors import DatasetError
from walloc_data.format import MANIFEST_FILE, Manifest, replace_file
from walloc_data.write.encode_shard import ShardReport

__all__ = ["JOURNAL_FILE", "append_line", "open_journal"]

JOURNAL_FILE = ".walloc-journal.jsonl"


def open_journal(
    out: Path, source: str, plan: str, earlier: str | None, stamp: Callable[[str], str]
) -> dict[str, ShardReport] | None:
    """What a former run of this plan finished, by shard, or None if it finished all.

    `plan` is the identity of the plan, `earlier` what an earlier version called it, `source` the source's name, and
    `stamp` gives that of the samples of a shard by its name: a shard of files that have changed is not finished.
    """
    if out.exists() and not out.is_dir():
        raise DatasetError(f"{out} is not a folder")
    if (out / MANIFEST_FILE).exists():
        manifest = Manifest.read(out)
        if manifest.plan not in (plan, earlier):
            raise DatasetError(
                f"{out} holds another dataset, or one made with other options: choose another folder or delete it"
            )
        shards = (shard for of_split in manifest.splits.values() for shard in of_split)
        changed = [shard.name for shard in shards if shard.source and shard.source != stamp(Path(shard.name).stem)]
        if changed:
            raise DatasetError(
                f"{out} is complete, and files of {', '.join(changed[:3])} have changed since: choose another folder "
                "or delete it"
            )
        return None
    journal, first = out / JOURNAL_FILE, _first_line(plan, source)
    if not journal.exists():
        if out.exists() and any(out.iterdir()):
            raise DatasetError(f"{out} is not empty and holds no dataset: choose an empty or a new folder")
        out.mkdir(parents=True, exist_ok=True)
        replace_file(journal, first + "\n")
        return {}
    text = journal.read_text("utf-8", errors="replace")
    lines = text.splitlines()
    if not lines or lines[0] not in (first, _first_line(earlier, source)):
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
        same = not report.shard.source or report.shard.source == stamp(path.stem)
        if same and (whole or not report.shard.samples):
            done[path.stem] = report
    return done


def _first_line(plan: str | None, source: str) -> str:
    return json.dumps({"plan": plan, "source": source})


def append_line(journal: Path, line: str) -> None:
    """Add a line that a power cut after this call does not take away."""
    with journal.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())
