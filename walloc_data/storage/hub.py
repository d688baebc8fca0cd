"""Dataset repositories of the Hugging Face Hub, `hf://user/name[@revision]`: one commit of them, for a whole run."""

import json
import logging
import re
import time
from functools import partial
from urllib.parse import quote

from walloc_data.errors import DatasetError, MissingError
from walloc_data.storage.answer import Answer
from walloc_data.storage.cache import DiskCache
from walloc_data.storage.http import HttpSource
from walloc_data.storage.hub_refusal import hub_refusal
from walloc_data.storage.options import StorageOptions
from walloc_data.storage.retry import TransientError, UnreachableError, retry, retry_after
from walloc_data.storage.urls import redirected, trusted

__all__ = ["HubSource", "parse_hub_address"]

_LOG = logging.getLogger("walloc_data")
_ADDRESS = re.compile(r"hf://(?:datasets/)?([\w.-]+/[\w.-]+?)(?:@(.+?))?/?", re.ASCII | re.IGNORECASE)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HOPS = 5  # a repository that was renamed, and renamed again


class HubSource(HttpSource):
    """A `Source` of the files of a dataset repository, as they were in one commit.

    The first request says which commit the revision (default: `main`) stands for; copies in other processes,
    pickled or forked after it, read the same. Where the Hub cannot be reached, or is not to be (HF_HUB_OFFLINE), it is
    the last commit that is known, with a warning. The token (that of the options, else that of `hf auth login` or
    HF_TOKEN) goes to the Hub alone, never to the storage that it redirects to.
    """

    def __init__(self, url: str, options: StorageOptions) -> None:
        from huggingface_hub import constants, get_token

        self.repo, revision = parse_hub_address(url)
        if None not in (revision, options.revision) and revision != options.revision:
            raise DatasetError(f"{url}: revision={options.revision!r} says another revision; give one of the two")
        self._asked = revision or options.revision
        super().__init__(f"{constants.ENDPOINT}/datasets/{self.repo}", options)
        self.url = f"hf://{self.repo}" + (f"@{self._asked}" if self._asked else "")
        self._token = options.token or (None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token())
        self._offline = constants.HF_HUB_OFFLINE
        self._cache = DiskCache.of(options)
        self._found: dict[str, str] = {}
        if self._asked and _COMMIT.fullmatch(self._asked):
            self._found["commit"] = self._asked

    @property
    def revision(self) -> str:
        """The commit that is read, 40 hex digits; empty until a first file has been asked for."""
        return self._found.get("commit", "")

    def file_url(self, name: str) -> str:
        """The full URL that is asked for a file."""
        if not self.revision:
            self._found.setdefault("commit", self._settle_commit(name))
        return self._url_at(self.revision, name)

    def headers(self, name: str) -> dict[str, str]:
        """The token."""
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def refusal(self, name: str, answer: Answer) -> DatasetError:
        """What a status that no retry helps means to the user, and what to do."""
        code, message = answer.header("X-Error-Code"), answer.header("X-Error-Message")
        if code == "EntryNotFound":
            return MissingError(
                f"{self.url} has no {name}: it is no dataset of walloc_data, or one whose push has not ended"
            )
        if answer.status == 416 or (answer.status == 403 and not (code or message)):
            return super().refusal(name, answer)  # of the storage
        known = self._token is not None
        return DatasetError(
            hub_refusal(answer.status, code, message, page=self.place, revision=self._asked, known=known)
        )

    def _url_at(self, revision: str, name: str) -> str:
        # As the client's `hf_hub_url`, which a forked child may hang on: its modules are loaded when first used.
        return f"{self.place}/resolve/{quote(revision, safe='')}/{quote(name)}"

    def _settle_commit(self, name: str) -> str:
        """The commit that the Hub names when it is asked for a file, or the last one that it named."""
        asked = self._asked or "main"
        note = DiskCache.key(self.place, asked, "commit")
        try:
            commit = retry(partial(self._ask_commit, name), retries=self._retries, where=f"{self.url}/{name}")
        except UnreachableError as error:
            kept = self._cache.get(note)
            if kept is None:
                raise
            last: dict[str, str] = json.loads(kept)
            why = f"{self.url}: HF_HUB_OFFLINE is set" if self._offline else str(error).removesuffix(".")
            _LOG.warning("%s. What is read is %s as it was known on %s: %s", why, asked, last["when"], last["commit"])
            return last["commit"]
        self._cache.put(note, json.dumps({"commit": commit, "when": time.ctime()}).encode())
        return commit

    def _ask_commit(self, name: str) -> str:
        """The commit that the Hub names with the first byte of a file."""
        url = self._url_at(self._asked or "main", name)
        for _ in range(_HOPS):
            answer = self._send(name, url, {"Range": "bytes=0-0", "Accept-Encoding": "identity"})
            try:
                if answer.status in (408, 425, 429) or answer.status >= 500:
                    after = retry_after(answer.header("Retry-After"))
                    raise TransientError(f"the Hub answered {answer.status}", after)
                if answer.status >= 400:
                    raise self.refusal(name, answer)
                commit = answer.header("X-Repo-Commit")
                if _COMMIT.fullmatch(commit):
                    return commit
            finally:
                answer.close()
            try:
                url = redirected(url, answer.header("Location") or "none:")
            except ValueError:
                break
            if not trusted(url, self.place):
                break
        raise DatasetError(f"{self.place}: what answers there is no Hub (it names no commit): check HF_ENDPOINT")

    def _send(self, name: str, url: str, wanted: dict[str, str]) -> Answer:
        if self._offline:
            raise UnreachableError(f"{self.url}/{name}: not in the cache, and HF_HUB_OFFLINE is set: unset it")
        return super()._send(name, url, wanted)


def parse_hub_address(url: str) -> tuple[str, str | None]:
    """The repository `user/name` of a dataset, and the revision, that `hf://user/name[@revision]` names."""
    found = _ADDRESS.fullmatch(url)
    if found is None:
        raise DatasetError(f"{url}: write hf://user/name, or hf://user/name@revision")
    return found[1], found[2]
