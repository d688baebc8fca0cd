"""The write path: a source to a dataset, planned first, resumable, the same bytes for any number of workers."""

import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from walloc_data.bundle import read_bundle, write_bundle
from walloc_data.card import dataset_card
from walloc_data.codec import Codec
from walloc_data.encode_shard import Job, ShardReport, encode_pictures, one_thread, write_shard
from walloc_data.entropy import Coder, coder_class
from walloc_data.errors import DatasetError, SampleError
from walloc_data.format import CODEC_FILE, MANIFEST_FILE, Manifest, replace_file
from walloc_data.plan import Options, ShardTask, coder_sample, describe, identity, plan_shards
from walloc_data.sources import ImageFolder, ImageReader

__all__ = ["Summary", "shard_dataset"]

JOURNAL_FILE = ".walloc-journal.jsonl"
ERRORS_FILE = "errors.jsonl"
CARD_FILE = "README.md"
_CODER_LATENTS = 1 << 28  # enough to fit a coder to, however large the images


@dataclass(frozen=True)
class Summary:
    """What a dataset came to; `psnr` in dB, the mean over a few samples of each shard.

    `seconds` and `written` (samples) are of this run alone.
    """

    samples: int
    skipped: int
    source_bytes: int
    dataset_bytes: int
    payload_bytes: int
    latents: int
    saturated: int
    psnr: float
    seconds: float
    written: int

    @property
    def bits_per_latent(self) -> float:
        """Bits of payload a latent."""
        return 8 * self.payload_bytes / max(1, self.latents)

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
) -> Summary:
    """Encode a source into the folder `out`; run again after an interruption, it goes on where it stopped.

    `workers` processes (1: this one) share the shards. `on_error` is `"skip"` (a sample that cannot be
    read goes to `errors.jsonl`) or `"stop"`. Raises `DatasetError` where `out` holds something else or
    cannot be written, and `SampleError` with `"stop"`. What is finished stays.
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
        done = _open(out, source, tasks, plan)
        written = 0
        if done is not None:
            with one_thread():
                coder = _coder(out, source, codec, reader, options, tasks)
                job = Job(source.root, out, codec, coder, reader, options, on_error == "stop")
                todo = [task for task in tasks if task.name not in done]
                with tqdm(total=sum(len(task.items) for task in todo), unit=" samples", disable=not progress) as bar:
                    for name, report in _run(job, todo, workers, bar):
                        _append(out / JOURNAL_FILE, report.to_json())
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
    return Summary(**summary, dataset_bytes=size, seconds=time.perf_counter() - started, written=written)


def _open(out: Path, source: ImageFolder, tasks: list[ShardTask], plan: str) -> dict[str, ShardReport] | None:
    """What an earlier run of this plan finished, by shard, or None if it finished all."""
    if out.exists() and not out.is_dir():
        raise DatasetError(f"{out} is not a folder")
    if (out / MANIFEST_FILE).exists():
        manifest = Manifest.read(out)
        if manifest.plan != plan:
            raise DatasetError(
                f"{out} holds another dataset, or one made with other options: choose another folder or delete it"
            )
        if not _same_files(manifest, source, tasks):
            raise DatasetError(
                f"{out} holds a dataset of other files with the same names: choose another folder or delete it"
            )
        return None
    journal, first = out / JOURNAL_FILE, json.dumps({"plan": plan, "source": str(source.root.resolve())})
    if not journal.exists():
        if out.exists() and any(out.iterdir()):
            raise DatasetError(f"{out} is not empty and holds no dataset: choose an empty or a new folder")
        out.mkdir(parents=True, exist_ok=True)
        replace_file(journal, first + "\n")
        return {}
    text = journal.read_text("utf-8", errors="replace")
    lines = text.splitlines()
    if lines[:1] != [first]:
        raise DatasetError(
            f"{out} holds an unfinished dataset of another source or made with other options: run that command again "
            "to finish it, or choose another folder, or delete it"
        )
    if not text.endswith("\n"):
        _append(journal, "")  # so that the next line does not become part of one that a kill cut short
    for leftover in out.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)
    done = {}
    for line in lines[1:]:
        try:
            report = ShardReport.from_json(line)
        except (ValueError, TypeError, KeyError):
            continue  # cut short: its shard is written again
        path = out / report.shard.name
        whole = path.exists() and path.stat().st_size == report.shard.bytes and path.with_suffix(".idx").exists()
        if whole or not report.shard.samples:
            done[path.stem] = report
    return done


def _same_files(manifest: Manifest, source: ImageFolder, tasks: list[ShardTask]) -> bool:
    """Whether the files of a source can be those a dataset was made of, by the sum of their bytes."""
    total = 0
    for task in tasks:
        for item in task.items:
            with suppress(OSError):  # was skipped
                total += source.path(item).stat().st_size
    made_of = manifest.summary["source_bytes"]
    return bool(total >= made_of if manifest.summary["skipped"] else total == made_of)


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
        write_bundle(out, codec, coder_class(options.coder).fit(latents))
    return read_bundle(out)[1]


def _run(job: Job, tasks: list[ShardTask], workers: int, bar: Any) -> Iterator[tuple[str, ShardReport]]:
    if workers == 1 or len(tasks) <= 1:
        for task in tasks:
            yield task.name, write_shard(job, task, bar.update)
        return
    context = multiprocessing.get_context("spawn")
    counter = context.Value("q", 0)
    with ProcessPoolExecutor(
        min(workers, len(tasks)), mp_context=context, initializer=_start_worker, initargs=(job, counter, os.getpid())
    ) as pool:
        with _deferred_interrupt():
            pending: dict[Future[ShardReport], str] = {pool.submit(_work, task): task.name for task in tasks}
        failure: Exception | None = None
        try:
            while pending:
                finished, _ = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                bar.update(counter.value - bar.n)
                for future in finished:
                    name = pending.pop(future)
                    if future.cancelled():
                        continue
                    error = future.exception()
                    if error is None:
                        yield name, future.result()
                    elif failure is None:  # let running shards finish and be kept; start no more
                        failure = error if isinstance(error, Exception) else RuntimeError(str(error))
                        for waiting in pending:
                            waiting.cancel()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if isinstance(failure, BrokenProcessPool):
        raise DatasetError(
            f"a worker process died (killed, or out of memory: try fewer --workers). Finished shards of {job.out} are "
            "kept: run the same command again to go on"
        ) from failure
    if failure is not None:
        raise failure


@contextmanager
def _deferred_interrupt() -> Iterator[None]:
    """Processes started meanwhile are deaf to Ctrl-C too, until they can answer it without a traceback."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


_JOB: Job
_TICK: Callable[[int], None]


def _start_worker(job: Job, counter: Any, parent: int) -> None:
    global _JOB, _TICK
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # the parent says what there is to say
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def tick(samples: int) -> None:
        with counter.get_lock():
            counter.value += samples

    _JOB, _TICK = job, tick
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _work(task: ShardTask) -> ShardReport:
    return write_shard(_JOB, task, _TICK)


def _append(journal: Path, line: str) -> None:
    with journal.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


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
    summary = {
        "samples": sum(report.shard.samples for report in kept),
        "skipped": len(errors),
        "source_bytes": sum(report.source_bytes for report in kept),
        "payload_bytes": sum(report.shard.payload_bytes for report in kept),
        "latents": sum(report.latents for report in kept),
        "saturated": sum(report.saturated for report in kept),
        "psnr": round(sum(ratios) / len(ratios), 2),
    }
    manifest = Manifest(
        codec=codec.name,
        fingerprint=codec.fingerprint,
        coder=options.coder,
        layout=options.layout,
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
