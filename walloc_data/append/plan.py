"""What is new in a source that has grown, and the shards that it becomes."""

import hashlib
import json
import os
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from walloc_data.errors import DatasetError
from walloc_data.format import MANIFEST_FILE, Manifest, ShardInfo, differing
from walloc_data.read.opened import OpenedDataset
from walloc_data.read.reader import SplitReader
from walloc_data.replan import number_behind, plan_beside
from walloc_data.write.journal import Head
from walloc_data.write.plan import Plan, ShardTask, cut_shards
from walloc_data.write.resume import head_of
from walloc_data.write.rows import text

__all__ = ["NewSamples", "shards_of"]


@dataclass(frozen=True)
class NewSamples:
    """A plan of the samples of a source that a dataset has not, what its journal begins with, and how many others were
    `there`."""

    opened: OpenedDataset
    plan: Plan
    head: Head
    there: int

    @classmethod
    def of(
        cls, opened: OpenedDataset, journal: Head | None, source: Any, *, data: str | None, names: str | None
    ) -> "NewSamples":
        """Find what is new, in a source, of a dataset and what its journal begins with.

        Raises `DatasetError` where that cannot be told, or classes cannot be mapped.
        """
        manifest, where, out = opened.manifest, opened.storage.url, opened.storage.path(MANIFEST_FILE)
        plan = plan_beside(manifest, opened.codec, source, data=data, names=names, where=where)
        name = plan.source.name
        limit, filtered = plan.options.limit, _filtered(manifest.lineage)
        mixed = "limit" in differing(manifest.options)
        parts = {
            "was filtered": filtered,
            "was merged of datasets that differ in limit": mixed,
            f"has at most {limit} samples of each split of its source": limit is not None,
        }
        if any(parts.values()):
            part = next(part for part, holds in parts.items() if holds)
            raise DatasetError(
                f"{where} {part}, so nothing says which of the others are new: shard what is new apart, and merge"
            )
        if out is not None and os.path.isdir(name) and out.resolve().is_relative_to(Path(name).resolve()):
            raise DatasetError(f"{where} lies in {name} and would be taken for samples: choose a folder outside it")
        stored = {str(key) for split in manifest.splits for key in SplitReader([opened], split).column("key")}
        plan.tasks.extend(_tasks(manifest, plan, stored))
        content = [manifest.plan, manifest.digest, plan.identity, *(_keys(plan, task) for task in plan.tasks)]
        identity = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
        samples = sum(map(len, plan.source.splits.values()))
        head = replace(head_of(plan), plan=identity, planned=_planned(plan, manifest, journal))
        return cls(opened, plan, head, samples - sum(map(len, plan.tasks)))


def _filtered(lineage: Any) -> bool:
    """Whether a dataset was filtered, or one of those that it was merged of: their lineages stand in its own."""
    left = [lineage]
    while left:
        for step in _objects(left.pop()):
            if step.get("verb") == "filter":
                return True
            left += [one.get("lineage") for one in _objects(step.get("of"))]
    return False


def _objects(found: Any) -> list[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _tasks(manifest: Manifest, plan: Plan, stored: Container[str]) -> Iterator[ShardTask]:
    """The shards of the new samples, numbered on."""
    for split, samples in plan.source.splits.items():
        new = (index for index in range(len(samples)) if text(samples.key(index)) not in stored)
        yield from cut_shards(split, new, plan.options, number_behind(split, manifest.splits.get(split, ())))


def _planned(plan: Plan, manifest: Manifest, journal: Head | None) -> list[Mapping[str, list[str]]]:
    """`Head.planned`, with what is new; nothing where the journal, which says what was planned before, is another's."""
    if journal is None or journal.plan != manifest.plan:
        return []
    new: dict[str, list[int]] = {}
    for task in plan.tasks:
        new.setdefault(task.split, []).extend(task.indices)
    keys = {split: [plan.source.splits[split].key(index) for index in sorted(found)] for split, found in new.items()}
    return [*(journal.planned or [journal.keys]), keys]


def _keys(plan: Plan, task: ShardTask) -> list[str]:
    split = plan.split_of(task)
    return [task.name, *(text(split.key(index)) for index in task.indices)]


def shards_of(manifest: Manifest) -> list[ShardInfo]:
    """All shards."""
    return [shard for of_split in manifest.splits.values() for shard in of_split]
