"""New shards behind those that are there, none of which is touched; and the manifest that makes them count."""

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from walloc_data.append.plan import NewSamples, shards_of
from walloc_data.codec import one_thread
from walloc_data.errors import DatasetError
from walloc_data.format import (
    JOURNAL_FILE,
    MANIFEST_FILE,
    Manifest,
    ShardInfo,
    Summary,
    dataset_card,
    replace_file,
)
from walloc_data.numbers import whole_number
from walloc_data.read.opened import open_dataset
from walloc_data.signals import told
from walloc_data.storage import StorageOptions
from walloc_data.write.encode_shard import Job, ShardReport, write_shard
from walloc_data.write.engine import engine_of
from walloc_data.write.finish import CARD_FILE, ERRORS_FILE, STATISTICS, statistics_of, summary_of, write_errors
from walloc_data.write.journal import Head, not_in, read_journal, write_journal
from walloc_data.write.local import end_if_unguarded
from walloc_data.write.output import Output, output_at
from walloc_data.write.plan import measured_keys
from walloc_data.write.resume import Former, standing
from walloc_data.write.rows import joined
from walloc_data.write.tasks import made_shards

__all__ = ["Appended", "append_dataset"]

_JOURNAL = ".walloc-append.jsonl"  # of an append that is under way


@dataclass(frozen=True, kw_only=True)
class Appended:
    """The `manifest` of the dataset now; the samples that this run has `added`, in so many new `shards`; those of the
    source that were `there` already; the `seconds` it took, and `notes`."""

    manifest: Manifest
    added: int
    shards: int
    there: int
    seconds: float
    notes: tuple[str, ...] = ()


def append_dataset(
    out: str | os.PathLike[str],
    source: Any,
    *,
    data: str | None = None,
    names: str | None = None,
    workers: int = 1,
    on_error: str = "skip",
    progress: bool = False,
) -> Appended:
    """Add to the finished dataset in the folder or at the URL `out` the samples of a source whose keys it has not.

    They are read and encoded as the manifest says, and become new shards; no file of the others is touched, and until
    all new ones are there, the dataset is what it was. Classes go by name, and new ones come behind the others. Samples
    that could not be read before are tried again. Run again after an interruption, it goes on where it stopped.
    `source`, `data` and `names` are as `open_source` takes them; `workers` and `on_error` as in `shard_dataset`.

    Raises `FormatError` or `DatasetError` for what is no finished dataset, and `DatasetError` for one that does not say
    how it was made or was made of a part of its source (`limit`), and where the new samples have other columns;
    `SourceError` for what is no source, and `SampleError` with `on_error="stop"`.
    """
    end_if_unguarded()
    workers, started = whole_number("workers", workers, least=1), time.perf_counter()
    if on_error not in ("skip", "stop"):
        raise DatasetError(f"on_error={on_error!r} is not 'skip' or 'stop'")
    output, stop = output_at(out, _JOURNAL), on_error == "stop"
    as_it_is = StorageOptions(cache_bytes=0)
    open_dataset(out, as_it_is)  # or a folder would be made of what is no dataset
    try:
        with output.owned(), one_thread():
            output.take(_JOURNAL, ERRORS_FILE, CARD_FILE)
            opened, journal = open_dataset(out, as_it_is), read_journal(output.folder)[0]
            append = _Append(output, NewSamples.of(opened, journal, source, data=data, names=names))
            former = append.former(stop=stop)
            reports = append.write(former.reports, workers=workers, stop=stop, progress=progress)
            added = append.finish(reports)
            manifest = Manifest.read(output.folder)
    except OSError as error:
        raise DatasetError(
            f"cannot write in {output.url}: {error.strerror or error}. What is finished is kept: run the same command "
            "again to go on"
        ) from error
    return Appended(
        manifest=manifest,
        added=sum(shard.samples for shard in added) // manifest.views,
        shards=len(added),
        there=append.new.there,
        seconds=time.perf_counter() - started,
        notes=tuple(former.notes),
    )


