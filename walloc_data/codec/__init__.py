"""Signals to integer latents and back."""

from walloc_data.codec.codec import LATENT_MAX, Codec
from walloc_data.codec.config import CodecConfig
from walloc_data.codec.door import codec_of
from walloc_data.codec.examples import default_levels
from walloc_data.codec.fit import fit
from walloc_data.codec.margins import decoding_margins
from walloc_data.codec.middle import decode_middle
from walloc_data.codec.padding import crop
from walloc_data.codec.quality import psnr
from walloc_data.codec.tensors import parse_tensors, read_tensors, write_tensors
from walloc_data.codec.threads import one_thread

__all__ = [
    "LATENT_MAX",
    "Codec",
    "CodecConfig",
    "codec_of",
    "crop",
    "decode_middle",
    "decoding_margins",
    "default_levels",
    "fit",
    "one_thread",
    "parse_tensors",
    "psnr",
    "read_tensors",
    "write_tensors",
]
