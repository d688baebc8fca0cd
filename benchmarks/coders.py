"""Coders of others on latents, for `benchmarks.entropy`: as an ANS coder sees them, or laid out as pictures."""

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import constriction
import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["LAYOUTS", "PICTURES", "Latents", "encode_as", "peer", "static_ans"]

Latents = NDArray[np.int8]


def peer(encode: Callable[[Latents], bytes], decode: Callable[[bytes], Any], latents: Latents) -> tuple[Any, Any, Any]:
    """Encode, decode and size of a coder that takes a sample at a time."""
    return (
        lambda: [encode(sample) for sample in latents],
        lambda payloads: [decode(payload) for payload in payloads],
        lambda payloads: sum(map(len, payloads)),
    )


def static_ans(known: Latents, unknown: Latents) -> tuple[Any, Any, Any]:
    """constriction's ANS coder with one static table a channel."""
    channels, places = unknown.shape[1], unknown[0, 0].size
    models = []
    for channel in range(channels):
        counts = np.bincount(known[:, channel].ravel().view(np.uint8) ^ 128, minlength=256) + 0.01
        models.append(constriction.stream.model.Categorical((counts / counts.sum()).astype(np.float32), perfect=False))

    def encode(sample: Latents) -> bytes:
        coder = constriction.stream.stack.AnsCoder()
        for channel in reversed(range(channels)):
            coder.encode_reverse(sample[channel].ravel().astype(np.int32) + 128, models[channel])
        return bytes(coder.get_compressed().tobytes())

    def decode(payload: bytes) -> list[Any]:
        coder = constriction.stream.stack.AnsCoder(np.frombuffer(payload, np.uint32))
        return [coder.decode(model, places) for model in models]

    return peer(encode, decode, unknown)


def tiled(sample: Latents) -> Any:
    """Channels one below the other."""
    return sample.reshape(-1, sample.shape[-1]).view(np.uint8) ^ np.uint8(128)


def grid(sample: Latents) -> Any:
    """Channels in a grid, four or eight a row."""
    channels, rows, columns = sample.shape
    wide = 8 if channels % 8 == 0 else 4
    lines = sample.reshape(channels // wide, wide, rows, columns).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(lines).reshape(-1, wide * columns).view(np.uint8) ^ np.uint8(128)


def coloured(sample: Latents) -> Any:
    """Three channels at a time as colours."""
    channels, rows, columns = sample.shape
    colours = sample.reshape(channels // 3, 3, rows, columns).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(colours).reshape(-1, columns, 3).view(np.uint8) ^ np.uint8(128)


def encode_as(layout: Callable[[Latents], Any], encode: Callable[[Any], bytes], sample: Latents) -> bytes:
    """A sample laid out as a picture, and coded."""
    return encode(layout(sample))


def webp(picture: NDArray[np.uint8]) -> bytes:
    """Lossless WebP, method 6."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", lossless=True, method=6)
    return file.getvalue()


PICTURES: dict[str, tuple[Any, Any]] = {
    "WebP lossless m6": (webp, lambda data: np.asarray(Image.open(io.BytesIO(data)))),
    "JPEG XL lossless e7": (
        partial(imagecodecs.jpegxl_encode, lossless=True, effort=7, numthreads=1),
        partial(imagecodecs.jpegxl_decode, numthreads=1),
    ),
    "JPEG-LS": (imagecodecs.jpegls_encode, imagecodecs.jpegls_decode),
}
LAYOUTS = (tiled, grid, coloured)
