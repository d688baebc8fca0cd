"""Keys of samples that a column of a table holds."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from walloc_data.sources.listing import repeated
from walloc_data.sources.packed import Texts

__all__ = ["keys_if_distinct", "keys_of"]

_AT_ONCE = 1 << 14
_NUMBERED = "so that samples are called by their numbers"


def keys_of(column: Iterable[Any]) -> Texts | None:
    """The texts of a column that comes in Arrow arrays; None where one is null."""
    keys = Texts(())
    for part in column:
        for start in range(0, len(part), _AT_ONCE):
            texts = part[start : start + _AT_ONCE].to_pylist()
            if None in texts:
                return None
            keys.extend(Texts(texts))
    return keys


def keys_if_distinct(keys: Mapping[str, Sequence[Texts | None]]) -> tuple[dict[str, Texts], list[str]]:
    """The keys of each split, of those of its tables in turn, and notes; none where some are missing or come twice."""
    joined, whole = dict[str, Texts](), Texts(())
    for split, tables in keys.items():
        joined[split] = Texts(())
        for texts in tables:
            if texts is None:
                return {}, [f"some keys are missing, {_NUMBERED}"]
            joined[split].extend(texts)
            whole.extend(texts)
    again = repeated(whole)
    if again:
        return {}, [f"{len(again):,} keys come more than once, such as {whole[again[0]]!r}, {_NUMBERED}"]
    return joined, []
