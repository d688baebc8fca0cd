"""The write path: a source to a dataset, planned first, resumable, the same bytes for any number of workers."""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.codec import Codec, one_thread
from walloc_data.dataset_codec import read_dataset_codec, write_dataset_codec
from walloc_data.entropy import Coder, coder_class
from walloc_data.errors import DatasetError, SampleError
from walloc_data.format import CODEC_FILE, Manifest, Summary, dataset_card, replace_file
from walloc_data.numbers import whole_number
from walloc_data.signals import Reader, reader_for
from walloc_data.sources import Source, open_source
from walloc_data.storage import open_storage
from walloc_data.write.earlier import identity_0_1
from walloc_data.write.encode_shard import Job, ShardReport, encode_signals, stamp_of, write_shard
from walloc_data.write.engine import engine_of
from walloc_data.write.journal import JOURNAL_FILE, append_line, open_journal
from walloc_data.write.plan import Options, coder_sample, describe, identity, measured_keys, plan_shards
from walloc_data.write.progress import Progress
from walloc_data.write.rows import joined
from walloc_data.zoo import load_codec

__all__ = ["Sharded", "shard_dataset"]

ERRORS_FILE = "errors.jsonl"
CARD_FILE = "README.md"
_CODER_LATENTS = 1 << 28  # enough to fit a coder to, however large the signals


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
    source: Any,
    out: str | os.PathLike[str],
    *,
    codec: Codec | str | os.PathLike[str] = "rgb-f8c12",
    reader: Reader | None = None,
    options: Options | None = None,
    engine: str = "local",
    workers: int = 1,
    on_error: str = "skip",
    progress: bool = False,
) -> Sharded:
    """Encode a source into the folder `out`; run again after an interruption, it goes on where it stopped.

    `source` is whatever `open_source` takes, such as the path of a folder; `codec` a codec or what `load_codec` takes;
    `reader` says what raw data means (None: as the codec wants it, such as `ImageReader()`). `workers` processes (1:
    this one) share the shards. `on_error` is `"skip"` (a sample that cannot be read goes to `errors.jsonl`) or
    `"stop"`. `progress` shows a bar on a terminal, and a line now and then elsewhere.

    Raises `SourceError` for what is no source, `CodecError` for what is no codec, `DatasetError` where `out` holds
    something else or cannot be written, and `SampleError` with `"stop"`. What is finished stays.
    """
    workers = whole_number("workers", workers, least=1)
    if on_error not in ("skip", "stop"):
        raise DatasetError(f"on_error={on_error!r} is not 'skip' or 'stop'")
    options, out, started = options or Options(), Path(out), time.perf_counter()
    codec = codec if isinstance(codec, Codec) else load_codec(codec)
    reader = reader or reader_for(codec.config)
    config = codec.config
    if (reader.kind, reader.dims, reader.channels) != (config.kind, config.dims, config.signal_channels):
        raise DatasetError(
            f"codec {codec.name!r} is for {config.kind} of {config.signal_channels} channels, and the reader gives "
            f"{reader.kind} of {reader.channels}"
        )
    source = open_source(source, suffixes=reader.suffixes)
    if os.path.isdir(source.name) and out.resolve().is_relative_to(source.name):
        raise DatasetError(f"{out} lies in {source.name} and would be taken for samples: choose a folder outside it")
    tasks = plan_shards({name: len(split) for name, split in source.splits.items()}, options)
    plan = identity(source, reader, codec.fingerprint, options)
    try:
        named = {task.name: task for task in tasks}

        def stamp(name: str) -> str:
            return stamp_of(named[name], source.splits[named[name].split]) if name in named else ""

        done = open_journal(
            out, source.name, plan, identity_0_1(tasks, source, reader, codec.fingerprint, options), stamp
        )
        written = 0
        if done is not None:
            with one_thread():
                coder = _coder(out, source, codec, reader, options, coder_sample(tasks))
                measured = measured_keys(tasks, source.splits)
                job = Job(source.splits, out, codec, coder, reader, options, measured, on_error == "stop")
                todo = [task for task in tasks if task.name not in done]
                with Progress(sum(map(len, todo)), silent=not progress) as bar:
                    for task, report in engine_of(engine, workers).run(partial(write_shard, job), todo, bar.tick):
                        append_line(out / JOURNAL_FILE, report.to_json())
                        done[task.name] = report
            _finish(out, source, codec, reader, options, plan, [done[task.name] for task in tasks])
            written = sum(map(len, todo))
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
    out: Path, source: Source, codec: Codec, reader: Reader, options: Options, sample: Sequence[tuple[str, int]]
) -> Coder:
    """The coder with tables fitted to this dataset, kept in `codec.safetensors` from the first run on."""
    if not (out / CODEC_FILE).exists():
        latents: list[NDArray[np.int8]] = []
        reasons = []
        for split, index in sample:
            if sum(one.size for one in latents) > _CODER_LATENTS:
                break
            try:
                raw = source.splits[split][index]
                latents += encode_signals(codec, [reader.read(raw.data, raw.name)])
            except SampleError as error:  # is met again, and counted, when its shard is written
                reasons.append(str(error))
        if not latents:
            raise DatasetError(f"none of {len(reasons)} samples of {source.name} can be read, such as {reasons[0]}")
        write_dataset_codec(out, codec, coder_class(options.coder).fit(latents))
    return read_dataset_codec(open_storage(out))[1]


def _finish(
    out: Path,
    source: Source,
    codec: Codec,
    reader: Reader,
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
        raise DatasetError(f"none of the {len(errors)} samples of {source.name} could be read: see {out / ERRORS_FILE}")
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
        classes=dict(source.classes),
        columns=_column_types(kept),
        plan=plan,
        options=describe(reader, options),
        summary=_summary(kept, len(errors)),
    )
    replace_file(out / CARD_FILE, dataset_card(manifest))
    manifest.write(out)


def _summary(kept: list[ShardReport], skipped: int) -> Summary:
    ratios = [value for report in kept for value in report.psnr]
    return Summary(
        samples=sum(report.shard.samples for report in kept),
        skipped=skipped,
        source_bytes=sum(report.source_bytes for report in kept),
        payload_bytes=sum(report.shard.payload_bytes for report in kept),
        latents=sum(report.latents for report in kept),
        saturated=sum(report.saturated for report in kept),
        psnr=round(sum(ratios) / len(ratios), 2) if ratios else None,
    )


def _column_types(kept: list[ShardReport]) -> dict[str, str]:
    """The type of each column in all shards; a column that some lack is of JSON, with null there."""
    types: dict[str, str] = {}
    for report in kept:
        for name, kind in report.columns.items():
            types[name] = joined(types.get(name, kind), kind)
    known = [report.columns for report in kept if report.columns]
    return {name: kind if all(name in columns for columns in known) else "json" for name, kind in types.items()}
