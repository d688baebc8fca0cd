"""The disk cache: entries by key in a folder that many processes share, bounded in bytes.

```
FOLDER/v1/
  entries/a/bcdef...   one entry: magic `WLE1`, CRC32 of the data (4), bytes of the data (8), the data; little-endian
  tmp/                 entries being written: each is locked by its writer, so those that are not are left-overs
  locks/abc            what a process locks while it fetches an entry whose key begins with that
  total                bytes of all entries and temporaries (8), under its own lock
```

The bound holds for the sizes of files in `entries` and `tmp` together, at every moment: room is taken in `total`
before a byte is written, and by removing the least recently used entries where there is none. What `total` counts too
much (after a kill, or a removal by hand) is put right by the scan that precedes every removal.
"""

import hashlib
import logging
import os
import secrets
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from walloc_data.crc import crc32
from walloc_data.storage.locks import acquire, release, try_lock
from walloc_data.storage.options import StorageOptions

__all__ = ["DiskCache"]

_LOG = logging.getLogger("walloc_data")
_HEADER = struct.Struct("<4sIQ")
_MAGIC = b"WLE1"
_TOTAL = struct.Struct("<Q")
_IDLE = 3600.0  # seconds after which `total` is counted anew: the machine may have gone down meanwhile
_SLACK = 10  # a removal makes room for a tenth of the bound, so that scans are rare
_WARNED: dict[Path, object] = {}


