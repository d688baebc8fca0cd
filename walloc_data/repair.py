"""What is damaged of a dataset, made again of its source; what is whole is not touched."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from walloc_data.codec import Codec, one_thread
from walloc_data.dataset_codec import read_dataset_codec, write_dataset_codec
from walloc_data.errors import DatasetError
from walloc_data.format import CODEC_FILE, JOURNAL_FILE, MANIFEST_FILE, Manifest, ShardInfo
from walloc_data.replan import codec_again, options_of, plan_again, plan_beside, planned_again
from walloc_data.storage import open_storage
from walloc_data.verify import Damage, verify_dataset
from walloc_data.write.encode_shard import Job, ShardReport, write_shard
from walloc_data.write.engine import engine_of
from walloc_data.write.finish import ERRORS_FILE, manifest_of, write_errors
from walloc_data.write.fit_coder import fit_coder
from walloc_data.write.journal import Head, not_in, read_journal, write_journal
from walloc_data.write.local import end_if_unguarded
from walloc_data.write.lock import owned
from walloc_data.write.plan import Plan, ShardTask, measured_keys
from walloc_data.write.progress import Progress
from walloc_data.write.resume import head_of, told_apart
from walloc_data.zoo import load_codec, zoo_names

__all__ = ["Repaired", "repair_dataset"]

_WORKSHOP = ".walloc-repair"  # a folder in the dataset's, so that what is made there is given its name at once


@dataclass(frozen=True)
class Repaired:
    """The files `made` again, which are now what they were; and of each that was `kept` as it is, why."""

    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def repair_dataset(
    out: str | os.PathLike[str],
    source: Any,
    *,
    codec: Codec | str | os.PathLike[str] | None = None,
    data: str | None = None,
    names: str | None = None,
    deep: bool = False,
    found: Sequence[Damage] | None = None,
    workers: int = 1,
    progress: bool = False,
) -> Repaired:
    """Make again, of the `source` that a dataset in a folder was made of, the files that `verify_dataset` names.

    `source`, `data` and `names` are what the dataset was made of, and `codec` by what, where its own copy is damaged
    and the zoo has none of that name. `found` is what `verify_dataset` has just said, of a dataset that need not be
    read again for it. A damaged file stays until another is complete and its SHA-256 is the one that the manifest
    names; where it comes out otherwise, since the source has changed, the damaged one stays for good.

    Raises `DatasetError` where source, options or codec are not those that the dataset was made of, and says what
    differs; `FormatError` and `DatasetError` as `verify_dataset`, and `SourceError` where the source cannot be read.
    """
    end_if_unguarded()
    if not isinstance(out, str | os.PathLike) or "://" in os.fspath(out):
        raise DatasetError(f"what is repaired is a folder of this machine, not {out!r}")
    out = Path(out)
    if found is None:
        found = verify_dataset(out, deep=deep, progress=progress)
    files = {one.file for one in found}
    if not files:
        return Repaired()
    try:
        with owned(out), one_thread(), _workshop(out) as workshop:
            repair = _Repair.of(out, workshop, files, codec)
            repair.plan_of(source, data, names)
            if MANIFEST_FILE in files:
                repair.restore_manifest()
                files = {one.file for one in verify_dataset(out, deep=deep, progress=progress)}
            repair.restore_shards(files, workers, progress)
            return repair.result
    except OSError as error:
        raise DatasetError(f"cannot write in {out}: {error.strerror or error}. Run the same again") from error


@contextmanager
def _workshop(out: Path) -> Iterator[Path]:
    folder = out / _WORKSHOP
    shutil.rmtree(folder, ignore_errors=True)  # of a repair that was killed
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class _Repair:
    """A repair under way. `manifest` is None where that is damaged, `head` where the journal is damaged or lacking.

    `parts` are the shards that the dataset began with, and those of each append, as far as the source has their
    samples; `names` are those of all.
    """

    out: Path
    workshop: Path
    manifest: Manifest | None
    head: Head | None
    reports: dict[str, ShardReport]
    codec: Codec
    codec_lost: bool
    result: Repaired = field(default_factory=Repaired)
    plan: Plan = field(init=False)
    parts: list[list[ShardTask]] = field(init=False)
    names: list[str] = field(init=False)

    @classmethod
    def of(cls, out: Path, workshop: Path, files: set[str], codec: Codec | str | os.PathLike[str] | None) -> "_Repair":
        """What still says how the dataset was made."""
        manifest = None if MANIFEST_FILE in files else Manifest.read(out)
        head, reports = read_journal(out)
        if manifest is not None:  # which knows better
            if head is not None and head.plan != manifest.plan:
                head = None
            sums = {shard.name: shard.sha256 for shards in manifest.splits.values() for shard in shards}
            reports = {
                name: report
                for name, report in reports.items()
                if report.shard.sha256 == sums.get(report.shard.name, "")
            }
            name, fingerprint, lost = manifest.codec, manifest.fingerprint, CODEC_FILE in files
        elif head is not None:  # what was found of the codec was by a sum in the manifest
            name, fingerprint = str(head.asked.get("codec")), str(head.asked.get("fingerprint"))
            lost = codec is not None or not (out / CODEC_FILE).exists()
        else:
            raise DatasetError(
                f"{out}: {MANIFEST_FILE} is damaged, and without {JOURNAL_FILE} it cannot be made again: copy it "
                "again, or shard the data anew"
            )
        found, lost = codec_again(out, name, fingerprint, codec, lost=lost)
        return cls(out, workshop, manifest, head, reports, found, lost)

    def plan_of(self, source: Any, data: str | None, names: str | None) -> None:
        """Plan it again. Raises `DatasetError` where that is another plan."""
        verbs = [] if self.manifest is None else [str(step.get("verb")) for step in self.manifest.lineage]
        if verbs and verbs[-1] != "append":
            raise DatasetError(
                f"{self.out} was made by walloc {verbs[-1]}, so its source alone does not give its files again: delete "
                f"them and run the same walloc {verbs[-1]} again, or copy"
            )
        if verbs or (self.head is not None and self.head.planned):
            self._plan_of_parts(source, data, names)
            return
        options = (
            self.manifest.options if self.manifest is not None else options_of(self.head.asked if self.head else {})
        )
        self.plan = plan_again(self.codec, options, source, data=data, names=names, where=str(self.out))
        self.parts, self.names = [self.plan.tasks], [task.name for task in self.plan.tasks]
        differing = told_apart(self.plan, self.head, self.manifest)
        if differing is not None:
            says = "; ".join(differing) or "other samples, or other fields of them"
            raise DatasetError(
                f"{self.plan.source.name} is not what {self.out} was made of, or is read otherwise ({says}): nothing "
                "was repaired; give the source as it was, with the same --data and --names"
            )

    def _plan_of_parts(self, source: Any, data: str | None, names: str | None) -> None:
        """Plan again what was appended to. Raises `DatasetError` where nothing says of which samples."""
        manifest, head, appends = self.manifest, self.head, 0
        if manifest is None:
            raise DatasetError(
                f"{self.out}: {MANIFEST_FILE} is damaged, and that of a dataset which was appended to cannot be made "
                "again: copy it again"
            )
        while appends < len(manifest.lineage) and manifest.lineage[-1 - appends].get("verb") == "append":
            appends += 1
        if head is None or len(head.planned) != appends + 1:
            raise DatasetError(
                f"{self.out} was appended to, and no {JOURNAL_FILE} says of which samples its shards were made: copy "
                "what is damaged again"
            )
        plan = plan_beside(manifest, self.codec, source, data=data, names=names, where=str(self.out))
        whole = planned_again(plan, manifest, head.planned, appends)
        self.parts = [[task for task in part if min(task.indices) >= 0] for part in whole]
        self.plan = replace(plan, tasks=[task for part in self.parts for task in part])
        planned = [task.name for part in whole for task in part]
        named = [Path(shard.name).stem for shards in manifest.splits.values() for shard in shards]
        self.names = [*(name for name in named if name not in set(planned)), *planned]

    def restore_manifest(self) -> None:
        """Write it anew by what the journal says of each shard."""
        missing = [task.name for task in self.plan.tasks if task.name not in self.reports]
        if missing:
            raise DatasetError(
                f"{self.out}: {MANIFEST_FILE} is damaged, and {JOURNAL_FILE} says nothing of {', '.join(missing[:3])}: "
                "copy one of them again, or shard the data anew"
            )
        if self.codec_lost:
            self._restore_codec("")
        elif not self._codec_is_its_own():
            raise DatasetError(
                f"{self.out}: {MANIFEST_FILE} is damaged, and {CODEC_FILE} is not what {self.codec.name!r} and these "
                "samples give, so that nothing says whether it is whole: give the codec that belongs in it (--codec)"
            )
        sha256 = hashlib.sha256((self.out / CODEC_FILE).read_bytes()).hexdigest()
        self.manifest = manifest_of(self.plan, [self.reports[task.name] for task in self.plan.tasks], sha256)
        self.manifest.write(self.out)
        self.result.made.append(MANIFEST_FILE)

    def restore_shards(self, files: set[str], workers: int, progress: bool) -> None:
        """All the others."""
        manifest = self.manifest
        assert manifest is not None  # it was restored
        if self.codec_lost and not self._restore_codec(manifest.codec_sha256):
            return
        known = {shard.name: shard for shards in manifest.splits.values() for shard in shards}
        unreported = JOURNAL_FILE in files
        tasks = [
            task
            for task in self.plan.tasks
            if {f"{task.name}.tar", f"{task.name}.idx"} & files or (unreported and task.name not in self.reports)
        ]
        planned = {f"{task.name}.tar" for task in self.plan.tasks}
        self.result.kept.extend(
            f"{name} is not made of samples that {self.plan.source.name} has: it is left as it is"
            for name, shard in known.items()
            if name not in planned and {name, shard.index} & files
        )
        coder = read_dataset_codec(open_storage(self.out))[1]
        plan, last = self.plan, {task.name for task in self.parts[-1]}
        measured = frozenset[str]().union(*(measured_keys(replace(plan, tasks=part)) for part in self.parts))
        job = Job(plan.source.splits, plan.codec, coder, plan.reader, plan.options, measured, False)
        with Progress(sum(map(len, tasks)), silent=not progress) as bar:
            make = partial(write_shard, job, self.workshop)
            for task, report in engine_of("local", workers).run(make, tasks, bar.tick):
                if self.head is not None and task.name not in last:  # which tried again what could not be read
                    report.errors = not_in(report.errors, self.head)
                self._take(report, known.get(f"{task.name}.tar"), files)
        self._restore_papers(files)

    def _take(self, report: ShardReport, wanted: ShardInfo | None, files: set[str]) -> None:
        """Put a shard in the place of the damaged one, if it is what that was."""
        name = report.shard.name
        if (wanted.sha256 if wanted else "") != report.shard.sha256:
            errors = f"; {len(report.errors)} of its samples cannot be read" if report.errors else ""
            self.result.kept.append(
                f"{name} comes out otherwise than it was, so its source has changed since{errors}: it is left as it is"
            )
            return
        self.reports[Path(name).stem] = report
        if wanted is not None:
            report.shard = wanted  # files of the source may have other times
            for each in (wanted.index, name):
                if each in files:
                    (self.workshop / each).replace(self.out / each)
                    self.result.made.append(each)

    def _codec_is_its_own(self) -> bool:
        """Whether the codec's file, whose sum is lost with the manifest, is what it was, as far as the zoo can tell."""
        codec = load_codec(self.codec.name) if self.codec.name in zoo_names() else self.codec
        write_dataset_codec(self.workshop, codec, fit_coder(self.plan))
        return (self.workshop / CODEC_FILE).read_bytes() == (self.out / CODEC_FILE).read_bytes()

    def _restore_codec(self, sha256: str) -> bool:
        made, first = self.workshop / CODEC_FILE, replace(self.plan, tasks=self.parts[0])
        if first.tasks:  # or it was fitted to other samples, before these were appended
            write_dataset_codec(self.workshop, self.codec, fit_coder(first))
        if not first.tasks or (sha256 and hashlib.sha256(made.read_bytes()).hexdigest() != sha256):
            self.result.kept.append(
                f"{CODEC_FILE} comes out otherwise than it was, so its source, or its decoder, has changed since: it "
                "is left as it is, and with it the rest"
            )
            return False
        made.replace(self.out / CODEC_FILE)
        self.codec_lost = False
        self.result.made.append(CODEC_FILE)
        return True

    def _restore_papers(self, files: set[str]) -> None:
        """The journal, and the samples that were passed over."""
        in_order = [self.reports[name] for name in self.names if name in self.reports]
        for name in sorted(files & {JOURNAL_FILE, ERRORS_FILE}):
            if len(in_order) < len(self.names):
                self.result.kept.append(f"{name} cannot be made again without every shard: it is left as it is")
                continue
            if name == JOURNAL_FILE:
                write_journal(
                    self.out, self.head if self.head is not None and self.head.planned else head_of(self.plan), in_order
                )
            else:
                write_errors(self.out, in_order)
            self.result.made.append(name)