@dataclass(frozen=True)
class _Append:
    """An append of new samples to the dataset at an output that is owned, under way."""

    output: Output
    new: NewSamples

    @property
    def out(self) -> Path:
        """The folder of all but the shards."""
        return self.output.folder

    def former(self, *, stop: bool) -> Former:
        """What an interrupted append of the same samples has left; what one of others left goes."""
        head, reports = read_journal(self.out, _JOURNAL)
        if head is not None and head.plan == self.new.opened.manifest.plan:  # it ended, but for its journal
            self._settle(head, reports)
            reports = {}
        elif head is None or head.plan != self.new.head.plan:
            self._discard(reports)
            reports = {}
        return standing(self.output.sizes(), self.new.plan, reports, stop)

    def write(
        self, reports: dict[str, ShardReport], *, workers: int, stop: bool, progress: bool
    ) -> dict[str, ShardReport]:
        """Write the new shards, which nobody sees yet. Raises `DatasetError` where their columns are others."""
        plan, opened = self.new.plan, self.new.opened
        todo = [task for task in plan.tasks if task.name not in reports]
        if todo:
            write_journal(self.out, self.new.head, reports.values(), _JOURNAL)
            self.output.keep(_JOURNAL)
        job = Job(plan.source.splits, plan.codec, opened.coder, plan.reader, plan.options, measured_keys(plan), stop)
        make, engine = partial(write_shard, job), engine_of("local", workers)
        for name, report in made_shards(make, todo, self.output, engine, progress=progress):
            reports[name] = report
            other = _other_columns(opened.manifest, report)
            if other is not None:
                self._discard(reports)
                raise DatasetError(
                    f"{self.output.url}: {other} in the new samples, so batches would be of another kind: nothing was "
                    "appended; shard them apart, and merge"
                )
        return reports

    def finish(self, reports: Mapping[str, ShardReport]) -> list[ShardInfo]:
        """Make the new shards part of the dataset: the manifest, which is one file, says so or not."""
        in_order = [reports[task.name] for task in self.new.plan.tasks]
        kept = [report for report in in_order if report.shard.samples]
        if not kept:
            self._discard(reports)
            return []
        before = self.new.opened.manifest
        errors = self._errors_before()
        write_errors(self.out, [replace(kept[0], errors=errors), *in_order])
        manifest = self._manifest(kept, len(errors) + sum(len(report.errors) for report in in_order))
        what = told(self.new.plan.codec.config, self.new.plan.reader.config())._asdict()
        card, written = (
            dataset_card(one, repo=self.output.repo, **what).encode("utf-8", "backslashreplace")
            for one in (manifest, before)
        )
        path = self.out / CARD_FILE
        # One that was edited stays as it is; on the Hub, what was added below it is kept.
        if self.output.repo or not path.is_file() or path.read_bytes() == written:
            replace_file(path, card.decode())
        manifest.write(self.out)
        self.output.keep(ERRORS_FILE, CARD_FILE, MANIFEST_FILE)
        self._settle(self.new.head, {task.name: reports[task.name] for task in self.new.plan.tasks})
        return [report.shard for report in kept]

    def _manifest(self, kept: Sequence[ShardReport], skipped: int) -> Manifest:
        before = self.new.opened.manifest
        new = summary_of(kept, 0, before.views)
        splits = {
            split: [*before.splits.get(split, []), *(report.shard for report in kept if report.split == split)]
            for split in dict.fromkeys([*before.splits, *(report.split for report in kept)])
        }
        of = {
            "dataset": before.digest,
            "samples": before.summary.samples,
            "shards": {split: len(shards) for split, shards in before.splits.items()},
        }
        return replace(
            before,
            splits=splits,
            classes=dict(self.new.plan.source.classes),
            plan=self.new.head.plan,
            summary=_sum(before.summary, new, skipped),
            statistics=_together(before, statistics_of(kept), new.latents),
            lineage=[*before.lineage, {"verb": "append", "options": {}, "of": [of]}],
            sealed=True,
        )

    def _errors_before(self) -> list[dict[str, str]]:
        """What could not be read before, and is not in the source any more: all else was tried again."""
        found = []
        with suppress(FileNotFoundError):
            for line in (self.out / ERRORS_FILE).read_text("utf-8").splitlines():
                with suppress(ValueError, TypeError):
                    found.append(dict(json.loads(line)))
        return not_in(found, self.new.head)

    def _settle(self, head: Head, reports: Mapping[str, ShardReport]) -> None:
        """Bring the journal of the dataset up to its manifest, and end that of the append."""
        sums = {shard.name: shard.sha256 for shard in shards_of(Manifest.read(self.out))}
        _, former = read_journal(self.out)
        before = [
            replace(report, errors=not_in(report.errors, head))
            for report in former.values()
            if report.shard.sha256 == sums.get(report.shard.name, "")
        ]
        all_reports = {report.shard.name: report for report in [*before, *reports.values()]}
        if sums.keys() <= all_reports.keys():  # or it was not whole before
            write_journal(self.out, head, all_reports.values())
        (self.out / _JOURNAL).unlink(missing_ok=True)
        self.output.keep(JOURNAL_FILE, _JOURNAL)

    def _discard(self, reports: Mapping[str, ShardReport]) -> None:
        """Take away shards that no manifest names, and the journal of what made them."""
        named = {shard.name for shard in shards_of(self.new.opened.manifest)}
        gone = [report.shard for report in reports.values() if report.shard.name not in named]
        self.output.drop(*(name for shard in gone for name in (shard.name, shard.index)), _JOURNAL)


