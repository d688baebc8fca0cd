"""How a dataset that is there was made, found again: its codec, and the plan of its source by the options that its
manifest keeps."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from walloc_data.codec import Codec
from walloc_data.dataset_codec import read_dataset_codec
from walloc_data.errors import CodecError, CoderError, DatasetError
from walloc_data.format import CODEC_FILE, Manifest, ShardInfo
from walloc_data.originals import reader_of
from walloc_data.sources import open_source
from walloc_data.storage import open_storage
from walloc_data.write.classes import RenumberedSplit, joined_classes, renumbering
from walloc_data.write.clips import cut
from walloc_data.write.plan import Options, Plan, ShardTask, cut_shards
from walloc_data.zoo import load_codec

__all__ = ["codec_again", "number_behind", "options_of", "plan_again", "plan_beside", "planned_again"]

_OWN = ("codec", "fingerprint", "classes")  # what a journal says beside options


def plan_again(
    codec: Codec, options: Mapping[str, Any], source: Any, *, data: str | None, names: str | None, where: str
) -> Plan:
    """The plan that a dataset `where` was made by, if the source is what it was: that is for the caller to see.

    `options` are those of a manifest; `data` and `names` as `open_source` takes them. Raises `SourceError` for what is
    no source, and `DatasetError` for options that this version does not know.
    """
    reader = reader_of(codec.config, options, where=where)
    try:
        named = dict(options["write"])
        known = {name: named[name] for name in (field.name for field in fields(Options)) if name in named}
        for several in ("columns", "measure"):
            if known.get(several) is not None:
                known[several] = tuple(known[several])
        written = Options(**known)
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{where}: it does not say with which options it was made ({error})") from error
    return Plan.of(
        cut(open_source(source, suffixes=reader.suffixes, data=data, names=names), reader), reader, codec, written
    )


def plan_beside(
    manifest: Manifest, codec: Codec, source: Any, *, data: str | None, names: str | None, where: str
) -> Plan:
    """A plan without tasks of a source whose samples stand beside those of a dataset: read and stored as they are, and
    with classes of the same numbers, new ones behind them.

    Raises as `plan_again`, and `DatasetError` where classes cannot be mapped.
    """
    plan = plan_again(codec, manifest.options, source, data=data, names=names, where=where)
    _refuse_nameless_classes(manifest, plan)
    classes = joined_classes((manifest.classes, plan.source.classes))
    numbers = renumbering(plan.source.classes, classes)
    splits = dict(plan.source.splits)
    if numbers:
        splits = {split: RenumberedSplit(each, numbers) for split, each in splits.items()}
    options = replace(plan.options, coder=manifest.coder, layout=manifest.layout, block=manifest.block)
    return Plan(replace(plan.source, splits=splits, classes=classes), plan.reader, codec, options, [])


def _refuse_nameless_classes(manifest: Manifest, plan: Plan) -> None:
    """Raise `DatasetError` where numbers of classes would be mixed with others that have no names."""
    ours, theirs = manifest.classes.keys(), plan.source.classes.keys()
    for column in sorted((ours - theirs) | {name for name in theirs - ours if name in manifest.columns}):
        one, other = ("the dataset", plan.source.name) if column in ours else (plan.source.name, "the dataset")
        raise DatasetError(
            f"{one} has names of the classes in {column!r}, and {other} has none: they cannot be mapped to one another"
        )


def planned_again(
    plan: Plan, manifest: Manifest, planned: Sequence[Mapping[str, Sequence[str]]], appends: int
) -> list[list[ShardTask]]:
    """The shards of a dataset that was appended to so many times: those that it began with, and those of each append,
    by the keys that they were `planned` of. The number of a sample that is gone from the source is -1.

    Raises `DatasetError` for a lineage that does not say which shards are of which.
    """
    try:
        behind = [dict(step["of"][0]["shards"]) for step in manifest.lineage[len(manifest.lineage) - appends :]]
        before = [[manifest.splits.get(split, [])[:count] for split, count in one.items()] for one in behind]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise DatasetError(f"its lineage does not say which shards were appended ({error})") from error
    places = {split: {each.key(i): i for i in range(len(each))} for split, each in plan.source.splits.items()}
    return [
        [
            task
            for split, of_split in keys.items()
            for task in cut_shards(
                split,
                (places.get(split, {}).get(key, -1) for key in of_split),
                plan.options,
                number_behind(split, [shard for shards in there for shard in shards]),
            )
        ]
        for keys, there in zip(planned, [[], *before], strict=True)
    ]


def number_behind(split: str, shards: Sequence[ShardInfo]) -> int:
    """The number of the first shard of a split behind those that are there."""
    found = [re.fullmatch(rf"{re.escape(split)}-(\d+)\.tar", shard.name) for shard in shards]
    return max((int(one[1]) for one in found if one), default=-1) + 1


def codec_again(
    out: Path, name: str, fingerprint: str, given: Codec | str | os.PathLike[str] | None, *, lost: bool
) -> tuple[Codec, bool]:
    """The codec that a dataset was made by, and whether its own file has none: that in the dataset, unless it is
    `lost`, or the one that was given, or that of the zoo. Raises `DatasetError` where none is it."""
    codec = None
    if given is None and not lost:
        codec = _own_codec(out, fingerprint)
        lost = codec is None
    if codec is None:
        codec = _of_the_zoo(out, name) if given is None else given if isinstance(given, Codec) else load_codec(given)
    if codec.fingerprint != fingerprint:
        raise DatasetError(
            f"{out} was made by codec {name!r} of fingerprint {fingerprint}, and this one has {codec.fingerprint}: "
            "give that (--codec)"
        )
    return codec, lost


def _own_codec(out: Path, fingerprint: str) -> Codec | None:
    """The codec in a dataset; None where that is damaged."""
    try:
        codec = read_dataset_codec(open_storage(out))[0]
    except (CodecError, CoderError):
        return None
    return codec if codec.fingerprint == fingerprint else None


def _of_the_zoo(out: Path, name: str) -> Codec:
    try:
        return load_codec(name)
    except CodecError as error:
        raise DatasetError(
            f"{out}: {CODEC_FILE} is damaged, and its codec {name!r} is none of the zoo: give the codec by which it "
            "was made (--codec)"
        ) from error


def options_of(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a journal says was asked for, as a manifest has it."""
    writing = {field.name for field in fields(Options)}
    return {
        "read": {name: value for name, value in asked.items() if name not in writing and name not in _OWN},
        "write": {name: value for name, value in asked.items() if name in writing},
    }
