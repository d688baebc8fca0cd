"""Codecs of the package `walloc`, by its checkpoints."""

from walloc_data.codec.original.architecture import Architecture, plain_weights
from walloc_data.codec.original.codec import OriginalCodec

__all__ = ["Architecture", "OriginalCodec", "plain_weights"]
