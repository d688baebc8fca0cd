"""What stands of a former run: finished shards whose source files are as they were."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from walloc_data.errors import DatasetError, SampleError
from walloc_data.format import CODEC_FILE, JOURNAL_FILE, MANIFEST_FILE, Manifest, ShardInfo
from walloc_data.write.differences import differing_keys, differing_options
from walloc_data.write.earlier import identity_0_1
from walloc_data.write.encode_shard import ShardReport, stamp_of
from walloc_data.write.journal import Head, read_journal
from walloc_data.write.output import Output
from walloc_data.write.plan import Plan, ShardTask
from walloc_data.write.samples import read_sample

__all__ = ["Former", "former_run", "head_of", "standing", "stands", "told_apart"]


@dataclass(frozen=True)
class Former:
    """The reports that stand, by shard; whether the dataset is complete with them; and what is made again, and why."""

    reports: dict[str, ShardReport] = field(default_factory=dict)
    complete: bool = False
    notes: list[str] = field(default_factory=list)


def former_run(output: Output, plan: Plan, *, stop: bool) -> Former:
    """What former runs of a plan left at an output that is owned. A shard does not stand where its files have changed
    since, or a sample that was passed over can be read now.

    Raises `DatasetError` where they are not of this plan, and with `stop` `SampleError` where a sample that was passed
    over still cannot be read.
    """
    folder, out, sizes = output.folder, output.url, output.sizes()
    head, reports = read_journal(folder)
    complete = MANIFEST_FILE in sizes
    if complete:
        manifest = Manifest.parse((folder / MANIFEST_FILE).read_bytes(), f"{out}/{MANIFEST_FILE}")
        if head is None or head.plan != manifest.plan:  # made by version 0.1, or copied without the journal
            head, reports = None, {}
        if not _is_of(manifest.plan, plan):
            differing = _other_options(plan, head, manifest)
            hint = "walloc append adds what is new to it; or " if head is not None and not differing else ""
            raise DatasetError(
                f"{out} holds another dataset, or one made with other options"
                f"{_listed(differing or _other_source(plan, head))}: {hint}choose another folder or delete it"
            )
        if head is None:
            _refuse_changed(out, plan, manifest)
            return Former(complete=True)
    elif head is None and JOURNAL_FILE not in sizes:
        return Former()
    elif head is not None and not reports and not any(map(_is_shard, sizes)) and not _is_of(head.plan, plan):
        output.drop(CODEC_FILE)  # of other options; nothing else has been made of them
        return Former()
    elif head is None or not _is_of(head.plan, plan):
        differing = _other_options(plan, head, None)
        changed = [] if differing else _other_source(plan, head)
        raise DatasetError(
            f"{out} holds an unfinished dataset of another source or made with other options"
            f"{_listed(differing or changed)}: "
            f"{'put the source back as it was' if changed else 'ask for those again'} to finish it, or choose another "
            "folder, or delete it"
        )
    elif head.source != plan.source.name:
        raise DatasetError(
            f"{out} holds an unfinished dataset of another source, {head.source}: name that to finish it, or choose "
            "another folder, or delete it"
        )
    former = standing(sizes, plan, reports, stop)
    return Former(former.reports, complete and len(former.reports) == len(plan.tasks), former.notes)


def head_of(plan: Plan) -> Head:
    """The head of the journal of a plan."""
    keys = {name: [split.key(i) for i in range(len(split))] for name, split in plan.source.splits.items()}
    return Head(plan.identity, plan.source.name, _asked(plan), keys)


def told_apart(plan: Plan, head: Head | None, manifest: Manifest | None) -> list[str] | None:
    """A phrase for each way in which a plan is not that of a dataset, as far as is known; None where it is."""
    known = head.plan if manifest is None and head is not None else manifest.plan if manifest is not None else ""
    if _is_of(known, plan):
        return None
    return _other_options(plan, head, manifest) or _other_source(plan, head)


def _is_of(identity: str, plan: Plan) -> bool:
    """Whether this version, or an earlier one, calls a plan so."""
    if identity == plan.identity:
        return True
    return identity == identity_0_1(plan.tasks, plan.source, plan.reader, plan.codec.fingerprint, plan.options)


def _is_shard(name: str) -> bool:
    return name.endswith(".tar")


def standing(sizes: Mapping[str, int], plan: Plan, reports: Mapping[str, ShardReport], stop: bool) -> Former:
    """Which reports of a plan stand, among files of these sizes, and why others do not."""
    done: dict[str, ShardReport] = {}
    changed, mended = [], []
    for task in plan.tasks:
        report = reports.get(task.name)
        if report is None or not stands(sizes, report.shard):
            continue
        if report.shard.source and report.shard.source != stamp_of(task, plan.split_of(task)):
            changed.append(task.name)
        elif _reads_now(plan, task, report, stop):
            mended.append(task.name)
        else:
            done[task.name] = report
    notes = [
        f"made again: {len(names):,} shards ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''}), {why}"
        for names, why in (
            (changed, "whose files have changed since"),
            (mended, "since samples that could not be read can be now"),
        )
        if names
    ]
    return Former(done, notes=notes)


def stands(sizes: Mapping[str, int], shard: ShardInfo) -> bool:
    """Whether a shard is among the files of these sizes, and not cut short."""
    return not shard.samples or (sizes.get(shard.name) == shard.bytes and shard.index in sizes)


def _reads_now(plan: Plan, task: ShardTask, report: ShardReport, stop: bool) -> bool:
    """Whether a sample that was passed over can be read."""
    skipped, split = {error["key"] for error in report.errors}, plan.split_of(task)
    for index in task.indices if skipped else ():
        if split.key(index) in skipped:
            try:
                read_sample(split, index, plan.reader, plan.options)
                return True
            except SampleError:
                if stop:
                    raise
    return False


def _refuse_changed(out: str, plan: Plan, manifest: Manifest) -> None:
    tasks = {task.name: task for task in plan.tasks}
    shards = (shard for of_split in manifest.splits.values() for shard in of_split if shard.source)
    changed = [
        shard.name
        for shard in shards
        if (task := tasks.get(Path(shard.name).stem)) and shard.source != stamp_of(task, plan.split_of(task))
    ]
    if changed:
        raise DatasetError(
            f"{out} is complete, files of {', '.join(changed[:3])} have changed since, and without {JOURNAL_FILE} they "
            "cannot be made again alone: choose another folder or delete it"
        )


def _asked(plan: Plan) -> dict[str, Any]:
    """Options by name, as JSON gives them back."""
    own = {"codec": plan.codec.name, "fingerprint": plan.codec.fingerprint, "classes": dict(plan.source.classes)}
    return dict(json.loads(json.dumps({**own, **plan.reader.config(), **plan.options.config()})))


def _other_options(plan: Plan, head: Head | None, manifest: Manifest | None) -> list[str]:
    """A phrase for each option that is not as it was, as far as is known."""
    if head is not None:
        before = head.asked
    elif manifest is not None:
        own = {"codec": manifest.codec, "fingerprint": manifest.fingerprint, "classes": manifest.classes}
        before = {**own, **manifest.options.get("read", {}), **manifest.options.get("write", {})}
    else:
        before = {}
    return differing_options(before, _asked(plan)) if before else []


def _other_source(plan: Plan, head: Head | None) -> list[str]:
    """A phrase for all that differs in the source, where something must."""
    if head is None or not head.keys:
        return []
    fields = "fields of the samples, such as labels, or their order are not what they were"
    return differing_keys(head.keys, head_of(plan).keys) or [fields]


def _listed(phrases: Sequence[str]) -> str:
    return f" ({'; '.join(phrases)})" if phrases else ""
