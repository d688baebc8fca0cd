"""Raw data of a sample as an open file, whatever kind of signal is in it."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from walloc_data.errors import SampleError, SourceError

__all__ = ["RawFile", "raw_file"]

RawFile: TypeAlias = io.BufferedReader | io.BytesIO


@contextmanager
def raw_file(data: Any, what: str) -> Iterator[RawFile]:
    """The bytes of a file, or the file at a `Path`, to read from; `what` it should be, for messages.

    Raises `SampleError` for anything else, and `SourceError` for a path that cannot be opened or, when it is left, that
    could not be read on the way: whatever has been made of that meanwhile, the sample is not to blame.
    """
    if isinstance(data, bytes):
        yield io.BytesIO(data)
        return
    if not isinstance(data, Path):
        raise SampleError(f"{what} is the bytes of a file, its path or an array, not {type(data).__name__}")
    try:
        raw = _Told(data)
    except OSError as error:
        raise _unread(data, error) from error
    file: io.BufferedReader = io.BufferedReader(raw)
    with file:
        try:
            yield file
        finally:
            if raw.failure is not None:
                raise _unread(data, raw.failure) from raw.failure


class _Told(io.FileIO):
    """A file that ends where the machine cannot read on, and keeps why: libraries would take the error for damage, or
    print it from where they cannot raise it."""

    failure: OSError | None = None

    def readinto(self, buffer: Any, /) -> int | None:  # through which a `BufferedReader` reads all but the rest at once
        try:
            return super().readinto(buffer)
        except OSError as error:
            self.failure = error
            return 0

    def readall(self) -> bytes:
        try:
            return super().readall()
        except OSError as error:
            self.failure = error
            return b""


def _unread(path: Path, error: OSError) -> SourceError:
    return SourceError(
        f"{path}: cannot be read ({error.strerror or error}). Nothing is lost: see that it is there and may be read, "
        "then run the same command again to go on"
    )
