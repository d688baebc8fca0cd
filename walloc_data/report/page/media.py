"""Pictures, sound and clips as data URLs, each of no more than so many bytes."""

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from walloc_data.report.sound import wav_of
from walloc_data.report.video import video_file

__all__ = ["clip_url", "data_url", "picture_url", "sound_url"]

_QUALITIES = (92, 80, 60, 40, 20)  # of WebP, where a picture without loss is too much
_CRFS = (14, 20, 26, 32, 40)  # of H.264


def data_url(kind: str, data: bytes) -> str:
    """Bytes of a media type as an address of their own."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def picture_url(picture: Image.Image, most: int) -> str:
    """A picture as WebP: without loss where that takes at most so many bytes, else as well as they allow."""
    data = _webp(picture, lossless=True, quality=40, method=2)
    for quality in _QUALITIES:
        if len(data) <= most:
            break
        data = _webp(picture, quality=quality, method=4)
    return data_url("image/webp", data)


def sound_url(pcm: NDArray[np.int16], rate: int, most: int) -> tuple[str, int]:
    """As much of int16 `[samples, C]` from its beginning as takes so many bytes, and how many samples that is.

    It is FLAC where soundfile is installed, else WAV.
    """
    try:
        import soundfile
    except ImportError:
        pcm = pcm[: max(1, (most - 64) // (2 * pcm.shape[1]))]
        return data_url("audio/wav", wav_of(pcm, rate)), len(pcm)
    pcm = pcm[: max(1, 2 * most // pcm.shape[1])]  # FLAC takes a quarter of it, or more
    while True:
        file = io.BytesIO()
        soundfile.write(file, pcm, rate, format="FLAC", subtype="PCM_16")
        if file.tell() <= most or len(pcm) < 2:
            return data_url("audio/flac", file.getvalue()), len(pcm)
        pcm = pcm[: len(pcm) * most // (file.tell() + most // 20)]


def clip_url(decoded: Tensor, original: Tensor | None, fields: Mapping[str, Any], most: int) -> str | None:
    """A clip as MP4, the original on the left where it is known, as good as so many bytes allow; None without PyAV."""
    data: bytes | None = None
    for crf in _CRFS:
        data = video_file(decoded, original, fields, crf=crf)
        if data is None or len(data) <= most:
            break
    return None if data is None else data_url("video/mp4", data)


def _webp(picture: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, "WEBP", **options)
    return file.getvalue()
