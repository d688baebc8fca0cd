"""Keys of samples that a column of a table holds."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["keys_digest", "keys_if_distinct"]

_AT_ONCE = 1 << 16


def keys_if_distinct(keys: Mapping[str, Sequence[Any]]) -> tuple[dict[str, Any], list[str]]:
    """Arrow arrays of keys by split, from the columns that hold them in turn (None: there is none), and notes.

    No keys at all where a table has none, one is null, or two samples share one.
    """
    columns = [column for of_split in keys.values() for column in of_split]
    if not columns or all(column is None for column in columns):
        return {}, []
    if any(column is None for column in columns):
        return {}, ["some of the tables have no column of keys, so that samples are called by their numbers"]
    import pyarrow
    from pyarrow import compute

    joined = {split: _joined(of_split) for split, of_split in keys.items() if of_split}
    whole = pyarrow.chunked_array([chunk for column in joined.values() for chunk in [column]])
    if whole.null_count:
        return {}, [f"{whole.null_count:,} keys are null, so that samples are called by their numbers"]
    repeated = len(whole) - compute.count_distinct(whole).as_py()
    if repeated:
        return {}, [f"{repeated:,} keys stand more than once, so that samples are called by their numbers"]
    return joined, []


def keys_digest(keys: Any) -> bytes:
    """32 bytes that change when the keys do; none for none."""
    if keys is None:
        return b""
    digest = hashlib.sha256()
    for start in range(0, len(keys), _AT_ONCE):
        digest.update("\0".join([*keys[start : start + _AT_ONCE].to_pylist(), ""]).encode("utf-8", "surrogatepass"))
    return digest.digest()


def _joined(columns: Sequence[Any]) -> Any:
    import pyarrow

    text = pyarrow.large_string()
    chunks = [chunk.cast(text) for column in columns for chunk in column.chunks]
    return pyarrow.concat_arrays(chunks) if chunks else pyarrow.array([], text)
