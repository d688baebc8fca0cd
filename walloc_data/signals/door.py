"""Which reader a codec wants."""

from dataclasses import fields
from typing import Any

from walloc_data.errors import SourceError
from walloc_data.signals.arrays import ArrayReader
from walloc_data.signals.audio import AudioReader
from walloc_data.signals.images import ImageReader
from walloc_data.signals.signal import CodecLike, Reader
from walloc_data.signals.video import VideoReader

__all__ = ["reader_for"]

_READERS = (ArrayReader, AudioReader, ImageReader, VideoReader)


def reader_for(config: CodecLike, **options: Any) -> Reader:
    """The reader of what a codec takes, by its configuration; `options` are those of the reader.

    Raises `SourceError` where there is none, or for options that it does not have.
    """
    given: dict[str, Any] = {"channels": config.signal_channels}
    if config.kind == ArrayReader.kind:
        given |= {"dims": config.dims, "dtype": config.dtype}
    for reader in _READERS:
        if reader.kind == config.kind and (reader is ArrayReader or reader.dims == config.dims):
            known = {entry.name for entry in fields(reader) if entry.init} - given.keys()
            unknown = ", ".join(map(repr, sorted(options.keys() - known)))
            if unknown:
                raise SourceError(
                    f"{config.kind} is read without {unknown}: its options are {', '.join(sorted(known))}"
                )
            return reader(**given, **options)
    raise SourceError(
        f"codec {config.name!r} is for {config.kind} of {config.dims} dimensions, which nothing here reads"
    )
