"""What samples of a dataset were made of, found again by their keys."""

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from walloc_data.codec import CodecConfig
from walloc_data.dataset import LatentDataset
from walloc_data.errors import DatasetError, SourceError
from walloc_data.format import differing
from walloc_data.signals import Box, Cutting, Reader, Viewing, Window, reader_for
from walloc_data.sources import Split, open_source, samples_of, unread

__all__ = ["Originals", "reader_of"]

_OF_THE_CODEC = {"channels", "dims", "dtype"}  # options of readers


class Originals:
    """The originals of a dataset's samples in the source it was made of: a folder, tars, a table or a list."""

    def __init__(self, dataset: LatentDataset, address: str | os.PathLike[str]) -> None:
        """Raises `DatasetError` where the dataset does not say how they were read."""
        self._config, self._address = dataset.codec.config, os.fspath(address)
        self._reader = reader_of(self._config, dataset.manifest.options, where=str(dataset.root))
        self._windows = isinstance(self._reader, Cutting) and self._reader.windows is not None

    def signal(self, fields: Mapping[str, Any]) -> Tensor | None:
        """The original of the sample of these columns, as `decode="signal"` would give it: float32 `[C, *size]`.

        None where it is gone. Raises `SampleError` for one that cannot be read as it was.
        """
        key = str(fields["key"])
        whole, _, start = key.rpartition("#")
        found = self._raw(whole if self._windows else key)
        if found is None:
            return None
        data, name = found
        if self._windows:  # of which seconds stand in a column too, with all of their digits
            data = Window(data, float(start if self._config.kind == "array" else fields["start"]), 0)
        if "box" in fields and "view" in fields and isinstance(self._reader, Viewing):
            box = Box(*map(int, fields["box"]))
            [signal] = self._reader.views(data, name, lambda *_: [box])
        else:
            signal = self._reader.read(data, name)
        x = self._config.in_units(self._config.to_float(torch.from_numpy(signal.values)[None]))[0]
        return x[:, : int(signal.fields["length"])] if "length" in signal.fields else x

    def _raw(self, key: str) -> tuple[Any, str] | None:
        """Data as the reader takes it, and what it is called."""
        if "\0" in key:
            return None
        folder, path = os.path.realpath(self._address), os.path.realpath(os.path.join(self._address, key))
        if os.path.isdir(folder) and path.startswith(os.path.join(folder, "")) and os.path.isfile(path):
            return (Path(path) if self._windows else Path(path).read_bytes()), path
        split, index = self._listed.get(key, (None, 0))
        if split is None:
            return None
        raw = unread(split, index) if self._windows else split[index]
        return raw.data, raw.name

    @cached_property
    def _listed(self) -> dict[str, tuple[Split, int]]:
        try:
            source = open_source(self._address, suffixes=self._reader.suffixes)
        except SourceError as error:
            raise SourceError(f"originals: {error}") from error
        return {split.key(index): (split, index) for split, index in samples_of(source.splits.values())}


def reader_of(config: CodecConfig, options: Mapping[str, Any], *, where: str) -> Reader:
    """How the originals of a dataset `where` were read, by the options of its manifest, so that they are read again.

    Raises `DatasetError` where that is not known, or not one for all of them.
    """
    differ = [name for name in differing(options) if name != "limit"]
    if differ:
        raise DatasetError(
            f"{where} was merged of datasets that differ in {', '.join(differ)}, so nothing says how its samples are "
            "read: take those datasets, and merge again"
        )
    try:
        named = dict(options["read"])
        return reader_for(config, **{name: named[name] for name in named.keys() - _OF_THE_CODEC})
    except (KeyError, TypeError, ValueError, SourceError) as error:
        raise DatasetError(f"{where}: its originals cannot be read as they were when it was made ({error})") from error
