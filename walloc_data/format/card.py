"""The dataset card: `README.md` of a dataset, for people and for the Hugging Face Hub."""

import json
import re

from walloc_data.format.manifest import Manifest
from walloc_data.format.readable import readable_bytes, readable_psnr

__all__ = ["dataset_card"]

_SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")  # the Hub's categories
_CLASSES_SHOWN = 20
_HERE = "path/to/this/folder"

_LOAD = """\
```python
from walloc_data import LatentDataset, StreamingLatentDataset

dataset = LatentDataset("{place}", split="{split}")
latents, label = dataset[0]  # int8 [c, *space / f], and an int

stream = StreamingLatentDataset("{place}", split="{split}", batch_size=256)
for latents, labels in stream.loader(num_workers=4):
    {x}
```
"""
_X = "x = dataset.codec.dequantize(latents)  # float32 of the same shape, ready for a model"
_X_OF_EACH = "x = [dataset.codec.dequantize(z) for z in latents]  # float32 of the same shapes, which differ"
_LOAD_SIGNALS = """\
Decoded, a sample is {decoded}:

```python
signals = LatentDataset("{place}", split="{split}", decode="signal")
signal, label = signals[0]
```
"""
_LOAD_PLAINLY = """\
The shards are plain WebDatasets, which `datasets` and `webdataset` read too. `latent_decoder` makes a `.wlc` member of
theirs {member}:

```python
import datasets
from walloc_data import latent_decoder

decode = latent_decoder("hf://{repo}")
for row in datasets.load_dataset("{repo}", split="{split}", streaming=True):
    decoded = decode(".wlc", row["wlc"])
```
"""


def dataset_card(
    manifest: Manifest,
    *,
    repo: str | None = None,
    license: str | None = None,
    task: str | None = None,
    title: str | None = None,
    picture: str | None = None,
    samples: str | None = None,
    decoded: str | None = None,
) -> str:
    """Markdown with a YAML head that names each split's tars, so that sidecars never confuse a reader.

    `repo` is the name on the Hub (none: the lines that load the dataset speak of a folder), `license` and `task`
    are ids of the Hub, `picture` the name of a file beside the card; `samples` says what the samples are, `decoded`
    what one decodes to, with its units. A dataset of which little is known gets a card that says no more.
    """
    split = next(iter(manifest.splits))
    title = title or (repo.split("/")[-1] if repo else "Latents")
    parts = [
        _head(manifest, license, task, title if repo else None),
        f"# {_plain(title)}\n",
        f"{manifest.summary.samples:,} samples{f' ({samples})' if samples else ''}{_views(manifest)} as small integer "
        f"latents of the WaLLoC codec `{manifest.codec}` (fingerprint `{manifest.fingerprint}`, coder "
        f"`{manifest.coder}`), made with walloc_data: encoded once, read by a training loop as they are, and decodable "
        "back to signals.\n",
    ]
    if picture is not None:
        parts.append(f"![decoded samples]({picture})\n")
    parts += [_sizes(manifest), _measured(manifest)]
    for column, classes in manifest.classes.items():
        shown = ", ".join(_plain(name) for name in classes[:_CLASSES_SHOWN])
        more = ", ..." if len(classes) > _CLASSES_SHOWN else ""
        of = "" if column == "label" else f" of {_plain(column)}"
        parts.append(f"{len(classes)} classes{of}: {shown}{more}\n")
    place = f"hf://{repo}" if repo else _HERE
    ragged = manifest.columns.get("latents") == "json"
    parts.append(_LOAD.format(place=place, split=split, x=_X_OF_EACH if ragged else _X))
    if decoded is not None:
        parts.append(_LOAD_SIGNALS.format(place=place, split=split, decoded=decoded))
    if repo is not None:
        members = {"records": "a list of samples, each a dict", "samples": "the latents of a sample"}
        parts.append(_LOAD_PLAINLY.format(repo=repo, split=split, member=members[manifest.layout]))
    return "\n".join(parts)


def _head(manifest: Manifest, license: str | None, task: str | None, title: str | None) -> str:
    """The YAML; a JSON string is one of YAML too."""
    lines = ["---", "configs:", "- config_name: default", "  data_files:"]
    for split in manifest.splits:
        lines += [f"  - split: {split}", f'    path: "{split}-*.tar"']
    if license is not None:
        lines.append(f"license: {json.dumps(license)}")
    if title is not None:
        lines.append(f"pretty_name: {json.dumps(title, ensure_ascii=False)}")
    lines += ["size_categories:", f"- {_size_category(sum(manifest.samples(split) for split in manifest.splits))}"]
    lines += ["tags:", "- walloc", "- webdataset"]
    if task is not None:
        lines += ["task_categories:", f"- {json.dumps(task)}"]
    return "\n".join([*lines, "---", ""])


def _size_category(samples: int) -> str:
    place = min(max(0, len(str(samples)) - 3), len(_SIZES))
    if place == 0:
        return f"n<{_SIZES[0]}"
    return f"{_SIZES[place - 1]}<n<{_SIZES[place]}" if place < len(_SIZES) else f"n>{_SIZES[-1]}"


def _sizes(manifest: Manifest) -> str:
    rows = [
        f"| {split} | {manifest.samples(split):,} | {len(shards):,} | {sum(shard.bytes for shard in shards):,} |"
        for split, shards in manifest.splits.items()
    ]
    return "\n".join(["| split | samples | shards | bytes |", "| --- | --- | --- | --- |", *rows, ""])


def _measured(manifest: Manifest) -> str:
    """What the write path measured: sizes and distortion."""
    summary = manifest.summary
    shards = sum(shard.bytes for of_split in manifest.splits.values() for shard in of_split)
    rows = [f"| shards | {readable_bytes(shards)} |"]
    if summary.source_bytes:
        rows.insert(0, f"| source files | {readable_bytes(summary.source_bytes)} |")
        rows.append(f"| times smaller than the source files | {summary.source_bytes / max(1, shards):.1f} |")
    if summary.latents:
        rows.append(f"| latents | {summary.latents:,} |")
        rows.append(f"| bits a latent | {summary.bits_per_latent:.2f} |")
        rows.append(f"| saturated latents | {summary.saturated:,} |")
    rows.append(f"| distortion | {readable_psnr(summary.psnr)} |")
    if summary.skipped:
        rows.append(f"| samples that could not be read | {summary.skipped:,} |")
    return "\n".join(["| measured | |", "| --- | --- |", *rows, ""])


def _views(manifest: Manifest) -> str:
    return f", {manifest.views} views of each," if manifest.views > 1 else ""


def _plain(text: str) -> str:
    """Text that Markdown and HTML leave as it is, on one line."""
    return re.sub(r"([\\`*_\[\]<>|#&~])", r"\\\1", " ".join(text.split()))
