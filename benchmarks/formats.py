"""The same samples in the formats that training streams from, and the loader that each format's own documentation
recommends: batches of 256, shuffled, made in workers, collated there.

`mosaicml-streaming` and `litdata` get shards of 64 MB and defaults for all else. `webdataset` gets shards of 1,000
photographs, as its users store them, a shuffle buffer of 1,000, and batches made in the worker.
"""

import dataclasses
import io
import random
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from benchmarks.images import labels, open_images, paths, read_image
from walloc_data import ImageReader, LatentDataset, Options, StreamingLatentDataset, load_codec
from walloc_data import shard_dataset as write_dataset
from walloc_data.format import Manifest

__all__ = ["BATCH", "FORMATS", "Format", "Photographs"]

BATCH, SIZE, CROP, QUALITY = 256, 256, 224, 90
_SHARD_BYTES = 1 << 26


class Photographs(NamedTuple):
    """Photographs in class folders, each of which a format stores `copies` times, and their latents and labels."""

    folder: Path
    copies: int
    latents: NDArray[np.int8]
    labels: list[int]

    @classmethod
    def encode(cls, folder: Path, scratch: Path, samples: int) -> "Photographs":
        """With the latents that `walloc-shard` makes of them, and copies for so many samples."""
        _write(folder, scratch, "zstd", shuffle=False)
        dataset = LatentDataset(scratch)
        found = dataset.__getitems__(range(len(dataset)))
        copies = max(1, round(samples / len(found)))
        return cls(folder, copies, np.stack([x.numpy() for x, _ in found]), [y for _, y in found])

    def __call__(self, _: int = 0) -> Iterator[dict[str, Any]]:
        """Latents and label of each photograph, once."""
        for x, y in zip(self.latents, self.labels, strict=True):
            yield {"x": x, "y": y}


class Format(NamedTuple):
    """Stores photographs in a folder, and gives the batches of one epoch from it by so many workers."""

    store: Callable[[Photographs, Path], None]
    load: Callable[[Path, int], Iterable[Any]]


def _write(folder: Path, out: Path, coder: str, **options: Any) -> None:
    write_dataset(
        folder,
        out,
        codec=load_codec("rgb-f8c12"),
        reader=ImageReader(size=SIZE),
        options=Options(coder=coder, shard_samples=1000, **options),
        workers=2,
    )


def _store_ours(photographs: Photographs, folder: Path, *, coder: str) -> None:
    _write(photographs.folder, folder, coder)
    manifest = Manifest.read(folder)
    [(split, written)] = manifest.splits.items()
    shards = list(written)
    for copy in range(1, photographs.copies):
        for shard in written:
            again = dataclasses.replace(shard, name=f"{split}-{copy:05d}-{shard.name}")
            for suffix in (".tar", ".idx"):
                source = (folder / shard.name).with_suffix(suffix)
                shutil.copyfile(source, (folder / again.name).with_suffix(suffix))
            shards.append(again)
    dataclasses.replace(manifest, splits={split: shards}).write(folder)


def _load_ours(folder: Path, workers: int) -> Iterable[Any]:
    return StreamingLatentDataset(folder, batch_size=BATCH).loader(num_workers=workers)


def _store_mosaic(photographs: Photographs, folder: Path, *, compression: str | None) -> None:
    from streaming import MDSWriter

    shape = ",".join(map(str, photographs.latents.shape[1:]))
    columns = {"x": f"ndarray:int8:{shape}", "y": "int"}
    with MDSWriter(out=str(folder), columns=columns, compression=compression, size_limit=_SHARD_BYTES) as writer:
        for _ in range(photographs.copies):
            for sample in photographs():
                writer.write(sample)


def _load_mosaic(folder: Path, workers: int) -> Iterable[Any]:
    """With compression from a remote to a fresh local folder: in the local one, it keeps what it has expanded."""
    from streaming import StreamingDataLoader, StreamingDataset
    from streaming.base.util import clean_stale_shared_memory

    clean_stale_shared_memory()
    places: dict[str, str] = {"local": str(folder)}
    if any(folder.glob("*.zstd")):
        places = {"remote": str(folder), "local": str(_fresh(folder))}
    dataset = StreamingDataset(**places, shuffle=True, batch_size=BATCH)
    loader: Iterable[Any] = StreamingDataLoader(dataset, batch_size=BATCH, num_workers=workers)
    return loader


def _store_litdata(photographs: Photographs, folder: Path, *, compression: str | None) -> None:
    from litdata import optimize

    optimize(
        fn=photographs,
        inputs=list(range(photographs.copies)),
        output_dir=str(folder),
        chunk_bytes=_SHARD_BYTES,
        compression=compression,
        num_workers=1,
        verbose=False,
    )


def _load_litdata(folder: Path, workers: int) -> Iterable[Any]:
    from litdata import StreamingDataLoader, StreamingDataset

    places = {"cache_dir": str(_fresh(folder))} if any(folder.glob("*.zstd*")) else {}
    dataset = StreamingDataset(str(folder), shuffle=True, **places)
    loader: Iterable[Any] = StreamingDataLoader(dataset, batch_size=BATCH, num_workers=workers)
    return loader


def _fresh(folder: Path) -> Path:
    """An empty folder beside one."""
    local = folder.with_name(f"{folder.name}-local")
    shutil.rmtree(local, ignore_errors=True)
    return local


def _store_jpegs(photographs: Photographs, folder: Path) -> None:
    files, reader = open_images(photographs.folder).splits["train"], ImageReader(size=SIZE)
    jpegs = []
    for path, label in zip(paths(files), labels(files), strict=True):
        file = io.BytesIO()
        pixels = read_image(path, reader).permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY)
        jpegs.append((file.getvalue(), str(label).encode()))
    for copy in range(photographs.copies):
        with tarfile.open(folder / f"train-{copy:05d}.tar", "w") as tar:
            for number, members in enumerate(jpegs):
                for suffix, data in zip(("jpg", "cls"), members, strict=True):
                    header = tarfile.TarInfo(f"{copy:05d}-{number:05d}.{suffix}")
                    header.size = len(data)
                    tar.addfile(header, io.BytesIO(data))


def _load_jpegs(folder: Path, workers: int) -> Iterable[Any]:
    from webdataset import WebDataset, WebLoader

    urls = sorted(map(str, folder.glob("*.tar")))
    dataset = WebDataset(urls, shardshuffle=100, seed=0).shuffle(1000).decode("pil").to_tuple("jpg", "cls")
    dataset = dataset.map_tuple(_random_crop, None).batched(BATCH)
    loader: Iterable[Any] = WebLoader(dataset, batch_size=None, num_workers=workers)
    return loader


def _random_crop(image: Image.Image) -> Tensor:
    left, top = (random.randint(0, side - CROP) for side in image.size)
    pixels = np.asarray(image.crop((left, top, left + CROP, top + CROP)))
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


FORMATS = {
    "JPEG, webdataset": Format(_store_jpegs, _load_jpegs),
    "latents, walloc_data zstd": Format(partial(_store_ours, coder="zstd"), _load_ours),
    "latents, walloc_data rans": Format(partial(_store_ours, coder="rans"), _load_ours),
    "latents, MosaicML Streaming raw": Format(partial(_store_mosaic, compression=None), _load_mosaic),
    "latents, MosaicML Streaming zstd": Format(partial(_store_mosaic, compression="zstd"), _load_mosaic),
    "latents, LitData raw": Format(partial(_store_litdata, compression=None), _load_litdata),
    "latents, LitData zstd": Format(partial(_store_litdata, compression="zstd"), _load_litdata),
}
