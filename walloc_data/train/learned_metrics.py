"""Distances of images as trained networks see them, LPIPS and DISTS, where their weights are at hand."""

import math
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from walloc_data.errors import CodecError

__all__ = ["LEARNED_METRICS", "Metrics", "learned_metrics"]

Metrics = Mapping[str, Callable[[Tensor, Tensor], float]]

LEARNED_METRICS = {"lpips": "alexnet", "dists": "vgg16"}  # the networks that they see with, as torchvision calls them
_SMALLEST = 32  # pixels that a side has at least for these networks' layers


def learned_metrics(*names: str) -> Metrics:
    """Metrics by name: each of images `[C, H, W]` in [0, 1], C being 1 or 3; 0 of equal ones, larger of those less
    alike, and NaN where a side is below 32 pixels.

    `lpips`: Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric" (2018), with
    AlexNet. `dists`: Ding et al., "Image quality assessment: unifying structure and texture similarity" (2020), with
    VGG16. Nothing is downloaded. Raises `CodecError` where torchmetrics, torchvision or weights are missing.
    """
    return {name: _metric(name) for name in names}


def _metric(name: str) -> Callable[[Tensor, Tensor], float]:
    if name not in LEARNED_METRICS:
        raise CodecError(f"there is no metric {name!r}: there are {', '.join(LEARNED_METRICS)}")
    if missing := [package for package in ("torchmetrics", "torchvision") if find_spec(package) is None]:
        raise CodecError(f"{name} needs {' and '.join(missing)}: pip install {' '.join(missing)}")
    from torchmetrics.image.dists import DeepImageStructureAndTextureSimilarity
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
    from torchvision.models import get_model_weights

    url = get_model_weights(LEARNED_METRICS[name]).DEFAULT.url
    file = Path(torch.hub.get_dir(), "checkpoints", Path(url).name)
    if not file.exists():
        raise CodecError(f"{name} needs weights that are not downloaded unasked: save {url} as {file}")
    metric = (
        LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)
        if name == "lpips"
        else DeepImageStructureAndTextureSimilarity()
    )

    def measure(decoded: Tensor, original: Tensor) -> float:
        if min(original.shape[1:]) < _SMALLEST:
            return math.nan
        given = (image[None].float().clamp(0, 1).expand(-1, 3, -1, -1) for image in (decoded, original))
        metric.reset()
        metric.update(*given)
        return float(metric.compute())

    return measure
