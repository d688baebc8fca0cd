"""How good a codec is on samples that it was not trained on, as numbers and as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from walloc_data.codec import Codec, one_thread, psnr
from walloc_data.report.image import draw_image
from walloc_data.train.rate import laplace_bits

__all__ = ["Judged", "draw", "judge"]

_DRAWN, _SIDE = 3, 256  # samples in a picture, and pixels a side of each


class Judged(NamedTuple):
    """Means over samples: PSNR in dB, and bits a latent as `laplace_bits` estimates them."""

    psnr: float
    bits: float


@one_thread()
def judge(codec: Codec, signals: Sequence[Tensor]) -> Judged:
    """Of signals `[1, C, *space]`, encoded, rounded and decoded."""
    ratios, bits = [], []
    for signal in signals:
        z = codec.encode(signal)
        decoded = codec.decode(z, signal.shape[2:])
        original = codec.config.in_units(codec.config.to_float(signal))
        ratios.append(psnr(decoded[0], original[0], codec.config.kind, peaks=codec.config.peaks))
        bits.append(float(laplace_bits(z.float()).mean()))
    return Judged(sum(ratios) / len(ratios), sum(bits) / len(bits))


@one_thread()
def draw(path: Path, codecs: Sequence[Codec], signals: Sequence[Tensor]) -> None:
    """A picture of images `[1, 1 or 3, H, W]` and, beside each, what each codec makes of it; none of other signals."""
    config = codecs[0].config
    if config.kind != "image" or config.dims != 2 or config.signal_channels not in (1, 3):
        return
    rows = []
    for signal in signals[:_DRAWN]:
        top, left = (max(0, (n - _SIDE) // 2) for n in signal.shape[2:])
        part = signal[:, :, top : top + _SIDE, left : left + _SIDE]
        shown = [config.to_float(part), *(codec.decode(codec.encode(part), part.shape[2:]) for codec in codecs)]
        rows.append(torch.cat([each[0].float() for each in shown], 2))
    width = max(row.shape[2] for row in rows)
    rows = [torch.nn.functional.pad(row, (0, width - row.shape[2])) for row in rows]
    draw_image(torch.cat(rows, 1)).save(path)
