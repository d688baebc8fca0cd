"""How earlier versions called what they wrote, so that their datasets are known and gone on with."""

import hashlib
import json
from collections.abc import Sequence

from walloc_data.signals import Reader
from walloc_data.sources import Files, Source
from walloc_data.write.plan import Options, ShardTask, describe

__all__ = ["identity_0_1"]


def identity_0_1(
    tasks: Sequence[ShardTask], source: Source, reader: Reader, fingerprint: str, options: Options
) -> str | None:
    """`identity` as version 0.1 had it, of an image folder; None for what it could not write."""
    classes = source.classes.get("label")
    digest = hashlib.sha256(json.dumps([describe(reader, options), fingerprint, classes], sort_keys=True).encode())
    for task in tasks:
        split = source.splits[task.split]
        if not isinstance(split, Files) or split.listed is not None or set(split.fields) - {"label"}:
            return None
        labels = split.fields.get("label")
        for index in task.indices:
            label = None if labels is None else int(labels[index])
            digest.update(f"{task.name}\0{split.key(index)}\0{label}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]
