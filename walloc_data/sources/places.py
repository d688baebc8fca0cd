"""Files that hold many samples each: where they are, here or elsewhere, and how they are read."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from walloc_data.errors import MissingError, SourceError, WallocError
from walloc_data.storage import Storage

__all__ = ["Place"]

_AHEAD = 1 << 20  # bytes that are asked for at once where a file elsewhere is read in order


@dataclass(frozen=True)
class Place:
    """One file. `name` is what splits and keys know it by, with `/` between folders; `where` what messages call it;
    `split` the one that it is said to be of, if it is.

    It is the local file at `where`, or the file `member` of a `storage`. Every method raises `SourceError` where the
    machine, the disk or the network says no.
    """

    name: str
    where: str
    storage: Storage | None = None
    member: str = ""
    split: str | None = None

    @property
    def stem(self) -> str:
        """The name without the last suffix."""
        return os.path.splitext(self.name)[0]

    @property
    def folder(self) -> str | None:
        """The folder of a local file."""
        return os.path.dirname(os.path.abspath(self.where)) if self.storage is None else None

    def size(self) -> int:
        """Bytes of the file."""
        with self._named():
            return os.stat(self.where).st_size if self.storage is None else self.storage.size(self.member)

    def stamp(self) -> str:
        """Size and time of a local file, the revision of one on the Hub; empty where neither is known."""
        if self.storage is not None:
            return self.storage.revision
        try:
            found = os.stat(self.where)
        except OSError:
            return ""
        return f"{found.st_size}:{found.st_mtime_ns}"

    def read(self, start: int, stop: int) -> bytes:
        """Bytes `start` up to `stop`, all of them."""
        with self._named():
            if self.storage is not None:
                version = f"{self.storage.revision}/{self.member}" if self.storage.revision else ""
                return self.storage.read_range(self.member, start, stop, version=version)
            with open(self.where, "rb", buffering=0) as file:
                file.seek(start)
                data = file.read(stop - start)
        if len(data) != stop - start:
            raise SourceError(f"{self.where}: cut short since it was listed: copy it again, then run again to go on")
        return data

    def open(self) -> BinaryIO:
        """The file from its beginning, to be read in order or from place to place."""
        with self._named():
            if self.storage is None:
                return open(self.where, "rb")
            return io.BufferedReader(_Elsewhere(self), _AHEAD)

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:  # of the machine, so no sample is to blame
            raise SourceError(
                f"{self.where}: cannot be read ({error.strerror or error}). Nothing is lost: see that it is there and "
                "may be read, then run the same command again to go on"
            ) from error
        except SourceError:
            raise
        except MissingError as error:
            raise SourceError(f"{self.where} is not there: check the address") from error
        except WallocError as error:
            raise SourceError(str(error)) from error


class _Elsewhere(io.RawIOBase):
    """A file that is elsewhere, as one that is open here."""

    def __init__(self, place: Place) -> None:
        self._place, self._at, self._size = place, 0, place.size()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        stop = min(self._at + len(buffer), self._size)
        if stop <= self._at:
            return 0
        data = self._place.read(self._at, stop)
        buffer[: len(data)] = data
        self._at = stop
        return len(data)
