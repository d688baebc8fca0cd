"""One shard of the write path: read, encode, code, write. Its bytes depend on its task alone."""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from walloc_data.codec import LATENT_MAX, Codec
from walloc_data.entropy import Coder
from walloc_data.errors import DatasetError, SampleError
from walloc_data.format import ShardInfo, ShardWriter
from walloc_data.signals import Reader, Signal
from walloc_data.sources import Split
from walloc_data.storage.work import Work
from walloc_data.write.measure import Moments, measured_psnr
from walloc_data.write.pack import Packer
from walloc_data.write.plan import Options, ShardTask
from walloc_data.write.rows import renamed
from walloc_data.write.samples import KeptSamples, Rows, bytes_of, read_sample

__all__ = [
    "Job",
    "ShardReport",
    "ahead",
    "empty_report",
    "encode_signals",
    "pack_shard",
    "stamp_of",
    "write_shard",
]


_Latents: TypeAlias = list[NDArray[np.int8]]
_AHEAD, _SMALL = 4, 1 << 22  # groups that may wait for the thread that encodes, and bytes of one of those
_CODED, _CODED_LATENTS = 32, 1 << 18  # the first of a shard, whose bits are told apart by channel


@dataclass(frozen=True)
class Job:
    """What all tasks of a run share.

    Samples whose key is in `measured` are decoded and compared; `stop` ends the run at the first sample that cannot be
    read; `kept` are some that have been read already.
    """

    splits: Mapping[str, Split]
    codec: Codec
    coder: Coder
    reader: Reader
    options: Options
    measured: frozenset[str]
    stop: bool
    kept: KeptSamples = field(default_factory=KeptSamples)


@dataclass
class ShardReport:
    """What became of a task: the shard, sums over its samples, the types of its columns, and the names of fields
    that were called like one of ours; of its latents, by channel, the sums, those of squares, and the bits a latent of
    some. A line of the journal."""

    split: str
    shard: ShardInfo
    source_bytes: int = 0
    latents: int = 0
    saturated: int = 0
    psnr: list[float] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    sums: list[int] = field(default_factory=list)
    squares: list[int] = field(default_factory=list)
    bits: list[float] = field(default_factory=list)

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "ShardReport":
        """The inverse of `to_json`; raises ValueError, TypeError or KeyError for a damaged line."""
        content = dict(json.loads(line))
        known = {entry.name for entry in fields(cls)} - {"shard"}
        rest = {name: value for name, value in content.items() if name in known}
        return cls(shard=ShardInfo.of(dict(content["shard"])), **rest)


def write_shard(job: Job, out: Path, task: ShardTask, tick: Callable[[int], None]) -> ShardReport:
    """Write one shard in a folder and say what became of it; `tick` is told of samples as they are done.

    Raises `SampleError` with `job.stop`, and `DatasetError` where the shard cannot be written.
    """
    report = empty_report(task)
    stamp, options = stamp_of(task, job.splits[task.split]), job.options

    def samples() -> Iterator[tuple[NDArray[np.int8], dict[str, Any]]]:
        for group, of_group in ahead(partial(_latents, job, report), _groups(job, task, report, tick)):
            for (row, _), latents in zip(group, of_group, strict=True):
                yield latents, row

    pack_shard(
        report,
        out,
        samples(),
        coder=job.coder,
        fingerprint=job.codec.fingerprint,
        layout=options.layout,
        block=options.block,
        views=options.views,
        sizes="bytes" in options.measure,
    )
    report.shard = replace(report.shard, source=stamp)
    return report


def empty_report(task: ShardTask) -> ShardReport:
    """Of a task of which nothing is done yet."""
    empty = ShardInfo(name=f"{task.name}.tar", samples=0, records=0, bytes=0, payload_bytes=0, sha256="")
    return ShardReport(task.split, empty)


def pack_shard(
    report: ShardReport,
    out: Path,
    samples: Iterable[tuple[NDArray[np.int8], Mapping[str, Any]]],
    *,
    coder: Coder,
    fingerprint: str,
    layout: str,
    block: int,
    views: int = 1,
    sizes: bool = False,
) -> None:
    """Write latents int8 `[c, *space]` and rows to the shard of a report, as they come, all `views` of a sample behind
    one another, and note what it is, and what was counted of its latents. With `sizes`, the column `bytes` is the
    payload of each sample. No samples make no shard. Raises `DatasetError` where it cannot be written.
    """
    path = out / report.shard.name
    try:
        with ShardWriter(path) as writer:
            packer = Packer(
                writer,
                path.stem,
                coder=coder,
                fingerprint=fingerprint,
                layout=layout,
                block=block,
                views=views,
                sizes=sizes,
            )
            moments, first = Moments(), list[NDArray[np.int8]]()
            for latents, row in samples:
                report.latents += latents.size
                report.saturated += int(np.count_nonzero(np.abs(latents) == LATENT_MAX))
                moments.add(latents)
                if len(first) < _CODED and sum(one.size for one in first) < _CODED_LATENTS:
                    first.append(latents)
                packer.add(latents, row)
            packer.flush()
    except OSError as error:
        raise DatasetError(
            f"cannot write {path}: {error.strerror or error}. What is finished is kept: make room, then run the same "
            "command again to go on"
        ) from error
    if not packer.samples:
        path.unlink()
        path.with_suffix(".idx").unlink()
    if first:
        report.sums, report.squares = moments.sums, moments.squares
        report.bits = [round(float(bits), 4) for bits in coder.bits_by_channel(first)]
    report.columns = packer.columns
    report.shard = replace(
        report.shard,
        samples=packer.samples,
        records=writer.records,
        bytes=writer.bytes,
        payload_bytes=packer.payload_bytes,
        sha256=writer.digest.hexdigest(),
    )


