"""The write path: a source to a dataset, planned first, resumable, the same bytes for any number of workers."""

import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from walloc_data.codec import Codec
from walloc_data.dataset_codec import read_dataset_codec, write_dataset_codec
from walloc_data.entropy import Coder, coder_class
from walloc_data.errors import DatasetError, SampleError
from walloc_data.format import CODEC_FILE, Manifest, Summary, dataset_card, replace_file
from walloc_data.sources import ImageFolder, ImageReader
from walloc_data.storage import open_storage
from walloc_data.write.encode_shard import Job, ShardReport, encode_pictures, one_thread
from walloc_data.write.journal import JOURNAL_FILE, append_line, open_journal
from walloc_data.write.plan import Options, ShardTask, coder_sample, describe, identity, measured_keys, plan_shards
from walloc_data.write.pool import run_tasks

__all__ = ["Sharded", "shard_dataset"]

ERRORS_FILE = "errors.jsonl"
CARD_FILE = "README.md"
_CODER_LATENTS = 1 << 28  # enough to fit a coder to, however large the images


@dataclass(frozen=True, kw_only=True)
class Sharded(Summary):
    """What a dataset came to, and how this run got there: `seconds` it took and samples `written` in it."""

    dataset_bytes: int
    seconds: float
    written: int

    @property
    def ratio(self) -> float:
        """Bytes of the source over those of the dataset."""
        return self.source_bytes / max(1, self.dataset_bytes)


def shard_dataset(
    source: ImageFolder,
    out: str | os.PathLike[str],
    *,
    codec: Codec,
    reader: ImageReader,
    options: Options | None = None,
    workers: int = 1,
    on_error: str = "skip",
    progress: bool = False,
) -> Sharded:
    """Encode a source into the folder `out`; run again after an interruption, it goes on where it stopped.

    `workers` processes (1: this one) share the shards. `on_error` is `"skip"` (a sample that cannot be
    read goes to `errors.jsonl`) or `"stop"`. Raises `DatasetError` where `out` holds something else or
    cannot be written, and `SampleError` with `"stop"`. What is finished stays. `progress` shows a bar on a terminal.
    """
    if workers < 1 or on_error not in ("skip", "stop"):
        raise DatasetError("workers is a whole number from 1 on, and on_error 'skip' or 'stop'")
    options, out, started = options or Options(), Path(out), time.perf_counter()
    if out.resolve().is_relative_to(source.root.resolve()):
        raise DatasetError(f"{out} lies in {source.root}, and would be taken for images: choose a folder outside it")
    if reader.channels != codec.config.signal_channels or codec.config.dims != 2:
        raise DatasetError(f"codec {codec.name!r} is not for images of {reader.channels} channels")
    tasks = plan_shards(source, options)
    plan = identity(tasks, source.classes, reader, codec.fingerprint, options)
    try:
        done = open_journal(out, source, tasks, plan)
        written = 0
        if done is not None:
            with one_thread():
                coder = _coder(out, source, codec, reader, options, tasks)
                job = Job(source.root, out, codec, coder, reader, options, measured_keys(tasks), on_error == "stop")
                todo = [task for task in tasks if task.name not in done]
                with tqdm(
                    total=sum(len(task.items) for task in todo), unit=" samples", disable=not progress or None
                ) as bar:
                    for name, report in run_tasks(job, todo, workers, bar):
                        append_line(out / JOURNAL_FILE, report.to_json())
                        done[name] = report
            _finish(out, source, codec, reader, options, plan, [done[task.name] for task in tasks])
            written = sum(len(task.items) for task in todo)
        (out / JOURNAL_FILE).unlink(missing_ok=True)
        summary = Manifest.read(out).summary
        size = sum(path.stat().st_size for path in out.iterdir())
    except OSError as error:
        raise DatasetError(
            f"cannot write in {out}: {error.strerror or error}. What is finished is kept: run the same command again "
            "to go on"
        ) from error
    return Sharded(**asdict(summary), dataset_bytes=size, seconds=time.perf_counter() - started, written=written)


def _coder(
    out: Path, source: ImageFolder, codec: Codec, reader: ImageReader, options: Options, tasks: list[ShardTask]
) -> Coder:
    """The coder with tables fitted to this dataset, kept in `codec.safetensors` from the first run on."""
    if not (out / CODEC_FILE).exists():
        latents: list[NDArray[np.int8]] = []
        reasons = []
        for item in coder_sample(tasks):
            if sum(sample.size for sample in latents) > _CODER_LATENTS:
                break
            try:
                latents += encode_pictures(codec, [reader.read(source.path(item))])
            except SampleError as error:  # is met again, and counted, when its shard is written
                reasons.append(str(error))
        if not latents:
            raise DatasetError(f"none of {len(reasons)} samples of {source.root} can be read, such as {reasons[0]}")
        write_dataset_codec(out, codec, coder_class(options.coder).fit(latents))
    return read_dataset_codec(open_storage(out))[1]


def _finish(
    out: Path,
    source: ImageFolder,
    codec: Codec,
    reader: ImageReader,
    options: Options,
    plan: str,
    reports: list[ShardReport],
) -> None:
    """Write what describes the dataset as a whole, the manifest last."""
    errors = [error for report in reports for error in report.errors]
    if errors:
        replace_file(out / ERRORS_FILE, "".join(json.dumps(error, ensure_ascii=True) + "\n" for error in errors))
    kept = [report for report in reports if report.shard.samples]
    if not kept:
        raise DatasetError(f"none of the {len(errors)} samples of {source.root} could be read: see {out / ERRORS_FILE}")
    ratios = [value for report in kept for value in report.psnr]
    summary = Summary(
        samples=sum(report.shard.samples for report in kept),
        skipped=len(errors),
        source_bytes=sum(report.source_bytes for report in kept),
        payload_bytes=sum(report.shard.payload_bytes for report in kept),
        latents=sum(report.latents for report in kept),
        saturated=sum(report.saturated for report in kept),
        psnr=round(sum(ratios) / len(ratios), 2) if ratios else None,
    )
    manifest = Manifest(
        codec=codec.name,
        fingerprint=codec.fingerprint,
        codec_sha256=hashlib.sha256((out / CODEC_FILE).read_bytes()).hexdigest(),
        coder=options.coder,
        layout=options.layout,
        block=options.block,
        splits={
            split: [report.shard for report in kept if report.split == split]
            for split in source.splits
            if any(report.split == split for report in kept)
        },
        classes=source.classes,
        plan=plan,
        options=describe(reader, options),
        summary=summary,
    )
    replace_file(out / CARD_FILE, dataset_card(manifest))
    manifest.write(out)
