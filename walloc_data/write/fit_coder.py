"""The tables of a dataset's coder, fitted to some of its samples: those depend on the plan alone."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy import Coder, coder_class
from walloc_data.errors import DatasetError, SampleError
from walloc_data.signals import Signal
from walloc_data.storage.work import Work
from walloc_data.write.encode_shard import ahead, encode_signals
from walloc_data.write.plan import Plan, coder_sample
from walloc_data.write.samples import KeptSamples, read_sample

__all__ = ["enough", "fit_coder"]

_CODER_LATENTS = 1 << 28  # enough to fit a coder to, however large the signals
_LITTLE = 8  # latents a side


def fit_coder(plan: Plan, kept: KeptSamples | None = None) -> Coder:
    """The coder of a plan; what is read for it is `kept`. Raises `DatasetError` where no sample can be read."""
    reasons: list[str] = []
    count, samples = coder_sample(plan.tasks)

    def readable() -> Iterator[list[tuple[dict[str, Any], Signal]]]:
        for name, index in samples:
            split = plan.source.splits[name]
            stamp = split.stamp(index)
            try:
                raw, rows = read_sample(split, index, plan.reader, plan.options)
            except SampleError as error:  # is met again, and counted, when its shard is written
                reasons.append(str(error))
                continue
            if kept is not None:
                kept.keep(name, index, stamp, raw, rows)
            yield rows[:1]

    def alone(group: list[tuple[dict[str, Any], Signal]]) -> list[NDArray[np.int8]]:
        return encode_signals(plan.codec, [signal for _, signal in group])

    kind = coder_class(plan.options.coder)
    with Work(1, "walloc-compile") as work:  # what is compiled is loaded while samples are read
        work.submit(partial(kind.fit, [np.zeros((1, *[_LITTLE] * plan.codec.config.dims), np.int8)]))
        latents = enough((one for _, [one] in ahead(alone, readable())), count)
    if not latents:
        raise DatasetError(f"none of {len(reasons)} samples of {plan.source.name} can be read, such as {reasons[0]}")
    return kind.fit(latents)


def enough(latents: Iterable[NDArray[np.int8]], count: int) -> list[NDArray[np.int8]]:
    """The first `count` of some latents, or fewer where they are large: what a coder is fitted to."""
    kept: list[NDArray[np.int8]] = []
    for one in latents:
        kept.append(one)
        if len(kept) == count or sum(each.size for each in kept) > _CODER_LATENTS:
            break
    return kept
