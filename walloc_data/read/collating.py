"""Samples one by one, and batches of them as a stream makes them, by torch's own collating too."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data._utils.collate import default_collate_fn_map

from walloc_data.read.choice import Choice

__all__ = ["UnevenDict", "UnevenTuple", "collate", "is_uneven"]


class UnevenTuple(tuple[Any, ...]):
    """A sample whose values differ in shape from those of others, or are no numbers: torch leaves it to `collate`."""


class UnevenDict(dict[str, Any]):
    """The same with names."""


def is_uneven(choice: Choice, types: Mapping[str, str], ragged: bool | None) -> bool:
    """Whether samples differ in shape, or may: x where that is `ragged` or not known, columns that are JSON."""
    kinds = {types.get(name, "int64" if name == "label" else "") for name in choice.names}
    return (choice.wants_latents and ragged is not False) or bool(kinds & {"", "json"})


def collate(samples: Sequence[Any], **_: Any) -> Any:
    """Samples of `LatentDataset`, tuples or dicts, as a batch: what is of one shape as a tensor, all else as lists.

    Torch's own collating refuses tensors of different shapes, and takes lists and dicts of a sample apart; where a
    dataset may have such, it calls this one.
    """
    first = samples[0]
    if isinstance(first, dict):
        return {name: _together([sample[name] for sample in samples]) for name in first}
    if isinstance(first, tuple):
        return tuple(_together(list(values)) for values in zip(*samples, strict=True))
    return _together(list(samples))


def _together(values: list[Any]) -> Any:
    if all(isinstance(value, Tensor) for value in values):
        return torch.stack(values) if len({value.shape for value in values}) == 1 else values
    return torch.tensor(values) if all(type(value) in (int, float, bool) for value in values) else values


default_collate_fn_map.update({UnevenTuple: collate, UnevenDict: collate})  # as torch's page on collating has it
