"""A dataset repository of the Hub as a place that a run writes a dataset to, commit by commit."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete

from walloc_data.hub.card import merged_card
from walloc_data.hub.repo import HubRepo, Upload
from walloc_data.storage import parse_hub_address

__all__ = ["HubFolder"]

_CARD = "README.md"
_SMALL = 1 << 20  # bytes of a file that goes along with the commit, and need not be there any more


class HubFolder:
    """The repository `hf://user/name[@branch]`, made when it is needed. Every method raises `DatasetError`.

    Tasks send the bytes of their shards; what they sent is committed in turns with the journal, since the Hub takes
    some hundred commits an hour. Each commit stands on the one before: where another run has made one meanwhile, that
    is an error.
    """

    patience = 60.0
    plain = frozenset({".gitattributes", _CARD})

    def __init__(self, url: str) -> None:
        name, branch = parse_hub_address(url)
        self.url = f"hf://{name}" + (f"@{branch}" if branch else "")
        self.repo = HubRepo(name, revision=branch)
        self._head: str | None = None

    @contextmanager
    def claimed(self, name: str) -> Iterator["HubFolder"]:
        """The repository, as it is now; no file says so, but the commits do."""
        self._head = self.repo.head()
        yield self

    def check(self) -> None:
        """Nothing: commits do."""

    def sizes(self) -> dict[str, int]:
        """The files right in the repository, and the bytes of each."""
        if self._head is None:
            self.repo.check_token()
            self.repo.create(private=False)
        return {name: entry.size for name, entry in self.repo.files().items() if "/" not in name}

    def read(self, name: str) -> bytes | None:
        """A small file; None where there is none."""
        return self.repo.read(name) if name in self.repo.files() else None

    def send(self, paths: Sequence[Path]) -> list[CommitOperationAdd]:
        """Send files, and give what commits them."""
        contents = {path.name: path for path in paths if path.exists()}
        return self.repo.send(
            [
                Upload.of(name, path.read_bytes() if path.stat().st_size <= _SMALL else path)
                for name, path in contents.items()
            ]
        )

    def commit(self, sent: Sequence[Any], files: Sequence[Path], gone: Sequence[str]) -> None:
        """Commit all that was sent, these files and the removal of others, at once."""
        there = self.repo.files()
        operations: list[Any] = [operation for operations in sent for operation in operations]
        uploads = [Upload.of(path.name, self._content(path)) for path in files]
        operations += [
            CommitOperationAdd(one.name, one.content) for one in uploads if not one.is_at(there.get(one.name))
        ]
        operations += [CommitOperationDelete(name) for name in gone if name in there]
        if operations:
            self._head = self.repo.commit(operations, _said(sent, files), parent=self._head)

    def _content(self, path: Path) -> bytes:
        data = path.read_bytes()
        if path.name != _CARD:
            return data
        return merged_card(data.decode("utf-8", "backslashreplace"), self.read(_CARD) or b"")


def _said(sent: Sequence[Any], files: Sequence[Path]) -> str:
    if sent:
        return f"{len(sent)} shards" if len(sent) > 1 else "A shard"
    return ", ".join(path.name for path in files) or "Take away what is made again"
