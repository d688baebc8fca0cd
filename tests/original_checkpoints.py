"""Checkpoints as the package `walloc` has them, with numbers that every machine draws alike, and signals for them."""

import json
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from walloc_data.codec.original import Architecture, OriginalCodec, plain_weights

__all__ = ["SETTINGS", "codec_of_numbers", "drawn", "shapes", "signal", "write_checkpoint"]

_OF_IMAGES = {"channels": 3, "J": 2, "Ne": 32, "Nd": 32, "latent_dim": 5, "latent_bits": 8, "lightweight_encode": True}
_OF_SOUND = {**_OF_IMAGES, "channels": 2, "J": 3, "Ne": 17, "Nd": 26, "latent_dim": 6, "post_filter": False}
SETTINGS: dict[str, dict[str, Any]] = {
    "rgb": _OF_IMAGES,
    "rgb-deep-encoder": {**_OF_IMAGES, "lightweight_encode": False, "latent_bits": 6},
    "gray": {**_OF_IMAGES, "channels": 1, "J": 3, "Nd": 64, "latent_dim": 4, "latent_bits": 4},
    "stereo": _OF_SOUND,
    "stereo-filter": {**_OF_SOUND, "post_filter": True, "latent_bits": 7},
    "stereo-deep-encoder": {**_OF_SOUND, "lightweight_encode": False},
    "mono-deep-encoder-filter": {
        **_OF_SOUND,
        "channels": 1,
        "J": 4,
        "lightweight_encode": False,
        "post_filter": True,
        "latent_bits": 5,
    },
}

_SIZES = {  # of tensors that others are not like: encoders are to fill latents, decoders to give signals
    **dict.fromkeys(("encoder.0.weight", "encoder.0.conv_out.weight", "encoder.0.conv2.weight_g"), 60),
    **{"decoder.1.conv1.weight_g": 1 / 60, "decoder.1.conv2.weight_g": 1 / 20, "decoder.1.conv_out.weight": 1 / 3},
}


def shapes(settings: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors of a checkpoint: weights of sound's networks are length and direction there."""
    dims = 1 if "post_filter" in settings else 2
    found: dict[str, tuple[int, ...]] = {}
    for name, shape in Architecture.of(settings, dims=dims).shapes().items():
        if dims == 2 or not name.endswith(".weight") or name in ("post.weight", "encoder.0.weight"):
            found[name] = shape
        else:
            found |= {f"{name}_g": (shape[0], *[1] * (len(shape) - 1)), f"{name}_v": shape}
    return found


def drawn(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Numbers by name and shape alone, such that signals pass, and latents fill their bits."""
    return {name: torch.from_numpy(_drawn(name, shape)) for name, shape in shapes.items()}


def _drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
    numbers = np.random.RandomState(crc32(name.encode())).standard_normal(shape).astype(np.float32)
    last = name.rpartition(".")[2]
    if last in ("bias", "alpha", "beta"):
        return numbers / 10
    if "norm" in name or last == "weight_g":
        numbers = 1 + numbers / 10
    elif len(shape) > 1:
        numbers /= np.float32(np.sqrt(np.prod(shape[1:])))
    return numbers * np.float32(_SIZES.get(name, 1))


def signal(settings: dict[str, Any], *, sides: int = 40, batch: int = 1) -> Tensor:
    """Waves and noise: images `[B, C, sides, sides]` in [0, 1], or sound in [-1, 1], 16 times as long."""
    draw = np.random.RandomState(sides)
    sound = "post_filter" in settings
    places = np.arange(16 * sides if sound else sides)
    waves = np.sin(places * draw.uniform(0.05, 0.6, (batch, settings["channels"], 1)))
    if not sound:
        waves = waves[..., None] * np.cos(places * 0.3)
    values = 0.4 * waves + draw.uniform(-0.1, 0.1, waves.shape)
    return torch.from_numpy((values if sound else values + 0.5).astype(np.float32))


def codec_of_numbers(name: str) -> OriginalCodec:
    """The codec of the settings called `name`, with the numbers drawn for it."""
    settings = SETTINGS[name]
    architecture = Architecture.of(settings, dims=1 if "post_filter" in settings else 2)
    return OriginalCodec(name, architecture, plain_weights(drawn(shapes(settings))))


def write_checkpoint(folder: Path, name: str) -> Path:
    """`NAME.json` and `NAME.pth` in a folder; the second is returned."""
    settings, path = SETTINGS[name], folder / f"{name}.pth"
    path.with_suffix(".json").write_text(json.dumps({**settings, "image_size": 256}))
    filters = {"wt.h0": torch.zeros(1, 1, 10)} if "post_filter" in settings else {"wt.h0_col": torch.zeros(1, 1, 10, 1)}
    torch.save({"model_state_dict": {**filters, **drawn(shapes(settings))}, "i_epoch": 3, "losses": [0.1]}, path)
    return path
