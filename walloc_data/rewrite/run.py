"""A dataset made of others: written shard by shard, and gone on with where it was interrupted."""

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from walloc_data.codec import one_thread
from walloc_data.dataset_codec import read_dataset_codec, write_dataset_codec
from walloc_data.errors import DatasetError
from walloc_data.format import CODEC_FILE, JOURNAL_FILE, MANIFEST_FILE, Manifest, dataset_card, replace_file
from walloc_data.rewrite.plan import Rewriting
from walloc_data.rewrite.shard import Recoding, rewrite_shard
from walloc_data.signals import told
from walloc_data.storage import open_storage
from walloc_data.write.encode_shard import ShardReport
from walloc_data.write.engine import engine_of
from walloc_data.write.finish import CARD_FILE
from walloc_data.write.journal import Head, read_journal, write_journal
from walloc_data.write.local import end_if_unguarded
from walloc_data.write.output import Output, output_at
from walloc_data.write.plan import ShardTask
from walloc_data.write.resume import stands
from walloc_data.write.tasks import made_shards

__all__ = ["Rewritten", "rewrite"]


@dataclass(frozen=True, kw_only=True)
class Rewritten:
    """The `manifest` of what was made, the samples `written` and the `seconds` it took in this run, and `notes`."""

    manifest: Manifest
    written: int
    seconds: float
    notes: tuple[str, ...] = ()


def rewrite(plan: Rewriting, out: str | os.PathLike[str], *, workers: int, progress: bool) -> Rewritten:
    """Write what is asked for to `out`, a folder or a URL; run again after an interruption, it goes on where it
    stopped.

    Raises `DatasetError` where `out` holds something else or cannot be written, and `FormatError` that names what is
    damaged of the datasets. What is finished stays.
    """
    end_if_unguarded()
    output, started, written = output_at(out), time.perf_counter(), 0
    plan.check()
    try:
        with output.owned():
            reports = _former(output, plan)
            if reports is not None:
                output.drop(MANIFEST_FILE)  # it is not what it says until all is made
                todo = [task for task in plan.tasks if task.name not in reports]
                _write(output, plan, reports, todo, workers=workers, progress=progress)
                written = sum(map(len, todo))
            manifest = Manifest.read(output.folder)
    except OSError as error:
        raise DatasetError(
            f"cannot write in {output.url}: {error.strerror or error}. What is finished is kept: run the same command "
            "again to go on"
        ) from error
    notes = [f"column {name!r} is left out: it was of the latents before" for name in sorted(plan.without())]
    return Rewritten(
        manifest=manifest, written=written, seconds=time.perf_counter() - started, notes=(*plan.notes, *notes)
    )


def _former(output: Output, plan: Rewriting) -> dict[str, ShardReport] | None:
    """What a former run made, by shard; None where nothing is left to do."""
    head, reports = read_journal(output.folder)
    sizes = output.sizes()
    known, whole, complete = head.plan if head is not None else "", False, MANIFEST_FILE in sizes
    if complete:
        manifest = Manifest.read(output.folder)
        shards = [shard for of_split in manifest.splits.values() for shard in of_split]
        known, whole = manifest.plan, all(stands(sizes, shard) for shard in shards)
    begun = complete or (JOURNAL_FILE in sizes and any(name.endswith(".tar") for name in sizes))
    if begun and known != plan.identity:
        raise DatasetError(
            f"{output.url} holds another dataset, or one made of other datasets or with other options: choose another "
            "folder or delete it"
        )
    if whole and CODEC_FILE in sizes:
        return None
    if head is None or head.plan != plan.identity:
        output.drop(CODEC_FILE)  # of other options, of which nothing else has been made
        return {}
    return {name: report for name, report in reports.items() if stands(sizes, report.shard)}


def _write(
    output: Output,
    plan: Rewriting,
    reports: dict[str, ShardReport],
    todo: Sequence[ShardTask],
    *,
    workers: int,
    progress: bool,
) -> None:
    """Write the shards that are left to do, and the manifest last."""
    folder, head = output.folder, Head(plan.identity, plan.name, plan.lineage[-1])
    write_journal(folder, head, reports.values())
    with one_thread():
        if not (folder / CODEC_FILE).exists():
            coder, former = plan.fitted()
            write_dataset_codec(folder, plan.codec, coder, former=former)
        output.keep(JOURNAL_FILE, CODEC_FILE)
        job = Recoding(
            splits=plan.splits,
            coder=read_dataset_codec(open_storage(folder))[1],
            fingerprint=plan.codec.fingerprint,
            layout=plan.layout,
            block=plan.block,
            views=plan.first.views,
            channels=plan.codec.channels,
            times=plan.changes.coarser,
            without=plan.without(),
            sizes="bytes" in plan.measured,
            stamps=plan.stamps(),
        )
        engine = engine_of("local", workers)
        reports.update(made_shards(partial(rewrite_shard, job), todo, output, engine, progress=progress))
    in_order = [reports[task.name] for task in plan.tasks]
    write_journal(folder, head, in_order)
    manifest = plan.manifest_of(in_order, hashlib.sha256((folder / CODEC_FILE).read_bytes()).hexdigest())
    what = told(plan.codec.config, manifest.options["read"])
    replace_file(folder / CARD_FILE, dataset_card(manifest, repo=output.repo, **what._asdict()))
    manifest.write(folder)
    output.keep(JOURNAL_FILE, CARD_FILE, MANIFEST_FILE)
