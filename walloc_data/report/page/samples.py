"""Samples of a split, decoded and held against their originals, one at a time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from walloc_data.codec import psnr
from walloc_data.dataset import LatentDataset
from walloc_data.errors import SampleError, WallocError
from walloc_data.report.kinds import evenly
from walloc_data.report.page.part import decode_part

__all__ = ["Judged", "Sample", "judge", "numbers_of"]

_MOST_VALUES = 1 << 27  # that are decoded to be compared
_MOST_LATENTS = 1 << 25  # that are kept, to say bits by channel


class Sample(NamedTuple):
    """A sample that is shown: float32 `[C, *space]`, of a large one its middle, and its original where it is known.

    `trouble` says why there is none, or why nothing is decoded.
    """

    key: str
    fields: dict[str, Any]
    decoded: Tensor | None
    original: Tensor | None
    psnr: float | None
    whole: bool = True
    trouble: str = ""


@dataclass
class Judged:
    """Of all samples that were looked at: PSNR in dB by key, latents and columns, what is `damaged`, and originals that
    were asked for."""

    psnr: dict[str, float] = field(default_factory=dict)
    latents: list[NDArray[np.int8]] = field(default_factory=list)
    fields: list[dict[str, Any]] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    looked_at: int = 0
    asked: int = 0


def numbers_of(shown: int, judged: int, samples: int) -> tuple[list[int], set[int]]:
    """Numbers of samples that are judged, evenly from all, and of those among them that are shown."""
    times = max(1, judged // max(1, shown))
    every = evenly(shown * times, samples)
    seen = evenly(shown, samples)
    return sorted({*every, *seen}), set(seen)


def judge(
    dataset: LatentDataset,
    numbers: list[int],
    shown: set[int],
    original_of: Callable[[Mapping[str, Any]], Tensor | None] | None,
    is_damage: Callable[[WallocError], bool],
    found: Judged,
) -> Iterator[Sample]:
    """The samples `shown`, one after the other; what is learned of all `numbers` goes into `found`.

    `dataset` gives latents. Raises what is no damage of the dataset.
    """
    config, decoded_values, kept = dataset.codec.config, 0, 0
    for number in numbers:
        seen = number in shown
        found.looked_at += 1
        try:
            latents, fields = dataset[number][0], dataset.fields(number)
            if kept + latents.numel() <= _MOST_LATENTS or not found.latents:
                kept += latents.numel()
                found.latents.append(latents.numpy())
                found.fields.append(fields)
            if not seen and (original_of is None or decoded_values > _MOST_VALUES):
                continue
            part = decode_part(dataset.codec, latents, fields)
        except WallocError as error:
            if not is_damage(error):
                raise
            found.damaged.append(str(error))
            if seen:
                yield Sample(f"sample {number:,}", {}, None, None, None, trouble=str(error))
            continue
        decoded_values += part.decoded.numel()
        key, original, trouble = str(fields.get("key", f"sample {number:,}")), None, ""
        if original_of is not None:
            found.asked += 1
            try:
                whole = original_of(fields)
                original = None if whole is None else part.of(whole)
                trouble = "" if whole is not None else "its original is not there"
            except SampleError as error:
                trouble = f"its original cannot be read: {error}"
            if original is not None and original.shape != part.decoded.shape:
                original, trouble = None, "its original has another shape"
        quality = None
        if original is not None:
            quality = found.psnr[key] = psnr(part.decoded, original, config.kind, peaks=config.peaks)
        if seen:
            yield Sample(key, fields, part.decoded, original, quality, part.whole, trouble)
