"""Local files, read a piece at a time, with few of them open, however many there are.

Not mapped: what is cut short or fails under a map ends the process, and here it is an error.
"""

import errno
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from walloc_data.errors import DatasetError, FormatError

__all__ = ["OpenFile", "with_room"]

_T = TypeVar("_T")

_MOST, _PART = 512, 4  # files open in this process: so many, or one in so many of what the system allows it
_TOO_MANY = (errno.EMFILE, errno.ENFILE)
_PASSING = (errno.ESTALE, *_TOO_MANY)  # what closing files, or opening one anew, may mend
_SEEKING = threading.Lock()


def _read_by_seeking(descriptor: int, size: int, offset: int) -> bytes:
    with _SEEKING:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, size)


_READ: Callable[[int, int, int], bytes] = getattr(os, "pread", _read_by_seeking)  # Windows has no pread


def _copy_into(descriptor: int, parts: Sequence[memoryview], offset: int) -> int:
    data = _READ(descriptor, len(parts[0]), offset)
    parts[0][: len(data)] = data
    return len(data)


_READ_INTO: Callable[[int, Sequence[memoryview], int], int] = getattr(os, "preadv", _copy_into)


def _allowed() -> int:
    with suppress(ImportError):  # where the system has no such limit
        import resource

        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if limit != resource.RLIM_INFINITY:
            return max(1, min(_MOST, limit // _PART))
    return _MOST


class _Descriptor:
    """Open as long as somebody has it: a thread that reads may have it longer than `_OPEN`."""

    def __init__(self, path: Path) -> None:
        self.number = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        if hasattr(self, "number"):
            close(self.number)


_OPEN: "deque[_Descriptor]" = deque(maxlen=_allowed())  # those opened last, of all datasets of this process


class OpenFile:
    """The bytes of a file that is to have `size` of them; its slices are read when they are asked for.

    Opened when it is first read, and again when it was closed for others. Threads may share it, and children inherit
    it. Raises `FormatError` where the file is of another size or ends before a slice does, `DatasetError` where it
    cannot be read.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path, self._size = path, size
        self._descriptor: Callable[[], _Descriptor | None] = _none

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: "slice[int, int, Any]") -> bytes:
        try:
            data = self._read(part.start, part.stop)
        except OSError as error:
            data = self._read_anew(part.start, part.stop, error)
        if len(data) != part.stop - part.start:
            raise FormatError(f"{self.path} ends before byte {part.stop} of {self._size}: cut short; copy it again")
        return data

    def read_into(self, memory: memoryview, pieces: Iterable[tuple[int, int, int]]) -> None:
        """Fill memory: of each piece, where it begins there, its bytes, and its offset in the file."""
        number = -1
        with suppress(OSError):  # which a slice then tells, if it does not pass
            descriptor = self._descriptor() or self._open()
            number = descriptor.number
        for start, size, offset in pieces:
            part = memory[start : start + size]
            try:
                read = _READ_INTO(number, [part], offset)
            except OSError:
                read = 0
            if read != size:
                part[:] = self[offset : offset + size]

    def _read(self, start: int, stop: int) -> bytes:
        descriptor = self._descriptor() or self._open()
        data = _READ(descriptor.number, stop - start, start)
        while len(data) < stop - start and (
            more := _READ(descriptor.number, stop - start - len(data), start + len(data))
        ):
            data += more
        return data

    def _read_anew(self, start: int, stop: int, error: OSError) -> bytes:
        try:
            if error.errno not in _PASSING:
                raise error
            _OPEN.clear()
            return self._read(start, stop)
        except OSError as last:
            more = ": allow more, with ulimit -n" if last.errno == errno.EMFILE else ""
            raise DatasetError(f"{self.path}: cannot be read ({last.strerror}{more})") from last

    def _open(self) -> _Descriptor:
        descriptor = _Descriptor(self.path)
        found = os.fstat(descriptor.number).st_size
        if found != self._size:
            raise FormatError(f"{self.path} has {found} bytes, not {self._size}: cut short or replaced; copy it again")
        _OPEN.append(descriptor)
        self._descriptor = weakref.ref(descriptor)
        return descriptor


def with_room(read: Callable[[], _T]) -> _T:
    """What `read` gives, which opens a file itself; tried again without those open here, where these are too many."""
    try:
        return read()
    except DatasetError as error:
        if getattr(error.__cause__, "errno", None) not in _TOO_MANY:
            raise
        _OPEN.clear()
    try:
        return read()
    except DatasetError as error:
        if getattr(error.__cause__, "errno", None) not in _TOO_MANY:
            raise
        raise DatasetError(f"{error}: allow more, with ulimit -n") from error.__cause__


def _none() -> None:
    return None
