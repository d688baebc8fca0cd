"""Whether every byte of a dataset is the one that was written, wherever it lies."""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from walloc_data.errors import DatasetError, FormatError, WallocError
from walloc_data.format import CODEC_FILE, JOURNAL_FILE, MANIFEST_FILE, Manifest, ShardInfo, is_sealed
from walloc_data.read.examine import Examination, Flow
from walloc_data.read.opened import OpenedDataset, open_dataset, read_entries
from walloc_data.storage import Storage, StorageOptions, UnreachableError, open_storage
from walloc_data.storage.work import Work
from walloc_data.write.finish import ERRORS_FILE, errors_text
from walloc_data.write.journal import damaged_lines, read_journal

__all__ = ["Damage", "verify_dataset"]

_CHUNK, _AHEAD = 1 << 23, 4  # bytes of a request, and how many are under way


@dataclass(frozen=True)
class Damage:
    """A `file` of a dataset that is not what was written, and `what` is wrong, in a sentence.

    As far as that is known: the `record` of the shard, from 0, the `sample` of the record, from 0, and its `key`.
    """

    file: str
    what: str
    record: int | None = None
    sample: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        return self.what


def verify_dataset(
    root: str | os.PathLike[str],
    *,
    deep: bool = False,
    storage: StorageOptions | None = None,
    progress: bool = False,
) -> list[Damage]:
    """All that is missing, cut short or changed of a dataset; nothing of one that is whole.

    Reads all of the dataset in the folder or at the URL `root`, past the cache, and holds it against the sums in its
    manifest, which has one of its own. With `deep`, every record is decoded and every sum in it is checked, so that
    damage is named to the record and the sample, also where a shard was written wrong. The card is not looked at; the
    journal and `errors.jsonl` are where the dataset is a folder. `progress` shows a bar on a terminal.

    Raises `FormatError` or `DatasetError` for what is no finished dataset, and `DatasetError` where it cannot be
    reached or, in the middle, nobody answers any more.
    """
    options = replace(storage or StorageOptions(), cache_bytes=0)
    found, place, manifest, opened = _open(root, options)
    if manifest is None:
        return found + _papers(place, None)
    shards = [shard for of_split in manifest.splits.values() for shard in of_split]
    total = sum(shard.bytes for shard in shards)
    with (
        Work(_AHEAD, "walloc-verify") as work,
        tqdm(desc="verifying", total=total, unit="B", unit_scale=True, disable=not progress or None) as bar,
    ):
        for shard in shards:
            entries, of_index = _index(place, shard)
            chunks = partial(_chunks, place, shard.name, shard.bytes, work, bar)
            found += _shard(place, shard, chunks, _examination(opened, shard, entries) if deep else None)
            found += of_index
    return found + _papers(place, manifest)


def _open(
    root: str | os.PathLike[str], options: StorageOptions
) -> tuple[list[Damage], Storage, Manifest | None, OpenedDataset | None]:
    """What is wrong with manifest and codec, and both, as far as they can be read."""
    try:
        opened = open_dataset(root, options)
    except UnreachableError:
        raise
    except WallocError as error:
        return _closed(root, options, error)
    place = opened.storage
    found = [_edited(place)] if is_sealed(place.read(MANIFEST_FILE)) is False else []
    return found, place, opened.manifest, opened


def _closed(
    root: str | os.PathLike[str], options: StorageOptions, error: WallocError
) -> tuple[list[Damage], Storage, Manifest | None, None]:
    """The same of a dataset that does not open. What is as it was written is no damage, but of a later version."""
    try:
        place = open_storage(root, options)
        data = place.read(MANIFEST_FILE)
    except (WallocError, TypeError):  # there is no dataset
        raise error from None
    sealed = is_sealed(data)
    try:
        manifest = Manifest.parse(data, f"{place.url}/{MANIFEST_FILE}")
    except FormatError as reason:
        if sealed:
            raise
        return [Damage(MANIFEST_FILE, str(reason))], place, None, None
    found = [_edited(place)] if sealed is False else []
    try:
        whole = hashlib.sha256(place.read(CODEC_FILE)).hexdigest() == manifest.codec_sha256
    except UnreachableError:
        raise
    except WallocError:
        whole = False
    if not whole:
        found.append(Damage(CODEC_FILE, str(error)))
    elif sealed:
        raise error from None
    elif not found:  # of version 0.1, which knew all that it wrote
        found.append(Damage(MANIFEST_FILE, str(error)))
    return found, place, manifest, None


