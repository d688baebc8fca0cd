"""Datasets as small integer latents: encode once with WaLLoC, train on what the model reads."""

from walloc_data.codec import Codec, CodecConfig, fit
from walloc_data.dataset import LatentDataset
from walloc_data.errors import WallocError
from walloc_data.neighbours import latent_decoder
from walloc_data.shard import shard_dataset
from walloc_data.signals import ImageReader
from walloc_data.sources import Files, Source, open_source
from walloc_data.storage import StorageOptions
from walloc_data.streaming import StreamingLatentDataset
from walloc_data.write.plan import Options
from walloc_data.zoo import load_codec, save_codec, zoo_names

__all__ = [
    "Codec",
    "CodecConfig",
    "Files",
    "ImageReader",
    "LatentDataset",
    "Options",
    "Source",
    "StorageOptions",
    "StreamingLatentDataset",
    "WallocError",
    "fit",
    "latent_decoder",
    "load_codec",
    "open_source",
    "save_codec",
    "shard_dataset",
    "zoo_names",
]
