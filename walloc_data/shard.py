"""The write path: a source to a dataset, planned first, resumable, the same bytes for any number of workers."""

import os
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from walloc_data.codec import Codec, one_thread
from walloc_data.dataset_codec import read_dataset_codec, write_dataset_codec
from walloc_data.entropy import Coder, coder_class
from walloc_data.errors import DatasetError
from walloc_data.format import CODEC_FILE, JOURNAL_FILE, MANIFEST_FILE, Manifest, Summary
from walloc_data.numbers import whole_number
from walloc_data.signals import Reader, reader_for
from walloc_data.sources import open_source
from walloc_data.storage import open_storage
from walloc_data.write.clips import cut
from walloc_data.write.encode_shard import Job, write_shard
from walloc_data.write.engine import engine_of
from walloc_data.write.finish import CARD_FILE, ERRORS_FILE, write_errors, write_manifest
from walloc_data.write.fit_coder import fit_coder
from walloc_data.write.journal import write_journal
from walloc_data.write.local import end_if_unguarded
from walloc_data.write.output import LocalOutput, output_at
from walloc_data.write.plan import Options, Plan, measured_keys
from walloc_data.write.resume import former_run, head_of
from walloc_data.write.samples import KeptSamples
from walloc_data.write.tasks import made_shards
from walloc_data.zoo import load_codec

__all__ = ["Sharded", "shard_dataset"]


@dataclass(frozen=True, kw_only=True)
class Sharded(Summary):
    """What a dataset came to, and how this run got there: `seconds` it took, samples `written` in it, and `notes` on
    the source, on what was made again, and on fields that have other names."""

    dataset_bytes: int
    seconds: float
    written: int
    notes: tuple[str, ...] = ()

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
    workers: int | None = None,
    address: str | None = None,
    on_error: str = "skip",
    progress: bool = False,
) -> Sharded:
    """Encode a source into `out`, a folder or a URL; run again after an interruption, it goes on where it stopped.

    `source` is whatever `open_source` takes, such as the path of a folder; `codec` a codec or what `load_codec` takes;
    `reader` says what raw data means (None: as the codec wants it, such as `ImageReader()`). `workers` processes
    (None: this one) share the shards; with `engine="ray"` they are so many at a time (None: as many as it has cores) on
    the Ray cluster at `address` (None: at `$RAY_ADDRESS`, or one of this machine alone). `on_error` is `"skip"` (a
    sample that cannot be read goes to `errors.jsonl`) or `"stop"`. `progress` shows a bar on a terminal, and a line now
    and then elsewhere.

    Raises `SourceError` for what is no source, `CodecError` for what is no codec, `DatasetError` where `out` holds
    something else or cannot be written, and `SampleError` with `"stop"`. What is finished stays.
    """
    end_if_unguarded()
    workers = None if workers is None else whole_number("workers", workers, least=1)
    tasks = engine_of(engine, workers, address)
    if on_error not in ("skip", "stop"):
        raise DatasetError(f"on_error={on_error!r} is not 'skip' or 'stop'")
    output, options, started = output_at(out), options or Options(), time.perf_counter()
    if not isinstance(options, Options):
        raise DatasetError(f"options are Options(limit=..., columns=...), not {options!r}")
    codec = codec if isinstance(codec, Codec) else load_codec(codec)
    reader = reader or reader_for(codec.config)
    config = codec.config
    if not callable(getattr(reader, "read", None)):
        raise DatasetError(f"reader is one of a kind of signal, such as ImageReader(size=256), not {reader!r}")
    if (reader.kind, reader.dims, reader.channels) != (config.kind, config.dims, config.signal_channels):
        raise DatasetError(
            f"codec {codec.name!r} is for {config.kind} of {config.signal_channels} channels, and the reader gives "
            f"{reader.kind} of {reader.channels}"
        )
    coder_class(options.coder)  # before anything is written
    source = cut(open_source(source, suffixes=reader.suffixes), reader)
    inside = isinstance(output, LocalOutput) and output.folder.resolve().is_relative_to(source.name)
    if inside and os.path.isdir(source.name):
        raise DatasetError(f"{out} lies in {source.name} and would be taken for samples: choose a folder outside it")
    plan, stop, written = Plan.of(source, reader, codec, options), on_error == "stop", 0
    try:
        with output.owned():
            former = former_run(output, plan, stop=stop)
            reports, folder = dict(former.reports), output.folder
            if not former.complete:
                output.drop(MANIFEST_FILE)  # it is not what it says until all is made
                head = head_of(plan)
                write_journal(folder, head, reports.values())
                with one_thread():
                    kept = KeptSamples()
                    coder = _coder(folder, plan, kept)
                    output.keep(JOURNAL_FILE, CODEC_FILE)
                    measured = measured_keys(plan)
                    job = Job(source.splits, codec, coder, reader, options, measured, stop, kept)
                    todo = [task for task in plan.tasks if task.name not in reports]
                    reports.update(made_shards(partial(write_shard, job), todo, output, tasks, progress=progress))
                in_order = [reports[task.name] for task in plan.tasks]
                write_journal(folder, head, in_order)
                write_errors(folder, in_order)
                output.keep(JOURNAL_FILE, ERRORS_FILE)
                write_manifest(folder, plan, in_order, url=output.url, repo=output.repo)
                output.keep(CARD_FILE, MANIFEST_FILE)
                written = sum(map(len, todo))
            manifest = Manifest.read(folder)
        renamed = {name: other for report in reports.values() for name, other in report.renamed.items()}
        others = [f"field {name!r} is stored as {other!r}" for name, other in renamed.items()]
        others += _left_out(plan, manifest)
        summary = manifest.summary
        size = sum(output.sizes().values())
    except OSError as error:
        raise DatasetError(
            f"cannot write in {output.url}: {error.strerror or error}. What is finished is kept: run the same command "
            "again to go on"
        ) from error
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate memory" not in str(error):  # as torch says it
            raise
        raise DatasetError(
            f"there is not enough memory to write {output.url}: use fewer workers, or read smaller signals. What is "
            "finished is kept: run again to go on"
        ) from error
    return Sharded(
        **asdict(summary),
        dataset_bytes=size,
        seconds=time.perf_counter() - started,
        written=written,
        notes=(*source.notes, *former.notes, *others),
    )


def _left_out(plan: Plan, manifest: Manifest) -> list[str]:
    """What the columns that were asked for leave a person to know."""
    wanted = plan.options.columns
    if wanted is None:
        return []
    notes = [f"no sample has a field {name!r}" for name in wanted if name not in manifest.columns]
    if "label" in plan.source.classes and "label" not in wanted:
        notes.append("labels are left out: they are the column 'label'")
    return notes


def _coder(folder: Path, plan: Plan, kept: KeptSamples) -> Coder:
    """The coder with tables fitted to this dataset, kept in `codec.safetensors` from the first run on."""
    if not (folder / CODEC_FILE).exists():
        write_dataset_codec(folder, plan.codec, fit_coder(plan, kept))
    return read_dataset_codec(open_storage(folder))[1]
