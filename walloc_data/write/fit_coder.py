"""The tables of a dataset's coder, fitted to some of its samples: those depend on the plan alone."""

import numpy as np
from numpy.typing import NDArray

from walloc_data.entropy import Coder, coder_class
from walloc_data.errors import DatasetError, SampleError
from walloc_data.write.encode_shard import encode_signals, read_sample
from walloc_data.write.plan import Plan, coder_sample

__all__ = ["fit_coder"]

_CODER_LATENTS = 1 << 28  # enough to fit a coder to, however large the signals


def fit_coder(plan: Plan) -> Coder:
    """The coder of a plan. Raises `DatasetError` where no sample can be read."""
    latents: list[NDArray[np.int8]] = []
    reasons: list[str] = []
    count, samples = coder_sample(plan.tasks)
    for split, index in samples:
        if len(latents) == count or sum(one.size for one in latents) > _CODER_LATENTS:
            break
        try:
            _, signal, _ = read_sample(plan.source.splits[split], index, plan.reader, plan.options.columns)
            latents += encode_signals(plan.codec, [signal])
        except SampleError as error:  # is met again, and counted, when its shard is written
            reasons.append(str(error))
    if not latents:
        raise DatasetError(f"none of {len(reasons)} samples of {plan.source.name} can be read, such as {reasons[0]}")
    return coder_class(plan.options.coder).fit(latents)