def stamp_of(task: ShardTask, split: Split) -> str:
    """16 hex digits that change when a sample's file does; empty where that is not known."""
    stamps = [split.stamp(index) for index in task.indices]
    return hashlib.sha256("\n".join(stamps).encode()).hexdigest()[:16] if any(stamps) else ""


def encode_signals(codec: Codec, signals: Sequence[Signal]) -> list[NDArray[np.int8]]:
    """Latents `int8 [c, *space]` of each signal; signals of one shape and dtype are encoded together."""
    values = [torch.from_numpy(signal.values) for signal in signals]
    if len({(value.shape, value.dtype) for value in values}) == 1:
        return list(codec.encode(torch.stack(values)).numpy())
    return [codec.encode(value[None])[0].numpy() for value in values]


def ahead(encode: Callable[[Rows], _Latents], groups: Iterable[Rows]) -> Iterator[tuple[Rows, _Latents]]:
    """Groups with their latents, which a thread makes, one group after the other, while the next are read, which takes
    as long; sources, which may not like it, are not read in another thread. Large signals are not gathered."""
    with Work(1, "walloc-encode") as work:
        coming = deque[tuple[Rows, Future[_Latents]]]()
        for group in groups:
            coming.append((group, work.submit(partial(encode, group))))
            small = sum(signal.values.nbytes for _, signal in group) < _SMALL
            while len(coming) > (_AHEAD if small else 1):
                earlier, latents = coming.popleft()
                yield earlier, work.result(latents)
        for earlier, latents in coming:
            yield earlier, work.result(latents)


def _latents(job: Job, report: ShardReport, group: Rows) -> _Latents:
    """Of a group, some of which may be measured."""
    found = encode_signals(job.codec, [signal for _, signal in group])
    for (row, signal), latents in zip(group, found, strict=True):
        _measure(job, report, row, signal, latents)
    return found


def _groups(job: Job, task: ShardTask, report: ShardReport, tick: Callable[[int], None]) -> Iterator[Rows]:
    """Rows and signals of the samples that can be read, as many at a time as are encoded at once.

    Those of a group are of one shape, dtype and record. What is in a group thus depends on the task alone, and a worker
    holds no more signals than a few groups, of large ones two.
    """
    group: Rows = []
    read = 0
    for index in task.indices:
        views = _read(job, task.split, index, report)
        tick(1)
        for view in views:
            values = view[1].values
            if group and (values.shape, values.dtype) != (group[0][1].values.shape, group[0][1].values.dtype):
                yield group
                group = []
            group.append(view)
            read += 1
            if len(group) >= job.codec.at_once(values.shape) or read % (job.options.block * len(views)) == 0:
                yield group
                group = []
    if group:
        yield group


def _read(job: Job, name: str, index: int, report: ShardReport) -> Rows:
    """The rows and signals of a sample; none, and the reason in the report, of one that cannot be read."""
    split = job.splits[name]
    try:
        kept = job.kept.take(name, split, index)
        raw, views = kept or read_sample(split, index, job.reader, job.options)
    except SampleError as error:
        if job.stop:
            raise SampleError(f"{error}. Mend it and run again, or pass it over with --on-error skip") from error
        report.errors.append({"key": split.key(index), "reason": str(error)})
        return []
    report.renamed |= renamed(raw.fields, [*views[0][1].fields, *job.options.measure])
    report.source_bytes += bytes_of(raw)
    return views


def _measure(job: Job, report: ShardReport, row: dict[str, Any], signal: Signal, latents: NDArray[np.int8]) -> None:
    of_each = "psnr" in job.options.measure
    some = row["key"] in job.measured and not row.get("view")  # of views the first
    if of_each or some:
        quality = measured_psnr(job.codec, signal.values, latents, length=signal.fields.get("length"))
        if some:
            report.psnr.append(round(quality, 4))
        if of_each:
            row["psnr"] = np.float32(round(quality, 4))
