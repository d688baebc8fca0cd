"""Which reader a codec wants."""

from dataclasses import fields
from typing import Any, Protocol

from walloc_data.errors import SourceError
from walloc_data.signals.audio import AudioReader
from walloc_data.signals.images import ImageReader
from walloc_data.signals.signal import Reader
from walloc_data.signals.video import VideoReader

__all__ = ["reader_for"]

_READERS = (ImageReader, AudioReader, VideoReader)


class _Config(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def dims(self) -> int: ...
    @property
    def signal_channels(self) -> int: ...


def reader_for(config: _Config, **options: Any) -> Reader:
    """The reader of what a codec takes, by its configuration; `options` are those of the reader.

    Raises `SourceError` where there is none, or for options that it does not have.
    """
    for reader in _READERS:
        if (reader.kind, reader.dims) == (config.kind, config.dims):
            known = {entry.name for entry in fields(reader) if entry.init} - {"channels"}
            unknown = ", ".join(map(repr, sorted(options.keys() - known)))
            if unknown:
                raise SourceError(
                    f"{config.kind} is read without {unknown}: its options are {', '.join(sorted(known))}"
                )
            return reader(channels=config.signal_channels, **options)
    raise SourceError(
        f"codec {config.name!r} is for {config.kind} of {config.dims} dimensions, which nothing here reads"
    )
