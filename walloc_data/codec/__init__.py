"""Signals to integer latents and back."""

from walloc_data.codec.codec import LATENT_MAX, Codec, crop
from walloc_data.codec.config import CodecConfig
from walloc_data.codec.fit import fit
from walloc_data.codec.quality import psnr
from walloc_data.codec.zoo import load_codec, parse_tensors, save_codec, write_tensors, zoo_names

__all__ = [
    "LATENT_MAX",
    "Codec",
    "CodecConfig",
    "crop",
    "fit",
    "load_codec",
    "parse_tensors",
    "psnr",
    "save_codec",
    "write_tensors",
    "zoo_names",
]
