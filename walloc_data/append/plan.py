"""What is new in a source that has grown, and the shards that it becomes."""

import hashlib
import json
import os
import random
import re
from array import array
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from walloc_data.errors import DatasetError
from walloc_data.format import MANIFEST_FILE, Manifest, ShardInfo
from walloc_data.read.opened import OpenedDataset
from walloc_data.read.reader import SplitReader
from walloc_data.replan import plan_again
from walloc_data.write.classes import RenumberedSplit, joined_classes, renumbering
from walloc_data.write.journal import Head
from walloc_data.write.plan import Plan, ShardTask, shard_samples
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
    def of(cls, opened: OpenedDataset, source: Any, *, data: str | None, names: str | None) -> "NewSamples":
        """Find what is new. Raises `DatasetError` where that cannot be told, or classes cannot be mapped."""
        manifest, where, out = opened.manifest, opened.storage.url, opened.storage.path(MANIFEST_FILE)
        whole = plan_again(opened.codec, manifest.options, source, data=data, names=names, where=where)
        name = whole.source.name
        limit, filtered = whole.options.limit, any(step.get("verb") == "filter" for step in manifest.lineage)
        if limit is not None or filtered:
            part = "was filtered" if filtered else f"has at most {limit} samples of each split of its source"
            raise DatasetError(
                f"{where} {part}, so nothing says which of the others are new: shard what is new apart, and merge"
            )
        if out is not None and os.path.isdir(name) and out.resolve().is_relative_to(Path(name).resolve()):
            raise DatasetError(f"{where} lies in {name} and would be taken for samples: choose a folder outside it")
        _refuse_nameless_classes(manifest, whole)
        classes = joined_classes((manifest.classes, whole.source.classes))
        numbers = renumbering(whole.source.classes, classes)
        splits = {split: RenumberedSplit(each, numbers) for split, each in whole.source.splits.items()}
        stored = {str(key) for split in manifest.splits for key in SplitReader([opened], split).column("key")}
        options = replace(whole.options, coder=manifest.coder, layout=manifest.layout, block=manifest.block)
        plan = Plan(
            replace(whole.source, splits=splits if numbers else whole.source.splits, classes=classes),
            whole.reader,
            opened.codec,
            options,
            [],
        )
        plan.tasks.extend(_tasks(manifest, plan, stored))
        content = [manifest.plan, manifest.digest, plan.identity, *(_keys(plan, task) for task in plan.tasks)]
        identity = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
        samples = sum(map(len, splits.values()))
        head = replace(head_of(plan), plan=identity)
        return cls(opened, plan, head, samples - sum(map(len, plan.tasks)))


def _tasks(manifest: Manifest, plan: Plan, stored: Container[str]) -> Iterator[ShardTask]:
    """The shards of the new samples, numbered on: each split, shuffled by seed, then cut."""
    options, named = plan.options, [shard.name for shard in shards_of(manifest)]
    for split, samples in plan.source.splits.items():
        new = array("q", (index for index in range(len(samples)) if text(samples.key(index)) not in stored))
        if options.shuffle:
            random.Random(f"{options.seed}/{split}").shuffle(new)
        found = [re.fullmatch(rf"{re.escape(split)}-(\d+)\.tar", name) for name in named]
        first = max((int(one[1]) for one in found if one), default=-1) + 1
        size = options.shard_samples or shard_samples(len(new), options.block)
        for number, start in enumerate(range(0, len(new), size), first):
            yield ShardTask(split, f"{split}-{number:05d}", new[start : start + size])


def _keys(plan: Plan, task: ShardTask) -> list[str]:
    split = plan.split_of(task)
    return [task.name, *(text(split.key(index)) for index in task.indices)]


def _refuse_nameless_classes(manifest: Manifest, plan: Plan) -> None:
    """Raise `DatasetError` where numbers of classes would be mixed with others that have no names."""
    ours, theirs = manifest.classes.keys(), plan.source.classes.keys()
    for column in sorted((ours - theirs) | {name for name in theirs - ours if name in manifest.columns}):
        one, other = ("the dataset", plan.source.name) if column in ours else (plan.source.name, "the dataset")
        raise DatasetError(
            f"{one} has names of the classes in {column!r}, and {other} has none: they cannot be mapped to one another"
        )


def shards_of(manifest: Manifest) -> list[ShardInfo]:
    """All shards."""
    return [shard for of_split in manifest.splits.values() for shard in of_split]