class DiskCache:
    """Entries of at most `bound` bytes together (0: none are kept), shared by threads, processes and runs.

    Safe for many at once; a process killed at any point leaves nothing that hurts. Where the folder cannot be
    written, or its disk is full, one warning says so and nothing more is kept. `patience` is how many seconds to wait
    for another process that fetches the same entry.
    """

    def __init__(self, folder: Path, bound: int, *, patience: float) -> None:
        if sys.platform == "win32":
            bound = 0  # no flock
        self.bound, self.patience = bound, patience
        self._folder = folder
        self._root = folder / "v1"
        self._writable = bound > 0
        self._swept = False

    @classmethod
    def of(cls, options: StorageOptions) -> "DiskCache":
        """The cache that a user chose."""
        folder, bound = options.cache_folder, options.cache_bytes
        if folder is None:
            if bound and _first_time(Path()):
                _LOG.warning(
                    "no home folder is known, so nothing that is fetched is kept, and what is read again is requested "
                    "again. Choose a folder for the disk cache with cache_dir or $WALLOC_CACHE"
                )
            bound = 0
        return cls(folder or Path(), bound, patience=2 * options.timeout)

    @staticmethod
    def key(*parts: str) -> str:
        """The key of what these parts identify together."""
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()

    def get(self, key: str, size: int | None = None) -> bytes | None:
        """The data of an entry, which is then the most recently used; None where there is none, or none of that size.

        Without a size its CRC is checked instead. What is found damaged is removed.
        """
        if not self.bound:
            return None
        path = self._path(key)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            head = os.read(descriptor, _HEADER.size)
            if len(head) == _HEADER.size:
                magic, crc, length = _HEADER.unpack(head)
                whole = os.fstat(descriptor).st_size == _HEADER.size + length
                if magic == _MAGIC and whole and size in (None, length):
                    data = os.read(descriptor, length)
                    if len(data) == length and (size is not None or crc32(data) == crc):
                        with suppress(OSError):  # another user's entry may be read, but not touched
                            os.utime(descriptor)
                        return data
        except OSError:
            return None
        finally:
            os.close(descriptor)
        with suppress(OSError):
            path.unlink()
        return None

    def put(self, key: str, data: bytes) -> None:
        """Keep data under a key, in the place of what was there. More than the whole bound is not kept."""
        if not self._writable:
            return
        try:
            try:
                self._store(key, data)
            except FileNotFoundError:  # the first entry, or somebody cleared the folder
                self._make_folders()
                self._store(key, data)
        except OSError as error:
            self._give_up(error)

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Held by one thread of one process for a key: look again inside before fetching what it names."""
        descriptor = None
        if self._writable:
            path = self._root / "locks" / key[:3]
            try:
                try:
                    descriptor = acquire(path, self.patience)
                except FileNotFoundError:
                    self._make_folders()
                    descriptor = acquire(path, self.patience)
            except OSError as error:
                self._give_up(error)
        try:
            yield
        finally:
            if descriptor is not None:
                release(descriptor)

    def _path(self, key: str) -> Path:
        return self._root / "entries" / key[:1] / key[1:]

    def _make_folders(self) -> None:
        for name in ("entries", "tmp", "locks"):
            (self._root / name).mkdir(parents=True, exist_ok=True)

    def _store(self, key: str, data: bytes) -> None:
        temporary = self._root / "tmp" / secrets.token_hex(12)
        descriptor = self._reserve(temporary, _HEADER.size + len(data))
        if descriptor is None:
            return
        try:
            _write(descriptor, _HEADER.pack(_MAGIC, crc32(data), len(data)))
            _write(descriptor, data)
            path = self._path(key)
            path.parent.mkdir(exist_ok=True)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        finally:
            release(descriptor)

    def _reserve(self, temporary: Path, size: int) -> int | None:
        """A new file of that size, locked and counted; None where the bound has no room for it."""
        if size > self.bound:
            return None
        counter = acquire(self._root / "total", self.patience)
        if counter is None:
            return None
        try:
            total = self._counted(counter)
            if not self._swept:
                total -= self._sweep()[1]
                self._swept = True
            if total < 0 or total + size > self.bound:
                total = self._make_room(size)
            fits = total + size <= self.bound
            os.pwrite(counter, _TOTAL.pack(total + size if fits else total), 0)
            if not fits:
                return None
            descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            try_lock(descriptor)
            try:
                os.ftruncate(descriptor, size)  # scans see all of it from now on
            except OSError:
                temporary.unlink()
                release(descriptor)
                raise
            return descriptor
        finally:
            release(counter)

    def _counted(self, counter: int) -> int:
        """What `total` holds; less than 0 where it must be counted."""
        data = os.pread(counter, _TOTAL.size + 1, 0)
        if len(data) != _TOTAL.size or abs(time.time() - os.fstat(counter).st_mtime) > _IDLE:
            return -1
        return int(_TOTAL.unpack(data)[0])

    def _make_room(self, size: int) -> int:
        """Bytes of all files, after the least recently used are gone where `size` more would not fit."""
        total = self._sweep()[0]
        entries = []
        for folder in _scan(self._root / "entries"):
            for entry in _scan(Path(folder.path)):
                with suppress(FileNotFoundError):
                    status = entry.stat()
                    entries.append((status.st_mtime_ns, status.st_size, entry.path))
                    total += status.st_size
        if total + size > self.bound:
            target = self.bound - max(size, self.bound // _SLACK)
            for _, length, path in sorted(entries):
                if total <= target:
                    break
                with suppress(FileNotFoundError):
                    os.unlink(path)
                total -= length
        return total

    def _sweep(self) -> tuple[int, int]:
        """Remove temporaries without a writer; bytes of those that stay, and of those removed."""
        kept = removed = 0
        for entry in _scan(self._root / "tmp"):
            with suppress(FileNotFoundError):
                size = entry.stat().st_size
                descriptor = os.open(entry.path, os.O_RDWR | os.O_CLOEXEC)
                try:
                    dead = try_lock(descriptor)
                finally:
                    os.close(descriptor)
                if dead:
                    os.unlink(entry.path)
                    removed += size
                else:
                    kept += size
        return kept, removed

    def _give_up(self, error: OSError) -> None:
        """Say once what is wrong, and keep nothing more. What is there already still serves."""
        self._writable = False
        if _first_time(self._folder):
            _LOG.warning(
                "%s: the disk cache cannot be written (%s); going on without it, so what is read again is requested "
                "again. Free some space, or choose another folder with cache_dir or $WALLOC_CACHE",
                self._folder,
                error.strerror or error,
            )


def _first_time(folder: Path) -> bool:
    """Whether nothing has been said about that folder yet."""
    mine = object()
    return _WARNED.setdefault(folder, mine) is mine


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _scan(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []
