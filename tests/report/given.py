"""Datasets of signals that a test has at hand, of any kind and shape."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from walloc_data import Codec, shard_dataset
from walloc_data.signals import Signal


class Given:
    """A reader of arrays that are signals already."""

    suffixes: frozenset[str] = frozenset()

    def __init__(self, codec: Codec) -> None:
        self.kind, self.dims, self.channels = codec.config.kind, codec.config.dims, codec.config.signal_channels

    def read(self, data: Any, name: str) -> Signal:
        return Signal(data, {"size": data.shape[1:]})

    def config(self) -> dict[str, Any]:
        return {}


def dataset_of(
    out: Path, codec: Codec, signals: Mapping[str, torch.Tensor], columns: Mapping[str, Sequence[Any]]
) -> Path:
    """Signals `[C, *space]` by key, with columns of so many values."""
    fields = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    samples = [
        {"array": x.numpy(), "key": key, **each}
        for (key, x), each in zip(signals.items(), fields or [{}] * len(signals), strict=True)
    ]
    shard_dataset(samples, out, codec=codec, reader=Given(codec))
    return out
