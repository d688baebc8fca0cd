"""A folder of whatever fsspec opens, to be written: each file whole or not at all."""

import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from walloc_data.errors import DatasetError, MissingError
from walloc_data.storage.claim import Claim, claimed
from walloc_data.storage.fsspec_files import FsspecSource
from walloc_data.storage.options import StorageOptions
from walloc_data.storage.retry import TransientError, retry

__all__ = ["FsspecFolder"]

# Of these a file is there when all of it has come; elsewhere it is written under another name first.
_WHOLE_PUTS = {"abfs", "abfss", "adl", "az", "gcs", "gs", "memory", "oci", "oss", "s3", "s3a"}


class FsspecFolder(FsspecSource):
    """The files right in the folder at a URL that fsspec knows, such as `s3://bucket/folder`, made when it is needed.

    What fails for a passing reason is tried again. Every method raises `DatasetError`, which says what to do.
    """

    patience = 10.0  # seconds: what is committed each time may be some megabytes
    plain: frozenset[str] = frozenset()

    def __init__(self, url: str, options: StorageOptions | None = None) -> None:
        super().__init__(url, options or StorageOptions())

    def claimed(self, name: str) -> AbstractContextManager[Claim]:
        """The folder for this run alone, said by a file of that name: see `walloc_data.storage.claim`."""
        return claimed(self, name)

    def sizes(self) -> dict[str, int]:
        """The files that are there, and the bytes of each."""

        def listed(system: Any, path: str) -> dict[str, int]:
            system.invalidate_cache()
            try:
                entries = system.ls(path.rstrip("/"), detail=True)
            except FileNotFoundError:
                return {}
            found = {Path(entry["name"]).name: entry for entry in entries if entry["type"] == "file"}
            return {name: int(entry["size"]) for name, entry in found.items()}

        found: dict[str, int] = self._again("", listed)
        return found

    def read(self, name: str) -> bytes | None:
        """A small file as it is now; None where there is none."""
        try:
            return self.fetch(name).data
        except MissingError:
            return None

    def put(self, name: str, content: bytes | Path) -> None:
        """Write a file, of these bytes or those of a local file, in place of another one of its name."""
        try:
            self._again(name, partial(self._put, content))
        except MissingError as error:
            raise DatasetError(
                f"{self.url} cannot be written, since it is in no bucket that is there: make it"
            ) from error

    def remove(self, name: str) -> None:
        """Take a file away, if it is there."""

        def removed(system: Any, path: str) -> None:
            if system.exists(path):
                system.rm_file(path)

        self._again(name, removed)

    def send(self, paths: Sequence[Path]) -> None:
        """Put local files, and take those away that are not there, in this order."""
        for path in paths:
            if path.exists():
                self.put(path.name, path)
            else:
                self.remove(path.name)

    def commit(self, sent: Sequence[None], files: Sequence[Path], gone: Sequence[str]) -> None:
        """Put files, and take others away; what was sent is there already."""
        for path in files:
            self.put(path.name, path)
        for name in gone:
            self.remove(name)

    def _again(self, name: str, work: Callable[[Any, str], Any]) -> Any:
        return retry(partial(self._ask, name, work), retries=self._retries, where=f"{self.url}/{name}".rstrip("/"))

    def _put(self, content: bytes | Path, system: Any, path: str) -> None:
        protocols = (system.protocol,) if isinstance(system.protocol, str) else system.protocol
        aside = path
        if not _WHOLE_PUTS & set(protocols):
            folder, _, name = path.rpartition("/")
            aside = f"{folder}/.{name}.{secrets.token_hex(4)}.tmp"
            system.makedirs(folder, exist_ok=True)
        if isinstance(content, bytes):
            size = len(content)
            system.pipe_file(aside, content)
        else:
            size = content.stat().st_size
            system.put_file(str(content), aside)
        came = system.size(aside)
        if came != size:
            raise TransientError(f"{came} bytes arrived of {size}")
        if aside != path:
            if system.exists(path):  # not every driver moves a file onto another
                system.rm_file(path)
            system.mv(aside, path)
