"""A dataset repository of the Hugging Face Hub, by the Hub's client: each call retried, each failure one sentence."""

import hashlib
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants, get_token
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
    get_session,
    hf_raise_for_status,
    validate_repo_id,
)

from walloc_data.errors import DatasetError
from walloc_data.storage import hub_failures, hub_refusal

__all__ = ["HubRepo", "Upload"]

_P = ParamSpec("_P")
_T = TypeVar("_T")
_TYPE = "dataset"
_BUSY = (408, 429, 500, 502, 503, 504)
_WAITS = (1.0, 4.0, 16.0)  # seconds before another try
_LONGEST_WAIT = 300.0  # however long the Hub asks for
_CHUNK = 1 << 20
# What the client raises, with ValueError for what it checks itself and RuntimeError for an upload that failed.
_HTTP_FAILURES, _SETTINGS = hub_failures()
_FAILURES: tuple[type[Exception], ...] = (*_HTTP_FAILURES, *_SETTINGS, ValueError, RuntimeError)


@dataclass(frozen=True)
class Upload:
    """A file to send: its name there, its bytes or where they are, how many, and their sha256."""

    name: str
    content: bytes | Path
    size: int
    sha256: str

    @classmethod
    def of(cls, name: str, content: bytes | Path) -> "Upload":
        """One whose content is read to know its sha256."""
        if isinstance(content, bytes):
            return cls(name, content, len(content), hashlib.sha256(content).hexdigest())
        digest = hashlib.sha256()
        with content.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return cls(name, content, content.stat().st_size, digest.hexdigest())

    def is_at(self, entry: RepoFile | None) -> bool:
        """Whether a repository has it already."""
        if entry is None or entry.size != self.size:
            return False
        if entry.lfs is not None:
            return entry.lfs.sha256 == self.sha256
        data = self.content if isinstance(self.content, bytes) else self.content.read_bytes()
        return entry.blob_id == hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class HubRepo:
    """A dataset repository `user/name`, at a branch. Every method raises `DatasetError`."""

    def __init__(self, name: str, *, revision: str | None = None, token: str | None = None) -> None:
        try:
            validate_repo_id(name)
        except ValueError as error:
            why = "give it as user/name" if "://" in name else error
            raise DatasetError(f"{name!r} is no name of a repository: {why}") from error
        if name.count("/") != 1:
            raise DatasetError(f"{name!r} is no name of a repository: give it as user/name")
        self.api = HfApi(token=token)
        self.name, self.revision = name, revision
        self.page = f"{self.api.endpoint}/datasets/{name}"

    @property
    def url(self) -> str:
        """Where people look at it."""
        return self.page + (f"/tree/{self.revision}" if self.revision else "")

    def check_token(self) -> None:
        """Whether there is a token that may write at all."""
        try:
            access = self.api.whoami().get("auth", {}).get("accessToken", {})
        except LocalTokenNotFoundError as error:
            raise DatasetError(
                f"cannot push to {self.page} without a token: log in with `hf auth login`, or set HF_TOKEN, to one "
                "that may write"
            ) from error
        except _FAILURES as error:
            raise self._explained(error) from error
        if access.get("role") == "read":
            raise DatasetError(f"cannot push to {self.page}: the token may only read; log in with one that may write")

    def check_card(self, text: str) -> None:
        """Whether the Hub takes the head of a card."""
        # Not by the client's own cards, which in older versions ask huggingface.co whatever HF_ENDPOINT says.
        content = {"content": text, "repoType": _TYPE}
        try:
            self._ask(_post, f"{self.api.endpoint}/api/validate-yaml", content)
        except DatasetError as error:
            refusal = _refusal(error)
            if refusal is None or refusal.response.status_code != 400:
                raise
            answer = refusal.response.text
            reasons = re.findall(r'"message": ?"((?:[^"\\]|\\.)*)"', answer) or [" ".join(answer.split())]
            said = "; ".join(reason.replace('\\"', "'") for reason in reasons)
            raise DatasetError(f"the Hub does not take the card: {said}") from error

    def create(self, *, private: bool) -> None:
        """Make it, and the branch, unless they are there."""
        # Private only on demand, since an organisation may have a default of its own.
        self._ask(self.api.create_repo, self.name, repo_type=_TYPE, exist_ok=True, private=private or None)
        if private and not self._ask(self.api.dataset_info, self.name).private:
            raise DatasetError(
                f"{self.page} is public, and a private one was asked for: make it private in its settings, or choose "
                "another name"
            )
        if self.revision:
            self._ask(self.api.create_branch, self.name, branch=self.revision, repo_type=_TYPE, exist_ok=True)

    def files(self) -> dict[str, RepoFile]:
        """What it holds, by name."""

        def listed() -> dict[str, RepoFile]:
            found = self.api.list_repo_tree(self.name, recursive=True, revision=self.revision, repo_type=_TYPE)
            return {entry.path: entry for entry in found if isinstance(entry, RepoFile)}

        return self._ask(listed)

    def read(self, name: str) -> bytes:
        """The bytes of a small file; none where there is no such file."""

        def download(folder: str) -> bytes:
            try:
                path = self.api.hf_hub_download(
                    self.name, name, revision=self.revision, repo_type=_TYPE, local_dir=folder
                )
            except EntryNotFoundError:
                return b""
            return Path(path).read_bytes()

        with tempfile.TemporaryDirectory() as folder, _without_bars():
            return self._ask(download, folder)

    def send(self, uploads: Sequence[Upload]) -> list[CommitOperationAdd]:
        """Send files, for a commit to come."""
        additions = [CommitOperationAdd(upload.name, upload.content) for upload in uploads]
        with _without_bars():
            self._ask(
                self.api.preupload_lfs_files,
                self.name,
                additions,
                repo_type=_TYPE,
                revision=self.revision,
                free_memory=False,
            )
        return additions

    def head(self) -> str:
        """The commit that the branch stands at."""
        return self._ask(self.api.dataset_info, self.name, revision=self.revision).sha or ""

    def commit(
        self,
        operations: Sequence[CommitOperationAdd | CommitOperationDelete],
        message: str,
        *,
        parent: str | None = None,
    ) -> str:
        """Make a commit of files that were sent, or taken away, on top of no other than `parent`, and give its name."""

        def send() -> str:
            made = self.api.create_commit(
                self.name,
                operations,
                commit_message=message,
                repo_type=_TYPE,
                revision=self.revision,
                parent_commit=parent,
            )
            return str(made.oid)

        with _without_bars():
            return self._ask(send)

    def delete(self, names: Sequence[str], message: str) -> None:
        """Make a commit without these files."""
        self.commit([CommitOperationDelete(name) for name in names], message)

    def _ask(self, call: Callable[_P, _T], *arguments: _P.args, **options: _P.kwargs) -> _T:
        for wait in (*_WAITS, None):
            try:
                return call(*arguments, **options)
            except _FAILURES as error:
                refusal = _refusal(error)
                again = isinstance(error, _HTTP_FAILURES) if refusal is None else refusal.response.status_code in _BUSY
                if wait is None or not again or isinstance(error, OfflineModeIsEnabled):
                    raise self._explained(error) from error
                asked = "" if refusal is None else refusal.response.headers.get("Retry-After", "")
                time.sleep(min(float(asked), _LONGEST_WAIT) if asked.isdigit() else wait)
        raise AssertionError("the last try returns or raises")

    def _explained(self, error: Exception) -> DatasetError:
        if (refusal := _refusal(error)) is not None:
            headers = refusal.response.headers
            message = headers.get("X-Error-Message") or refusal.server_message or ""
            return DatasetError(
                hub_refusal(
                    refusal.response.status_code,
                    headers.get("X-Error-Code", ""),
                    " ".join(message.split()),
                    page=self.page,
                    revision=self.revision,
                    known=bool(self.api.token or get_token()),
                )
            )
        if isinstance(error, OfflineModeIsEnabled):
            return DatasetError(f"cannot reach {self.page}: HF_HUB_OFFLINE is set, so nothing is asked of the Hub")
        root = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ is not None else error
        reason = " ".join(str(root).split()) or type(root).__name__
        if isinstance(root, OSError) and root.filename is not None:
            return DatasetError(f"{root.filename}: cannot be read ({root.strerror})")
        if isinstance(root, _SETTINGS):
            return DatasetError(f"{self.page}: {reason}; check HF_ENDPOINT, and the proxy in https_proxy or all_proxy")
        if not isinstance(root, _HTTP_FAILURES):
            return DatasetError(f"{self.page}: {reason}")
        return DatasetError(
            f"cannot reach {self.page} ({reason}): check the network and HF_ENDPOINT; what was sent is kept, so run "
            "the same command again to go on"
        )


def _post(url: str, content: Mapping[str, str]) -> None:
    hf_raise_for_status(get_session().post(url, json=content))


def _refusal(error: BaseException | None) -> HfHubHTTPError | None:
    """The answer of the Hub that an error comes from."""
    while error is not None:
        if isinstance(error, HfHubHTTPError) and getattr(error, "response", None) is not None:
            return error
        error = error.__cause__ or error.__context__
    return None


@contextmanager
def _without_bars() -> Iterator[None]:
    """Without the client's own progress bars, one a file."""
    if constants.HF_HUB_DISABLE_PROGRESS_BARS is not None or are_progress_bars_disabled():
        yield  # the user has decided
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()
