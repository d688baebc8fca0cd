"""Raw data of a sample as an open file, whatever kind of signal is in it."""

import io
from pathlib import Path
from typing import IO, Any

from walloc_data.errors import SampleError, SourceError

__all__ = ["raw_file"]


def raw_file(data: Any, what: str) -> IO[bytes]:
    """The bytes of a file, or the file at a `Path`, to read from; `what` it should be, for messages.

    Raises `SampleError` for anything else, and `SourceError` for a path that cannot be opened.
    """
    if isinstance(data, bytes):
        return io.BytesIO(data)
    if not isinstance(data, Path):
        raise SampleError(f"{what} is the bytes of a file, its path or an array, not {type(data).__name__}")
    try:
        return data.open("rb")
    except OSError as error:  # of the machine, so the sample is not to blame
        raise SourceError(
            f"{data}: cannot be read ({error.strerror or error}). Nothing is lost: see that it is there and may be "
            "read, then run the same command again to go on"
        ) from error
