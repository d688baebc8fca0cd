"""A dataset that has been opened, wherever it lies: its manifest, codec and coder, checked against one another."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from walloc_data.codec import Codec
from walloc_data.dataset_codec import read_dataset_codec
from walloc_data.entropy import Coder
from walloc_data.errors import CodecError, DatasetError, FormatError, MissingError, WallocError
from walloc_data.format import MANIFEST_FILE, Manifest, ShardInfo, differing, no_manifest, parse_index
from walloc_data.read.open_files import with_room
from walloc_data.storage import Storage, StorageOptions, open_storage, read_parsed
from walloc_data.zoo import load_codec

__all__ = ["OpenedDataset", "any_ragged", "column_types", "decoded_by", "open_dataset", "read_entries"]

_TYPE = re.compile(r"str|bytes|json|(bool|u?int(8|16|32|64)|float(16|32|64))(\[\d+(,\d+)*\])?")


@dataclass(frozen=True)
class OpenedDataset:
    """What all readers of a dataset share. It can be pickled."""

    storage: Storage
    manifest: Manifest
    codec: Codec
    coder: Coder

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Shape `(c, *space)` of all latents; empty where they differ, and None where nothing says so.

        Manifests of version 0.1 have only the options of reading, which tell where pictures are brought to one size.
        """
        stated = self.manifest.columns.get("latents")
        if stated is not None:
            return tuple(map(int, re.findall(r"\d+", stated.partition("[")[2])))
        reading = self.manifest.options.get("read")
        if not isinstance(reading, dict) or not {"size", "resize", "crop"} <= reading.keys():
            return None
        size, fits = reading["size"], (("squash", "none"), ("squash", "center"), ("shorter", "center"))
        if not isinstance(size, int) or (reading["resize"], reading["crop"]) not in fits:
            return ()
        return self.codec.latent_shape([size] * self.codec.config.dims)

    def shards(self, split: str) -> list[ShardInfo]:
        """The shards of a split. Raises `DatasetError` where there is no such split."""
        if split not in self.manifest.splits:
            raise DatasetError(f"{self.storage.url} has no split {split!r}: it has {', '.join(self.manifest.splits)}")
        return self.manifest.splits[split]


def open_dataset(root: str | os.PathLike[str], options: StorageOptions | None = None) -> OpenedDataset:
    """Open the dataset in a folder or at a URL.

    Raises `FormatError`, `CodecError` or `CoderError` for one that is damaged or of another version, and
    `DatasetError` for one that cannot be reached.
    """
    if not isinstance(root, str | os.PathLike) or not os.fspath(root):
        raise DatasetError(f"a dataset is a folder or a URL, not {root!r}")
    if options is not None and not isinstance(options, StorageOptions):
        raise DatasetError(f"storage is StorageOptions(cache_dir=..., token=...), not {options!r}")
    storage = open_storage(root, options)
    path = storage.path(MANIFEST_FILE)
    if path is not None and not path.exists():
        raise FormatError(f"{no_manifest(Path(storage.url))}{_split_hint(root, options)}")
    parse = partial(Manifest.parse, where=f"{storage.url}/{MANIFEST_FILE}")
    try:
        manifest = with_room(lambda: read_parsed(storage, MANIFEST_FILE, parse))
    except MissingError as error:
        raise MissingError(f"{error}{_split_hint(root, options)}") from error
    codec, coder = with_room(lambda: read_dataset_codec(storage, sha256=manifest.codec_sha256))
    if codec.fingerprint != manifest.fingerprint or coder.name != manifest.coder:
        raise DatasetError(f"{storage.url}: codec.safetensors is not the one that {MANIFEST_FILE} names")
    return OpenedDataset(storage, manifest, codec, coder)


def decoded_by(dataset: OpenedDataset, codec: Codec | str | os.PathLike[str] | None) -> OpenedDataset:
    """A dataset with the decoder of `codec`, a codec or what `load_codec` takes; None leaves its own.

    Raises `DatasetError` for a codec of other latents, and `CodecError` for what is no codec.
    """
    if codec is None:
        return dataset
    codec = codec if isinstance(codec, Codec) else load_codec(codec)
    try:
        return replace(dataset, codec=dataset.codec.with_decoder(codec))
    except CodecError as error:
        raise DatasetError(f"{dataset.storage.url}: {error}") from error


def read_entries(storage: Storage, shard: ShardInfo) -> NDArray[np.void]:
    """Where the records of a shard are: the entries of its index.

    Raises `FormatError` for an index that is damaged or of another shard.
    """
    where = f"{storage.url}/{shard.index}"
    parse = partial(parse_index, where=where)
    entries, tar_bytes = with_room(lambda: read_parsed(storage, shard.index, parse, version=shard.sha256))
    if (tar_bytes, len(entries), int(entries["samples"].sum())) != (shard.bytes, shard.records, shard.samples):
        raise FormatError(f"{where} is not of the shard that the manifest describes: copy it again, or reshard")
    return entries


def _split_hint(root: str | os.PathLike[str], options: StorageOptions | None) -> str:
    """What to say where a root is a dataset's folder and the name of a split in it."""
    folder, _, name = os.fspath(root).rstrip("/").rpartition("/")
    try:
        data = open_storage(folder, options).read(MANIFEST_FILE) if folder else b""
        known = name in Manifest.parse(data, folder).splits
    except WallocError:
        return ""
    return f"; {folder} is a dataset, and {name!r} a split of it: open it with split={name!r}" if known else ""


def any_ragged(datasets: Sequence[OpenedDataset], *, decoded: bool = False) -> bool | None:
    """Whether latents of some datasets differ in shape, or what they are `decoded` to; None where that is not known.

    Windows of recordings and clips of video do once they are decoded, for the last one of each ends where that does.
    """
    if decoded and any(_cut_in_time(dataset) for dataset in datasets):
        return True
    shapes = {dataset.shape for dataset in datasets}
    if () in shapes or len(shapes - {None}) > 1:
        return True
    return None if None in shapes else False


def _cut_in_time(dataset: OpenedDataset) -> bool:
    options = dataset.manifest.options
    reading = options.get("read")
    cut = "segment" in differing(options) or (isinstance(reading, dict) and "segment" in reading)
    return dataset.codec.config.kind == "video" or cut


def column_types(datasets: Sequence[OpenedDataset]) -> dict[str, str]:
    """The type of each column that all of some datasets have, as `Manifest.columns`; of none where one does not say.

    It is empty for types that this version does not know, and where datasets differ.
    """
    types: dict[str, str] = {}
    for name in datasets[0].manifest.columns:
        kinds = {dataset.manifest.columns.get(name) for dataset in datasets}
        if None not in kinds:
            kind = kinds.pop() or ""
            types[name] = kind if not kinds and _TYPE.fullmatch(kind) else ""
    return types