def _other_columns(manifest: Manifest, report: ShardReport) -> str | None:
    """A phrase for a column that is not what it was; None where all are, or nothing says so (version 0.1)."""
    if not manifest.columns or not report.shard.samples:
        return None
    for name in dict.fromkeys([*manifest.columns, *report.columns]):
        before, now = manifest.columns.get(name), report.columns.get(name)
        if before is None:
            return f"column {name!r} is new"
        if before != "json" and (now is None or joined(before, now) != before):
            return f"column {name!r} was {before} and is {'missing' if now is None else now}"
    return None


def _sum(before: Summary, new: Summary, skipped: int) -> Summary:
    counts = {
        name: getattr(before, name) + getattr(new, name)
        for name in ("samples", "source_bytes", "payload_bytes", "latents", "saturated")
    }
    psnr = None
    if before.psnr is not None and new.psnr is not None:
        psnr = round((before.psnr * before.samples + new.psnr * new.samples) / counts["samples"], 2)
    return Summary(**counts, skipped=skipped, psnr=psnr)


def _together(before: Manifest, new: Mapping[str, list[float]], latents: int) -> dict[str, list[float]]:
    """Statistics of what was there and of so many new latents, by their shares."""
    old, share = before.statistics, latents / max(1, latents + before.summary.latents)
    if not all(len(each.get(name, ())) == len(new.get("mean", ())) for each in (old, new) for name in STATISTICS):
        return {}

    def mixed(one: Sequence[float], other: Sequence[float]) -> list[float]:
        return [(1 - share) * was + share * now for was, now in zip(one, other, strict=True)]

    mean = mixed(old["mean"], new["mean"])
    power = [[s * s + m * m for s, m in zip(each["std"], each["mean"], strict=True)] for each in (old, new)]
    std = [math.sqrt(max(0.0, both - m * m)) for both, m in zip(mixed(*power), mean, strict=True)]
    found = {"mean": mean, "std": std, "bits": mixed(old["bits"], new["bits"])}
    return {name: [round(number, 4) for number in numbers] for name, numbers in found.items()} if mean else {}