def _edited(place: Storage) -> Damage:
    return Damage(MANIFEST_FILE, f"{place.url}/{MANIFEST_FILE} is damaged, or was edited (its checksum)")


def _index(storage: Storage, shard: ShardInfo) -> tuple[NDArray[np.void] | None, list[Damage]]:
    try:
        return read_entries(storage, shard), []
    except UnreachableError:
        raise
    except WallocError as error:
        return None, [Damage(shard.index, str(error))]


def _examination(
    opened: OpenedDataset | None, shard: ShardInfo, entries: NDArray[np.void] | None
) -> Examination | None:
    if opened is None:  # without its codec, a shard's bytes can be held against its sum alone
        return None
    return Examination(
        shard,
        entries,
        fingerprint=opened.manifest.fingerprint,
        channels=opened.codec.channels,
        coder=opened.coder,
        where=f"{opened.storage.url}/{shard.name}",
    )


def _shard(
    storage: Storage, shard: ShardInfo, chunks: Callable[[], Iterator[bytes]], examination: Examination | None
) -> list[Damage]:
    """Hold a shard against its line in the manifest, and its records against themselves."""
    where, digest = f"{storage.url}/{shard.name}", hashlib.sha256()
    found: list[Damage] = []

    def summed() -> Iterator[bytes]:
        for chunk in chunks():
            digest.update(chunk)
            yield chunk

    try:
        size = storage.size(shard.name)
        if size != shard.bytes:
            raise FormatError(f"{where} has {size} bytes, not {shard.bytes}")
        flow = Flow(summed())
        if examination is not None:
            found = [Damage(shard.name, *finding) for finding in examination.findings(flow)]
        flow.skip(shard.bytes)
        if digest.hexdigest() != shard.sha256:
            raise FormatError(f"{where} is damaged (its sha256 is not that of the manifest)")
    except UnreachableError:
        raise
    except WallocError as error:
        return [Damage(shard.name, str(error)), *found]
    return found


def _papers(storage: Storage, manifest: Manifest | None) -> list[Damage]:
    """What is wrong with the files that only writing needs."""
    journal, errors = storage.path(JOURNAL_FILE), storage.path(ERRORS_FILE)
    if journal is None or errors is None:
        return []
    found = []
    try:
        passed_over = errors.read_bytes() if errors.exists() else b""
        if journal.exists():
            lines = damaged_lines(journal.read_bytes())
            if lines:
                named = ", ".join(str(line + 1) for line in lines[:3])
                found.append(Damage(JOURNAL_FILE, f"{journal} is damaged in line {named}"))
                return found
            head, reports = read_journal(journal.parent)
            of_this = manifest is not None and head is not None and head.plan == manifest.plan
            if of_this and passed_over != errors_text(reports.values()).encode():
                found.append(Damage(ERRORS_FILE, f"{errors} is not what the journal says"))
        elif manifest is not None and passed_over.count(b"\n") not in (0, manifest.summary.skipped):
            found.append(Damage(ERRORS_FILE, f"{errors} has not {manifest.summary.skipped} lines"))
    except OSError as error:
        raise DatasetError(f"{error.filename}: cannot be read ({error.strerror})") from error
    return found


def _chunks(storage: Storage, name: str, size: int, work: Work, bar: "tqdm[None]") -> Iterator[bytes]:
    """A file in its order, the next chunks of which come meanwhile."""
    coming: deque[Future[bytes]] = deque()
    starts = iter(range(0, size, _CHUNK))
    while True:
        for start in islice(starts, _AHEAD - len(coming)):
            coming.append(work.submit(partial(storage.read_range, name, start, min(size, start + _CHUNK))))
        if not coming:
            return
        chunk = work.result(coming.popleft())
        bar.update(len(chunk))
        yield chunk
