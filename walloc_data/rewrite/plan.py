"""What a dataset is made of others by: which samples, cut into which shards, stored how."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.codec import Codec
from walloc_data.dataset_codec import read_former_coder
from walloc_data.entropy import Coder, coder_class
from walloc_data.errors import FormatError
from walloc_data.format import Manifest, differing
from walloc_data.read.opened import OpenedDataset, column_types
from walloc_data.read.reader import SplitReader
from walloc_data.rewrite.changes import Changes
from walloc_data.rewrite.shard import Stored, coarser
from walloc_data.write.classes import renumbering
from walloc_data.write.encode_shard import ShardReport
from walloc_data.write.finish import splits_of, statistics_of, summary_of, types_of
from walloc_data.write.fit_coder import enough
from walloc_data.write.plan import MEASURED, ShardTask, coder_sample, shard_samples

__all__ = ["Rewriting"]


@dataclass(frozen=True, kw_only=True)
class Rewriting:
    """What is asked for: samples of some `datasets` that one codec made, stored as `changes` say.

    `verb` and `options` go into the lineage, `notes` are for people. `kept` are the numbers of samples by split, behind
    one another in the order of the datasets; None keeps all. `classes` are the names of classes by column from now on.
    """

    verb: str
    datasets: Sequence[OpenedDataset]
    changes: Changes
    options: Mapping[str, Any] = field(default_factory=dict)
    kept: Mapping[str, NDArray[np.int64]] | None = None
    classes: Mapping[str, list[str]] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def check(self) -> None:
        """Raise an error for what cannot be, before anything is written."""
        for dataset in self.datasets:
            unknown = [name for name, kind in column_types([dataset]).items() if not kind]
            if unknown:  # which could only be lost
                raise FormatError(
                    f"{dataset.storage.url}: column {unknown[0]!r} is of a type that this version does not know: "
                    "upgrade walloc_data"
                )
        names = [task.name for task in self.tasks]
        if len(set(names)) < len(names) or any(Path(name).name != name or name.startswith(".") for name in names):
            raise FormatError(f"{self.name}: its splits and shards have names that cannot be names of files")
        _ = self.codec  # it raises for channels and steps that cannot be

    @property
    def first(self) -> Manifest:
        """The manifest of the first dataset, which the others follow."""
        return self.datasets[0].manifest

    @cached_property
    def codec(self) -> Codec:
        """The codec of what is made."""
        own = self.datasets[0].codec
        own = own if self.changes.channels is None else own.prefix(self.changes.channels)
        return own.coarser(self.changes.coarser)

    @property
    def same_latents(self) -> bool:
        """Whether latents stay what they are."""
        return self.codec.fingerprint == self.first.fingerprint

    @property
    def coder(self) -> str:
        """The coder of what is made."""
        return self.changes.coder or self.first.coder

    @property
    def layout(self) -> str:
        """Its layout."""
        return self.changes.layout or self.first.layout

    @property
    def block(self) -> int:
        """Samples of its records."""
        return self.changes.block or self.first.block

    @cached_property
    def splits(self) -> dict[str, Stored]:
        """Samples by split, of the datasets that have it."""
        return {
            split: Stored(
                SplitReader([one for one in self.datasets if split in one.manifest.splits], split),
                [
                    renumbering(one.manifest.classes, self.classes)
                    for one in self.datasets
                    if split in one.manifest.splits
                ],
            )
            for split in dict.fromkeys(split for one in self.datasets for split in one.manifest.splits)
        }

    @cached_property
    def tasks(self) -> list[ShardTask]:
        """The shards to write. They stay cut as they are, unless they are filtered or another size is asked for."""
        tasks: list[ShardTask] = []
        for split, stored in self.splits.items():
            if self.kept is None and self.changes.shard_samples is None:
                edges = stored.reader.places.first_sample.tolist()
                shards = [shard for one in self.datasets for shard in one.manifest.splits.get(split, [])]
                chosen: list[Sequence[int]] = [range(*edge) for edge in pairwise(edges)]
                names = [Path(shard.name).stem for shard in shards] if len(self.datasets) == 1 else []
            else:
                numbers = range(len(stored.reader)) if self.kept is None else self.kept[split].tolist()
                size = self.changes.shard_samples or shard_samples(len(numbers), self.block)
                chosen, names = [numbers[start : start + size] for start in range(0, len(numbers), size)], []
            names = names or [f"{split}-{number:05d}" for number in range(len(chosen))]
            tasks += [ShardTask(split, name, numbers) for name, numbers in zip(names, chosen, strict=True)]
        return tasks

    @cached_property
    def identity(self) -> str:
        """16 hex digits that two runs share exactly if they write the same bytes from the same samples."""
        digest = hashlib.sha256()
        of = [one.manifest.digest for one in self.datasets]
        digest.update(json.dumps([self.verb, of, self.changes.config()], sort_keys=True).encode())
        for split, numbers in (self.kept or {}).items():
            digest.update(split.encode("utf-8", "backslashreplace") + numbers.tobytes())
        return digest.hexdigest()[:16]

    @cached_property
    def lineage(self) -> list[dict[str, Any]]:
        """What was done to the datasets, and now."""
        of = [one.manifest for one in self.datasets]
        told = [
            {
                "dataset": one.digest,
                "codec": one.codec,
                "fingerprint": one.fingerprint,
                "coder": one.coder,
                "samples": one.summary.samples,
                **({"lineage": one.lineage} if len(of) > 1 and one.lineage else {}),
            }
            for one in of
        ]
        step = {"verb": self.verb, "options": {**self.options, **self.changes.config()}, "of": told}
        return [*(self.first.lineage if len(of) == 1 else []), step]

    def fitted(self) -> tuple[Coder, Coder | None]:
        """The coder, and the one that the dataset had before, if nothing else gives its tables again.

        A coder stays with its tables where latents and coder do. Others are fitted to some of the latents, unless the
        dataset had such a coder before and kept its tables.
        """
        own = [one.coder for one in self.datasets]
        if self.same_latents and self.coder == own[0].name and all(_alike(own[0], other) for other in own[1:]):
            return own[0], None
        if not self.same_latents or len(own) > 1:
            return coder_class(self.coder).fit(self._some_latents()), None
        storage, sha256 = self.datasets[0].storage, self.first.codec_sha256
        latents = self._some_latents()
        coder = read_former_coder(storage, self.coder, sha256=sha256) or coder_class(self.coder).fit(latents)
        again = type(own[0]).fit(latents)
        return coder, None if _alike(own[0], again) else own[0]

    @cached_property
    def measured(self) -> list[str]:
        """Figures of samples that are columns from now on: sizes are taken anew, PSNR stays where latents do."""
        each = [set(_measured(one.manifest)) for one in self.datasets]
        kept = set.union(*each) & {"bytes"} | (set.intersection(*each) & {"psnr"} if self.same_latents else set())
        return [name for name in MEASURED if name in kept]

    def without(self) -> frozenset[str]:
        """Columns that would not be true any more."""
        gone = {"psnr"} if any("psnr" in _measured(one.manifest) for one in self.datasets) else set[str]()
        return frozenset(gone - set(self.measured))

    def manifest_of(self, reports: Sequence[ShardReport], codec_sha256: str) -> Manifest:
        """The manifest of what is made."""
        kept = [report for report in reports if report.shard.samples]
        of = [one.manifest for one in self.datasets]
        summary, whole = summary_of(kept, 0, self.first.views), self.kept is None
        return Manifest(
            codec=self.codec.name,
            fingerprint=self.codec.fingerprint,
            codec_sha256=codec_sha256,
            coder=self.coder,
            layout=self.layout,
            block=self.block,
            splits=splits_of(kept, self.splits),
            classes=dict(self.classes),
            columns=types_of(kept),
            plan=self.identity,
            options=self._options(),
            summary=replace(
                summary,
                skipped=sum(one.summary.skipped for one in of) if whole else 0,
                source_bytes=sum(one.summary.source_bytes for one in of) if whole else 0,
                psnr=self.first.summary.psnr if whole and self.same_latents and len(of) == 1 else None,
            ),
            lineage=self.lineage,
            statistics=statistics_of(kept),
            views=self.first.views,
            sealed=True,
        )

    def stamps(self) -> dict[str, str]:
        """The `ShardInfo.source`, by name, of shards that hold what those of their name held before."""
        if self.kept is not None or self.changes.shard_samples is not None or len(self.datasets) > 1:
            return {}
        return {Path(shard.name).stem: shard.source for shards in self.first.splits.values() for shard in shards}

    def _options(self) -> dict[str, Any]:
        """Of reading and writing, those that all datasets share, and what is changed. What they `differ` in is named,
        for samples that are added later could be read one way or the other."""
        found: dict[str, dict[str, Any]] = {}
        for name in ("read", "write"):
            alike = [_part(one.manifest.options, name) for one in self.datasets]
            found[name] = {
                key: value for key, value in alike[0].items() if all(key in o and o[key] == value for o in alike[1:])
            }
        differ = _differing([one.manifest.options for one in self.datasets])
        found["write"] |= {"coder": self.coder, "layout": self.layout, "block": self.block}
        found["write"].pop("measure", None)
        if self.measured:
            found["write"]["measure"] = self.measured
        if self.changes.shard_samples is not None:
            found["write"]["shard_samples"] = self.changes.shard_samples
        return {**found, "differ": differ} if differ else found

    def _some_latents(self) -> list[NDArray[np.int8]]:
        """What a coder is fitted to: as sharding chooses them, if it met none that it could not read."""
        count, samples = coder_sample(self.tasks)

        def read() -> Iterator[NDArray[np.int8]]:
            for split, number in samples:
                latents, _ = next(self.splits[split].samples([number]))
                yield coarser(latents[: self.codec.channels], self.changes.coarser)

        return enough(read(), count)

    @property
    def name(self) -> str:
        """What messages call the datasets."""
        return ", ".join(one.storage.url for one in self.datasets)


def _part(options: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The options of reading or writing, as far as a manifest has them."""
    found = options.get(name)
    return found if isinstance(found, dict) else {}


def _differing(options: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of options of manifests by which samples are chosen and read, that are not one in all of them."""
    reading = [{**_part(one, "read"), "limit": _part(one, "write").get("limit")} for one in options]
    names = {name for one in reading for name in one if any(other.get(name) != one[name] for other in reading)}
    return sorted(names.union(*map(differing, options)))


def _measured(manifest: Manifest) -> list[str]:
    """Figures that a dataset says it has of each sample."""
    found = _part(manifest.options, "write").get("measure")
    return [name for name in MEASURED if name in found] if isinstance(found, list) else []


def _alike(one: Coder, other: Coder) -> bool:
    """Whether two coders give the same payloads."""
    tables, others = one.tables(), other.tables()
    return (one.name, tables.keys()) == (other.name, others.keys()) and all(
        np.array_equal(table, others[name]) for name, table in tables.items()
    )
