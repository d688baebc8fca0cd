"""Whether every byte of a dataset is the one that was written, wherever it lies."""

import hashlib
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

from tqdm import tqdm

from walloc_data.errors import FormatError, WallocError
from walloc_data.format import ShardInfo
from walloc_data.read.opened import open_dataset, read_entries
from walloc_data.storage import Storage, StorageOptions, UnreachableError
from walloc_data.storage.work import Work

__all__ = ["find_damage"]

_CHUNK, _AHEAD = 1 << 23, 4  # bytes of a request, and how many are under way


def find_damage(
    root: str | os.PathLike[str], *, storage: StorageOptions | None = None, progress: bool = False
) -> list[str]:
    """A sentence for each file that is missing, cut short or changed; none for a dataset that is whole.

    Reads all of the dataset in the folder or at the URL `root`, past the cache. `progress` shows a bar on a terminal.
    Raises `FormatError`, `CodecError` or `CoderError` where the manifest or the codec are damaged, and `DatasetError`
    where they cannot be reached or, in the middle, nobody answers any more.
    """
    opened = open_dataset(root, replace(storage or StorageOptions(), cache_bytes=0))
    shards = [shard for shards in opened.manifest.splits.values() for shard in shards]
    found = []
    with (
        Work(_AHEAD, "walloc-check") as work,
        tqdm(
            desc="checking",
            total=sum(shard.bytes for shard in shards),
            unit="B",
            unit_scale=True,
            disable=not progress or None,
        ) as bar,
    ):
        for shard in shards:
            for look in (partial(_compare, work=work, bar=bar), read_entries):
                try:
                    look(opened.storage, shard)
                except UnreachableError:
                    raise
                except WallocError as error:
                    found.append(str(error))
    return found


def _compare(storage: Storage, shard: ShardInfo, *, work: Work, bar: "tqdm[None]") -> None:
    """Hold a shard against its line in the manifest. Raises `FormatError` where it is another."""
    where, size = f"{storage.url}/{shard.name}", storage.size(shard.name)
    if size != shard.bytes:
        raise FormatError(f"{where} has {size} bytes, not {shard.bytes}")
    digest = hashlib.sha256()
    for chunk in _chunks(storage, shard.name, size, work):
        digest.update(chunk)
        bar.update(len(chunk))
    if digest.hexdigest() != shard.sha256:
        raise FormatError(f"{where} is damaged (its sha256 is not that of the manifest)")


def _chunks(storage: Storage, name: str, size: int, work: Work) -> Iterator[bytes]:
    """A file in its order, the next chunks of which come meanwhile."""
    coming: deque[Future[bytes]] = deque()
    for start in range(0, size, _CHUNK):
        if len(coming) == _AHEAD:
            yield work.result(coming.popleft())
        coming.append(work.submit(partial(storage.read_range, name, start, min(size, start + _CHUNK))))
    while coming:
        yield work.result(coming.popleft())
