"""What arrays `walloc fit` is given: as the first that can be read."""

from typing import Any

from walloc_data.errors import SampleError, SourceError

__all__ = ["array_shape", "latent_channels"]

_TRIED = 32  # samples, before they are taken for no arrays
_MOST_CHANNELS = 64


def array_shape(source: str, *, data: str | None, options: dict[str, Any]) -> tuple[int, int]:
    """Bands and dimensions of space of the arrays of a source, by the first that `options` lets be read."""
    from walloc_data.signals import ArrayReader
    from walloc_data.sources import open_source, unread

    found = open_source(source, suffixes=ArrayReader.suffixes, data=data)
    reasons: list[str] = []
    for split in found.splits.values():
        for index in range(min(len(split), _TRIED)):
            try:
                raw = unread(split, index)
                reader = ArrayReader.like(raw.data, raw.name, **options)
                return reader.channels, reader.dims
            except SampleError as error:
                reasons.append(str(error))
    raise SourceError(f"none of the first {len(reasons)} samples can be read, such as {reasons[0]}")


def latent_channels(packets: int, dims: int) -> int:
    """How many channels latents have unless it is said: 16 times fewer numbers, or 4 times in one dimension."""
    return max(1, min(_MOST_CHANNELS, packets // (4 if dims == 1 else 16)))
