"""A sample, decoded and beside its original, as parts of a page: pictures, players, curves."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from walloc_data.codec import CodecConfig
from walloc_data.report.array import curve_panels, draw_slices, places_of
from walloc_data.report.false_colour import FalseColour, bands_of
from walloc_data.report.fields import number_of
from walloc_data.report.image import draw_image
from walloc_data.report.kinds import drawn_as
from walloc_data.report.page.charts import curves
from walloc_data.report.page.markup import Markup, element
from walloc_data.report.page.media import clip_url, picture_url, sound_url
from walloc_data.report.sound import pcm_of, rate_of
from walloc_data.report.spectrogram import hertz, shaded, spectrogram
from walloc_data.report.video import draw_frames

__all__ = ["Views", "views_of"]

_SIDE, _SMALL = 512, 160  # pixels: most of a picture, and below which its own pixels are shown
_SPECTRUM = (640, 160)  # pixels of a spectrogram


class Views(NamedTuple):
    """What is seen of a sample, its layout, and a line on it: pictures that are `compared` can be shown larger, one
    over the other."""

    parts: list[Markup]
    layout: str
    note: str = ""


def views_of(
    config: CodecConfig,
    key: str,
    decoded: Tensor,
    original: Tensor | None,
    fields: Mapping[str, Any],
    *,
    most: int,
    bands: str | None = None,
) -> Views:
    """A sample `[C, *space]` in about `most` bytes; the original comes first, where it is known."""
    known = {"original": original, "decoded": decoded} if original is not None else {"decoded": decoded}
    most //= len(known)
    what = drawn_as(config)
    if what == "image":
        return _image(key, known, most)
    if what == "sound":
        return _sound(key, known, fields, most)
    if what == "video":
        return _video(key, decoded, original, fields, 2 * most)
    return _array(key, known, bands, most)


def _image(key: str, known: Mapping[str, Tensor], most: int) -> Views:
    parts = [_view(name, _picture(draw_image(x, _SIDE), f"{key}, {name}", most)) for name, x in known.items()]
    height, width = known["decoded"].shape[-2:]
    less = f", shown at {_SIDE / max(height, width):.0%}" if max(height, width) > _SIDE else ""
    return Views(parts, "compared", f"{width:,} × {height:,} pixels{less}")


def _sound(key: str, known: Mapping[str, Tensor], fields: Mapping[str, Any], most: int) -> Views:
    rate, start, parts, note = rate_of(fields), number_of(fields, "start"), [], ""
    powers = {name: spectrogram(x.numpy(), rate, columns=_SPECTRUM[0]) for name, x in known.items()}
    top = float(next(iter(powers.values())).max())
    for name, power in powers.items():
        x = known[name]
        seconds = x.shape[1] / rate if rate else 0
        across = [f"0 to {hertz(rate / 2)}", f"{start:.4g} to {start + seconds:.4g} s"] if rate else []
        said = f"Spectrogram of {key}, {name}: {', '.join(across) or f'{x.shape[1]:,} samples'}"
        picture = _picture(shaded(power, top, _SPECTRUM), said, most)
        scale = element("p", *(element("span", each) for each in across), class_="scale", aria_hidden="true")
        player = Markup("")
        if rate:
            url, samples = sound_url(pcm_of(x), rate, most)
            if samples < x.shape[1]:
                note = f"the first {samples / rate:.3g} s can be played"
            player = element("audio", controls=True, preload="metadata", src=url, aria_label=f"{key}, {name}: sound")

        parts.append(_view(name, picture, scale, player))
    length = known["decoded"].shape[1]
    told = f"{length / rate:.3g} s, {rate:,} Hz" if rate else f"{length:,} samples"
    return Views(parts, "compared stacked", ", ".join(filter(None, [told, note])))


def _video(key: str, decoded: Tensor, original: Tensor | None, fields: Mapping[str, Any], most: int) -> Views:
    _, frames, height, width = decoded.shape
    decoded, original = _shrunk(decoded), None if original is None else _shrunk(original)
    sides = "original on the left, decoded on the right" if original is not None else "decoded"
    strip = _picture(
        _trimmed(draw_frames(decoded, original), 2, 2),
        f"Frames of {key}: original above, decoded below" if original is not None else f"Frames of {key}, decoded",
        most // 4,
    )
    url, parts = clip_url(decoded, original, fields, 3 * most // 4), []
    if url is not None:
        player = element(
            "video",
            controls=True,
            loop=True,
            muted=True,
            playsinline=True,
            preload="metadata",
            src=url,
            poster=picture_url(_side_by_side(decoded, original), most // 8),
            aria_label=f"{key}: {sides}",
        )
        parts.append(_view(sides, player))
    parts.append(_view("some frames: original above, decoded below" if original is not None else "some frames", strip))
    return Views(parts, "stacked", f"{frames:,} frames of {width:,} × {height:,} pixels")


def _array(key: str, known: Mapping[str, Tensor], bands: str | None, most: int) -> Views:
    values: dict[str, NDArray[np.floating]] = {name: x.numpy() for name, x in known.items()}
    x, before = values["decoded"], values.get("original")
    parts: list[Markup] = []
    reference = next(iter(values.values()))
    chosen, places = bands_of(len(x), bands), places_of(reference) if x.ndim > 2 else []
    if x.ndim > 2:
        colours = FalseColour(reference, chosen)
        which = "principal components" if chosen is None else "channels " + ", ".join(map(str, chosen))
        for name, each in values.items():
            picture = _trimmed(draw_slices(each, colours, places, 320), 2, 0)
            parts.append(_view(name, _picture(picture, f"{key}, {name}, in false colours of {which}", most)))
    pale = " (pale: original)" if before is not None else ""
    for along, of in curve_panels(x, before, places):
        said = f"{key}: values along {along}{pale}" + (" at three places" if places else "")
        parts.append(
            _view(
                along + (" at the three places" if places else "") + pale, curves(of, along, said), class_="view curves"
            )
        )
    size = " × ".join(f"{n:,}" for n in x.shape[1:])
    return Views(
        parts, "compared" if x.ndim == 3 else "stacked", f"{len(x):,} channel{'s' if len(x) > 1 else ''}, {size}"
    )


def _shrunk(clip: Tensor) -> Tensor:
    """A clip `[C, frames, height, width]` whose frames are no larger than pictures are."""
    scale = _SIDE / max(clip.shape[2:])
    if scale >= 1:
        return clip
    size = [max(1, round(scale * side)) for side in clip.shape[2:]]
    return torch.nn.functional.interpolate(clip.transpose(0, 1), size, mode="area").transpose(0, 1)


def _side_by_side(decoded: Tensor, original: Tensor | None) -> Image.Image:
    """The frame in the middle of a clip, as its player shows it."""
    middle = decoded.shape[1] // 2
    return draw_image(torch.cat([x[:, middle] for x in (original, decoded) if x is not None], -1), 2 * _SIDE)


def _trimmed(picture: Image.Image, right: int, below: int) -> Image.Image:
    """A row of pictures without the gap behind the last."""
    return picture.crop((0, 0, picture.width - right, picture.height - below))


def _picture(picture: Image.Image, alt: str, most: int) -> Markup:
    tiny = max(picture.size) < _SMALL
    return element(
        "img",
        src=picture_url(picture, most),
        alt=alt,
        width=picture.width,
        height=picture.height,
        class_="tiny" if tiny else None,
    )


def _view(name: str, *parts: object, class_: str = "view") -> Markup:
    return element("div", element("p", name, class_="tag"), *parts, class_=class_)
