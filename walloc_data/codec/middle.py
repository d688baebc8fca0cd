"""The middle of a signal that is too large to be decoded whole."""

from collections.abc import Sequence

from torch import Tensor

from walloc_data.codec.codec import Codec
from walloc_data.codec.margins import decoding_margins

__all__ = ["decode_middle"]


def decode_middle(
    codec: Codec, latents: Tensor, size: Sequence[int], positions: Sequence[int]
) -> tuple[Tensor, tuple[slice, ...]]:
    """Decode only so many positions of latents int8 `[c, *space / f]` of a signal of this size, those in its middle.

    Gives float32 `[C, *part]`, and where that part lies in the signal: it leaves out padding, and what a cut changes.
    """
    taken, inner, place = [slice(None)], [slice(None)], []
    axes = zip(latents.shape[1:], positions, size, codec.config.factors, decoding_margins(codec), strict=True)
    for there, some, true, factor, margin in axes:
        start = (there - some) // 2
        cut = 0 if some == there else min(margin, (some - 1) // 2)  # which depends on what lies beyond
        before = (there * factor - true) // 2  # samples of padding in front
        low = max((start + cut) * factor, before)
        high = min((start + some - cut) * factor, before + true)
        taken.append(slice(start, start + some))
        inner.append(slice(low - start * factor, high - start * factor))
        place.append(slice(low - before, high - before))
    decoded = codec.decode(latents[tuple(taken)][None].contiguous())[0]
    return decoded[tuple(inner)], tuple(place)
