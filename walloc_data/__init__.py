"""Datasets as small integer latents: encode once with WaLLoC, train on what the model reads."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from walloc_data.append import append_dataset
    from walloc_data.codec import Codec, CodecConfig, fit
    from walloc_data.compare import compare_dataset
    from walloc_data.dataset import LatentDataset
    from walloc_data.decoder import replace_decoder
    from walloc_data.errors import WallocError
    from walloc_data.neighbours import latent_decoder
    from walloc_data.repair import repair_dataset
    from walloc_data.report.page import write_report
    from walloc_data.shard import shard_dataset
    from walloc_data.signals import ArrayReader, AudioReader, ImageReader, VideoReader
    from walloc_data.sources import Files, Source, open_source, read_list
    from walloc_data.storage import StorageOptions
    from walloc_data.streaming import StreamingLatentDataset
    from walloc_data.train import TrainOptions, train_codec
    from walloc_data.transcode import filter_dataset, merge_datasets, transcode_dataset
    from walloc_data.verify import verify_dataset
    from walloc_data.write.plan import Options
    from walloc_data.zoo import load_codec, save_codec, zoo_names

__all__ = [
    "ArrayReader",
    "AudioReader",
    "Codec",
    "CodecConfig",
    "Files",
    "ImageReader",
    "LatentDataset",
    "Options",
    "Source",
    "StorageOptions",
    "StreamingLatentDataset",
    "TrainOptions",
    "VideoReader",
    "WallocError",
    "append_dataset",
    "compare_dataset",
    "filter_dataset",
    "fit",
    "latent_decoder",
    "load_codec",
    "merge_datasets",
    "open_source",
    "read_list",
    "repair_dataset",
    "replace_decoder",
    "save_codec",
    "shard_dataset",
    "train_codec",
    "transcode_dataset",
    "verify_dataset",
    "write_report",
    "zoo_names",
]

# Imported when first asked for: torch takes seconds, and `walloc --help` needs none of it.
_ROOMS = {
    "append": ("append_dataset",),
    "codec": ("Codec", "CodecConfig", "fit"),
    "compare": ("compare_dataset",),
    "dataset": ("LatentDataset",),
    "decoder": ("replace_decoder",),
    "errors": ("WallocError",),
    "neighbours": ("latent_decoder",),
    "repair": ("repair_dataset",),
    "report.page": ("write_report",),
    "shard": ("shard_dataset",),
    "signals": ("ArrayReader", "AudioReader", "ImageReader", "VideoReader"),
    "sources": ("Files", "Source", "open_source", "read_list"),
    "storage": ("StorageOptions",),
    "streaming": ("StreamingLatentDataset",),
    "train": ("TrainOptions", "train_codec"),
    "transcode": ("filter_dataset", "merge_datasets", "transcode_dataset"),
    "verify": ("verify_dataset",),
    "write.plan": ("Options",),
    "zoo": ("load_codec", "save_codec", "zoo_names"),
}
_PLACES = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("walloc-data")
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
