"""Transforms of signals that would spoil latents unnoticed: they mirror, turn or warp without knowing of parity."""

from collections.abc import Iterable
from typing import Any

__all__ = ["pixel_transform_in"]

_LIBRARIES = ("torchvision", "kornia", "timm", "torchaudio")
_WRONG = {
    "RandomHorizontalFlip", "RandomVerticalFlip", "RandomRotation", "RandomRotation90", "RandomAffine",
    "RandomPerspective", "ElasticTransform", "RandomElasticTransform", "Hflip", "Vflip", "Rot180",
    "RandAugment", "AutoAugment", "TrivialAugmentWide", "AugMix",
    "RandomHorizontalFlip3D", "RandomVerticalFlip3D", "RandomDepthicalFlip3D", "RandomRotation3D", "RandomAffine3D",
    "RandomPerspective3D", "Resample", "PitchShift", "Speed", "SpeedPerturbation", "TimeStretch",
    "hflip", "vflip", "horizontal_flip", "vertical_flip", "rotate", "affine", "perspective", "elastic",
}  # fmt: skip


def pixel_transform_in(transform: Any) -> str | None:
    """The name of such a transform of a known library, at the top or within others; None if there is none.

    What a function of the caller's own does cannot be seen.
    """
    if transform is None:
        return None
    named = transform if hasattr(transform, "__name__") else type(transform)
    module, name = str(getattr(named, "__module__", "")), str(named.__name__)
    if name in _WRONG and module.split(".")[0] in _LIBRARIES:
        return f"{module.split('.')[0]}'s {name}"
    inner = getattr(transform, "transforms", None)
    if inner is None and module.startswith("torch"):
        inner = transform.children() if hasattr(transform, "children") else None
    if isinstance(inner, Iterable) and not isinstance(inner, str):
        return next(filter(None, map(pixel_transform_in, inner)), None)
    return None
