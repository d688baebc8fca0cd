"""One shard of the write path: read, encode, code, write. Its bytes depend on its task alone."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from walloc_data.codec import LATENT_MAX, Codec, psnr
from walloc_data.entropy import Coder
from walloc_data.errors import DatasetError, SampleError
from walloc_data.format import Column, ShardInfo, ShardWriter, pack_record
from walloc_data.sources import ImageReader, Item, Picture
from walloc_data.write.plan import Options, ShardTask

__all__ = ["Job", "ShardReport", "encode_pictures", "one_thread", "write_shard"]


@dataclass(frozen=True)
class Job:
    """What all tasks of a run share.

    Samples whose key is in `measured` are decoded and compared; `stop` ends the run at the first sample that cannot be
    read.
    """

    root: Path
    out: Path
    codec: Codec
    coder: Coder
    reader: ImageReader
    options: Options
    measured: frozenset[str]
    stop: bool


@dataclass
class ShardReport:
    """What became of a task: the shard, and sums over its samples. Survives as a line of the journal."""

    split: str
    shard: ShardInfo
    source_bytes: int = 0
    latents: int = 0
    saturated: int = 0
    psnr: list[float] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "ShardReport":
        """The inverse of `to_json`; raises ValueError, TypeError or KeyError for a damaged line."""
        content = dict(json.loads(line))
        return cls(shard=ShardInfo(**content.pop("shard")), **content)


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch with one thread, as every worker runs, so that sums round alike however the work is spread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def write_shard(job: Job, task: ShardTask, tick: Callable[[int], None]) -> ShardReport:
    """Write one shard and say what became of it; `tick` is told of samples as they are done.

    Raises `SampleError` with `job.stop`, and `DatasetError` where the shard cannot be written.
    """
    path = job.out / f"{task.name}.tar"
    empty = ShardInfo(name=path.name, samples=0, records=0, bytes=0, payload_bytes=0, sha256="")
    report = ShardReport(task.split, empty)
    samples = payload_bytes = 0
    try:
        with ShardWriter(path) as writer:
            for number, (items, pictures) in enumerate(_blocks(job, task.items, report, tick)):
                latents = encode_pictures(job.codec, pictures)
                payload_bytes += _add(job, writer, f"{task.name}-{number:04d}", items, pictures, latents)
                _measure(job, report, items, pictures, latents)
                samples += len(items)
    except OSError as error:
        raise DatasetError(
            f"cannot write {path}: {error.strerror or error}. What is finished is kept: make room, then run the same "
            "command again to go on"
        ) from error
    if not samples:
        path.unlink()
        path.with_suffix(".idx").unlink()
    report.shard = ShardInfo(
        name=path.name,
        samples=samples,
        records=writer.records,
        bytes=writer.bytes,
        payload_bytes=payload_bytes,
        sha256=writer.digest.hexdigest(),
    )
    return report


def encode_pictures(codec: Codec, pictures: list[Picture]) -> list[NDArray[np.int8]]:
    """Latents `int8 [c, *space]` of each picture; pictures of one size are encoded together."""
    signals = [torch.from_numpy(picture.pixels) for picture in pictures]
    if all(signal.shape == signals[0].shape for signal in signals):
        return list(codec.encode(torch.stack(signals)).numpy())
    return [codec.encode(signal[None])[0].numpy() for signal in signals]


def _blocks(
    job: Job, items: list[Item], report: ShardReport, tick: Callable[[int], None]
) -> Iterator[tuple[list[Item], list[Picture]]]:
    """Samples that can be read, `block` at a time; only the last may be fewer, so counts say what each record holds."""
    kept: list[Item] = []
    pictures: list[Picture] = []
    for item in items:
        path = job.root / item.key
        try:
            pictures.append(job.reader.read(path))
        except SampleError as error:
            if job.stop:
                raise SampleError(f"{error}. Mend it and run again, or pass it over with --on-error skip") from error
            report.errors.append({"key": item.key, "reason": str(error)})
        else:
            kept.append(item)
            report.source_bytes += path.stat().st_size
        tick(1)
        if len(kept) == job.options.block:
            yield kept, pictures
            kept, pictures = [], []
    if kept:
        yield kept, pictures


def _add(
    job: Job,
    writer: ShardWriter,
    name: str,
    items: list[Item],
    pictures: list[Picture],
    latents: list[NDArray[np.int8]],
) -> int:
    """Append samples to a shard, as one record or as one each. Returns the bytes of their payloads."""
    if all(sample.shape == latents[0].shape for sample in latents):
        payloads = job.coder.encode(np.stack(latents))
    else:
        payloads = [job.coder.encode(sample[None])[0] for sample in latents]
    pack = partial(pack_record, coder_id=job.coder.id, fingerprint=job.codec.fingerprint)
    if job.options.layout == "records":
        columns = _columns(items, pictures)
        writer.add(f"{name}.wlc", pack(payloads, latents, columns), samples=len(items))
    else:
        for index, (item, picture) in enumerate(zip(items, pictures, strict=True)):
            one = slice(index, index + 1)
            columns = _columns([item], [picture])
            key = f"{name}-{index:04d}"
            writer.add(f"{key}.wlc", pack(payloads[one], latents[one], columns), samples=1)
            if item.label is not None:
                writer.add(f"{key}.cls", str(item.label).encode())
            fields = {
                "key": _text(item.key),
                "size": picture.pixels.shape[1:],
                "original_size": picture.original_size,
            }
            writer.add(f"{key}.json", json.dumps(fields).encode())
    return sum(len(payload) for payload in payloads)


def _columns(items: list[Item], pictures: list[Picture]) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    if items[0].label is not None:
        columns["label"] = np.array([item.label for item in items], np.int32)
    columns["size"] = np.array([picture.pixels.shape[1:] for picture in pictures], np.int32)
    columns["original_size"] = np.array([picture.original_size for picture in pictures], np.int32)
    columns["key"] = [_text(item.key) for item in items]
    return columns


def _text(key: str) -> str:
    """A key as readers can take it: file names need not be UTF-8."""
    return key.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _measure(
    job: Job, report: ShardReport, items: list[Item], pictures: list[Picture], latents: list[NDArray[np.int8]]
) -> None:
    report.latents += sum(sample.size for sample in latents)
    report.saturated += sum(int(np.count_nonzero(np.abs(sample) == LATENT_MAX)) for sample in latents)
    for item, picture, sample in zip(items, pictures, latents, strict=True):
        if item.key in job.measured:
            decoded = job.codec.decode(torch.from_numpy(sample)[None], picture.pixels.shape[1:])
            report.psnr.append(round(psnr(decoded[0], torch.from_numpy(picture.pixels) / 255), 4))
