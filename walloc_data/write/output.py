"""Where a run writes a dataset: a folder of this machine, or a place elsewhere."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from walloc_data.errors import DatasetError
from walloc_data.format import JOURNAL_FILE, MANIFEST_FILE, ShardInfo
from walloc_data.storage import FsspecFolder, open_storage
from walloc_data.write.lock import check_token, owned
from walloc_data.write.remote import RemoteOutput

__all__ = ["LocalOutput", "Output", "output_at"]


class Output(Protocol):
    """Where a dataset is written. Pickles while it is owned: tasks, wherever they run, put their shards there by it.

    `url` is what messages name, `repo` the repository of the Hub that it is, if it is, and `folder` the local one in
    which a run writes all but the shards: what a former run left of journal, codec and manifest is there once it is
    owned. `journal` is the file in it that says which shards are there. Every method raises `DatasetError` or
    `OSError`.
    """

    journal: str

    @property
    def url(self) -> str: ...
    @property
    def repo(self) -> str | None: ...
    @property
    def folder(self) -> Path: ...

    def owned(self) -> AbstractContextManager[None]:
        """For this run alone. Raises `DatasetError` where another run has it, or it holds something else."""

    def sizes(self) -> Mapping[str, int]:
        """The files that are there, with the bytes of each."""

    def room(self) -> AbstractContextManager[Path]:
        """A local folder for a task to write its shard in."""

    def send(self, folder: Path, shard: ShardInfo) -> Any:
        """Of a task: have a shard, written in its room, whole at the output. What it gives is for `add`."""

    def add(self, sent: Any) -> None:
        """A shard was sent, and is in the journal in `folder`."""

    def take(self, *names: str) -> None:
        """Have other small files in `folder`, as far as they are there."""

    def keep(self, *names: str) -> None:
        """Files of `folder` were written, or taken away, in this order."""

    def drop(self, *names: str) -> None:
        """Take files away, as far as they are there, shards too."""


@dataclass
class LocalOutput:
    """A folder of this machine, or of a disk that several share."""

    folder: Path
    journal: str = JOURNAL_FILE
    repo: None = None
    _token: str = field(default="", init=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "folder": self.folder.absolute()}  # a task may run where another folder is current

    @property
    def url(self) -> str:
        """The path."""
        return str(self.folder)

    @contextmanager
    def owned(self) -> Iterator[None]:
        """See `walloc_data.write.lock.owned`."""
        with owned(self.folder) as token:
            self._token = token
            yield

    def sizes(self) -> dict[str, int]:
        with os.scandir(self.folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries}

    @contextmanager
    def room(self) -> Iterator[Path]:
        """The folder itself. Raises `DatasetError` where a task runs on a machine to which it is another one."""
        check_token(self.folder, self._token)
        yield self.folder

    def send(self, folder: Path, shard: ShardInfo) -> None:
        """It is there."""

    def add(self, sent: None) -> None:
        """It is there."""

    def take(self, *names: str) -> None:
        """They are there."""

    def keep(self, *names: str) -> None:
        """They are there."""

    def drop(self, *names: str) -> None:
        for name in names:
            (self.folder / name).unlink(missing_ok=True)


def output_at(out: str | os.PathLike[str], journal: str = JOURNAL_FILE) -> Output:
    """The output at a path, a `file://` URL, `hf://user/name`, or a URL of what fsspec writes, such as `s3://`."""
    if not isinstance(out, str | os.PathLike):
        raise DatasetError(f"a dataset is written to a folder or a URL, not to {out!r}")
    text = os.fspath(out)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)(://|::)", text)
    if not isinstance(out, str) or not scheme:
        return LocalOutput(Path(out), journal)
    if scheme[0].lower() == "file://":
        file = open_storage(text).path(MANIFEST_FILE)
        return LocalOutput(Path(text) if file is None else file.parent, journal)
    if scheme[0].lower() in ("http://", "https://"):
        raise DatasetError(f"{text}: a web server cannot be written to: give a folder, s3://, hf:// or the like")
    if scheme[0].lower() == "hf://":
        from walloc_data.hub.folder import HubFolder

        hub = HubFolder(text)
        return RemoteOutput(hub, journal, hub.repo.name)
    return RemoteOutput(FsspecFolder(text), journal)
