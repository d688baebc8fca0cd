"""What describes a dataset as a whole, once all of its shards are there."""

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from walloc_data.errors import DatasetError
from walloc_data.format import CODEC_FILE, Manifest, ShardInfo, Summary, dataset_card, replace_file
from walloc_data.signals import told
from walloc_data.write.encode_shard import ShardReport
from walloc_data.write.plan import Plan, describe
from walloc_data.write.rows import joined

__all__ = [
    "CARD_FILE",
    "ERRORS_FILE",
    "STATISTICS",
    "errors_text",
    "manifest_of",
    "splits_of",
    "statistics_of",
    "summary_of",
    "types_of",
    "write_errors",
    "write_manifest",
]

ERRORS_FILE = "errors.jsonl"
STATISTICS = ("mean", "std", "bits")
CARD_FILE = "README.md"


def write_manifest(
    out: Path, plan: Plan, reports: Sequence[ShardReport], *, url: str, repo: str | None = None
) -> Manifest:
    """Write the card, and the manifest last, of a dataset at `url`, which may be the repository `repo` of the Hub.

    Raises `DatasetError` where no sample at all could be read.
    """
    if not any(report.shard.samples for report in reports):
        skipped = sum(len(report.errors) for report in reports)
        raise DatasetError(
            f"none of the {skipped} samples of {plan.source.name} could be read: see {url}/{ERRORS_FILE}"
        )
    manifest = manifest_of(plan, reports, hashlib.sha256((out / CODEC_FILE).read_bytes()).hexdigest())
    what = told(plan.codec.config, plan.reader.config())
    replace_file(out / CARD_FILE, dataset_card(manifest, repo=repo, **what._asdict()))
    manifest.write(out)
    return manifest


def write_errors(out: Path, reports: Iterable[ShardReport]) -> None:
    """Write the samples that were passed over, or no file where there are none."""
    lines = errors_text(reports)
    if lines:
        replace_file(out / ERRORS_FILE, lines)
    else:
        (out / ERRORS_FILE).unlink(missing_ok=True)


def errors_text(reports: Iterable[ShardReport]) -> str:
    """A line for each sample that was passed over."""
    return "".join(json.dumps(error, ensure_ascii=True) + "\n" for report in reports for error in report.errors)


def manifest_of(plan: Plan, reports: Sequence[ShardReport], codec_sha256: str) -> Manifest:
    """The manifest of a plan whose shards are all made, some sample of which could be read."""
    kept = [report for report in reports if report.shard.samples]
    skipped = sum(len(report.errors) for report in reports)
    source, codec, options = plan.source, plan.codec, plan.options
    return Manifest(
        codec=codec.name,
        fingerprint=codec.fingerprint,
        codec_sha256=codec_sha256,
        coder=options.coder,
        layout=options.layout,
        block=options.block,
        splits=splits_of(kept, source.splits),
        classes=dict(source.classes),
        columns=types_of(kept),
        plan=plan.identity,
        options=describe(plan.reader, options),
        summary=summary_of(kept, skipped, options.views),
        statistics=statistics_of(kept),
        views=options.views,
        sealed=True,
    )


def splits_of(kept: Sequence[ShardReport], names: Iterable[str]) -> dict[str, list[ShardInfo]]:
    """Shards by split, in the order of `names`; a split without any is left out."""
    found = {split: [report.shard for report in kept if report.split == split] for split in names}
    return {split: shards for split, shards in found.items() if shards}


def summary_of(kept: Sequence[ShardReport], skipped: int, views: int) -> Summary:
    """What was counted and measured in all shards, where each sample has so many views."""
    ratios = [value for report in kept for value in report.psnr]
    return Summary(
        samples=sum(report.shard.samples for report in kept) // views,
        skipped=skipped,
        source_bytes=sum(report.source_bytes for report in kept),
        payload_bytes=sum(report.shard.payload_bytes for report in kept),
        latents=sum(report.latents for report in kept),
        saturated=sum(report.saturated for report in kept),
        psnr=round(sum(ratios) / len(ratios), 2) if ratios else None,
    )


def statistics_of(kept: Sequence[ShardReport]) -> dict[str, list[float]]:
    """`Manifest.statistics` of all latents; none where a shard was made by a version that counted none."""
    if not kept or not all(report.sums and report.bits for report in kept):
        return {}
    latents = sum(report.latents for report in kept) // len(kept[0].sums)  # of a channel
    found: dict[str, list[float]] = {name: [] for name in STATISTICS}
    for channel in range(len(kept[0].sums)):
        total, squares = (sum(getattr(one, name)[channel] for one in kept) for name in ("sums", "squares"))
        found["mean"].append(round(total / latents, 4))
        found["std"].append(round(math.sqrt(latents * squares - total * total) / latents, 4))
        found["bits"].append(
            round(sum(one.bits[channel] * one.latents for one in kept) / sum(one.latents for one in kept), 4)
        )
    return found


def types_of(kept: Sequence[ShardReport]) -> dict[str, str]:
    """The type of each column in all shards; a column that some lack is of JSON, with null there."""
    types: dict[str, str] = {}
    for report in kept:
        for name, kind in report.columns.items():
            types[name] = joined(types.get(name, kind), kind)
    known = [report.columns for report in kept if report.columns]
    return {name: kind if all(name in columns for columns in known) else "json" for name, kind in types.items()}
