"""How much of a decoded part is as in the whole."""

from walloc_data.codec.codec import Codec
from walloc_data.errors import CodecError

__all__ = ["decoding_margins"]


def decoding_margins(codec: Codec) -> tuple[int, ...]:
    """Positions at each end of a slice of latents, by dimension, that decode to other than they do in the whole.

    Where a decoder has each latent count everywhere, those of the wavelets: what is left out then is nearly the same.
    """
    try:
        margin = codec.margin
    except CodecError:
        margin = codec.config.margin
    return margin if isinstance(margin, tuple) else (margin,) * codec.config.dims
