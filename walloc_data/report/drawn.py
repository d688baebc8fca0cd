"""A sample of a dataset, from all over it, and what can be counted of the whole without reading much."""

import os
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.dataset import LatentDataset
from walloc_data.format import MANIFEST_FILE
from walloc_data.read.opened import OpenedDataset
from walloc_data.read.reader import SplitReader
from walloc_data.storage import StorageOptions

__all__ = ["Drawn", "count_classes", "draw_samples", "span"]

_SAMPLES, _LATENTS = 256, 1 << 26  # drawn, at most


@dataclass(frozen=True)
class Drawn:
    """Latents of samples, int8 `[c, *space]`, and what else is stored of each."""

    latents: list[NDArray[np.int8]] = field(default_factory=list)
    fields: list[dict[str, Any]] = field(default_factory=list)

    def sizes(self, name: str) -> str:
        """The `span` of a column of sizes; "" where it is not there."""
        return span([each[name] for each in self.fields if isinstance(each.get(name), list | tuple)])


def draw_samples(root: str | os.PathLike[str], opened: OpenedDataset, options: StorageOptions | None) -> Drawn:
    """A bounded number of samples, evenly from the splits whose shards are there; of remote ones from few records."""
    manifest, drawn = opened.manifest, Drawn()
    splits = _splits_there(opened)
    total = sum(manifest.samples(split) for split in splits)
    wanted = min(_SAMPLES, max(1, _LATENTS * manifest.summary.samples // max(1, manifest.summary.latents)))
    for split in splits:
        here = manifest.samples(split)
        count = min(here, max(1, wanted * here // max(1, total)))
        local = opened.storage.path(MANIFEST_FILE) is not None
        together = 1 if local else min(count, manifest.block)  # what is fetched as one is used
        groups = np.linspace(0, -(-here // together) - 1, -(-count // together)).round().astype(int)
        numbers = (groups[:, None] * together + np.arange(together)).ravel()
        chosen = numbers[numbers < here].tolist()
        dataset = LatentDataset(root, split, columns=(), storage=options)
        drawn.latents.extend(sample[0].numpy() for sample in dataset.__getitems__(chosen))
        drawn.fields.extend(dataset.fields(number) for number in chosen)
    return drawn


def count_classes(opened: OpenedDataset, column: str) -> list[int] | None:
    """Samples of each class of a column, all splits together; None of remote data, which would be read whole."""
    if opened.storage.path(MANIFEST_FILE) is None or len(_splits_there(opened)) < len(opened.manifest.splits):
        return None
    counts: Counter[Any] = Counter()
    for split in opened.manifest.splits:
        counts.update(value for value in SplitReader([opened], split).column(column) if isinstance(value, int))
    return [counts[number] for number in range(len(opened.manifest.classes[column]))]


def span(shapes: list[Any]) -> str:
    """Shapes as one: `12 x 32 x 32`, or `12 x 5 to 10 x 7` where they differ; "" for none."""
    if not shapes or len({len(shape) for shape in shapes}) > 1:
        return ""
    sides = [(min(side), max(side)) for side in zip(*shapes, strict=True)]
    return " x ".join(f"{low:,}" if low == high else f"{low:,} to {high:,}" for low, high in sides)


def _splits_there(opened: OpenedDataset) -> list[str]:
    """Splits whose shards are remote, or where they should be."""
    paths = {
        split: [opened.storage.path(shard.name) for shard in shards] for split, shards in opened.manifest.splits.items()
    }
    return [split for split, of_split in paths.items() if all(path is None or path.exists() for path in of_split)]
