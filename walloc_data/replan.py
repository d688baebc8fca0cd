"""The plan of a dataset that is there, made again of its source by the options that its manifest keeps."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from walloc_data.codec import Codec
from walloc_data.errors import DatasetError
from walloc_data.originals import reader_of
from walloc_data.sources import open_source
from walloc_data.write.clips import cut
from walloc_data.write.plan import Options, Plan

__all__ = ["options_of", "plan_again"]

_OWN = ("codec", "fingerprint", "classes")  # what a journal says beside options


def plan_again(
    codec: Codec, options: Mapping[str, Any], source: Any, *, data: str | None, names: str | None, where: str
) -> Plan:
    """The plan that a dataset `where` was made by, if the source is what it was: that is for the caller to see.

    `options` are those of a manifest; `data` and `names` as `open_source` takes them. Raises `SourceError` for what is
    no source, and `DatasetError` for options that this version does not know.
    """
    reader = reader_of(codec.config, options.get("read"), where=where)
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


def options_of(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a journal says was asked for, as a manifest has it."""
    writing = {field.name for field in fields(Options)}
    return {
        "read": {name: value for name, value in asked.items() if name not in writing and name not in _OWN},
        "write": {name: value for name, value in asked.items() if name in writing},
    }
