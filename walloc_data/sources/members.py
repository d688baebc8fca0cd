"""What the members of a WebDataset sample mean, by suffix: its fields."""

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from walloc_data.errors import SampleError

__all__ = ["fields_of"]

_TEXTS = frozenset(("id", "text", "transcript", "txt"))
_NUMBERS = frozenset(("class", "cls", "cls2", "count", "index", "inx"))
_JSON = frozenset(("json", "jsn"))


def fields_of(members: Mapping[str, bytes], where: str) -> dict[str, Any]:
    """The fields in the members of a sample, by suffix (`cls`, `txt`, `seg.png`).

    `cls` becomes `label`, a number or, where it is none, a text; an object in `json` its keys (behind which a `_` is
    put where a member is called so); `npy` an array; `txt` a text; all others stay bytes. Nothing is unpickled.
    Raises `SampleError`, which says `where`, for one that is damaged.
    """
    fields: dict[str, Any] = {}
    objects: list[dict[str, Any]] = []
    for suffix, data in members.items():
        try:
            value = _value(suffix, data)
        except (ValueError, EOFError, RecursionError) as error:
            raise SampleError(f"{where}: its {suffix} is damaged ({error})") from error
        if suffix in _JSON and isinstance(value, dict):
            objects.append(value)
        else:
            fields["label" if suffix == "cls" and "label" not in members else suffix] = value
    for content in objects:
        for name, value in content.items():
            fields[f"{name}_" if name in fields else name] = value
    return fields


def _value(suffix: str, data: bytes) -> Any:
    kind = suffix.rpartition(".")[2]
    if kind in _JSON:
        return json.loads(data)
    if kind == "npy":
        return np.load(io.BytesIO(data), allow_pickle=False)
    if kind in _TEXTS:
        return data.decode()
    if kind in _NUMBERS:
        text = data.decode().strip()
        try:
            return int(text)
        except ValueError:
            return text
    return data
