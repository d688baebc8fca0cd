"""A Hub of one process: as much of the Hugging Face Hub's protocol as its real client needs for datasets and codecs.

Two HTTP servers on ports of their own, so that the second is another host to a client: the Hub (API, `resolve`), and
its storage, which takes uploads and serves files behind signed URLs that expire. State is in memory. Xet is not
spoken: the client must have it off (`HF_HUB_DISABLE_XET=1`, or `constants.HF_HUB_DISABLE_XET`).
"""

import base64
import hashlib
import hmac
import json
import re
import threading
import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import yaml

LICENSES = {"apache-2.0", "mit", "cc-by-4.0", "cc-by-nc-4.0", "cc0-1.0", "other", "unknown"}
_LFS_SUFFIXES = (".tar", ".safetensors", ".jpg", ".png", ".zip", ".bin")
_FIRST_FILES = {".gitattributes": "*.tar filter=lfs diff=lfs merge=lfs -text\n"}


@dataclass(frozen=True)
class Entry:
    """A file of a commit; `lfs` says that its bytes are in the storage."""

    data: bytes
    lfs: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def git_oid(self) -> str:
        data = f"oid sha256:{self.sha256}\nsize {len(self.data)}\n".encode() if self.lfs else self.data
        return hashlib.sha1(b"blob %d\0%s" % (len(data), data)).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.git_oid


@dataclass
class Repo:
    """A repository: every commit with all of its files, and where the branches stand."""

    name: str
    private: bool = False
    gated: bool = False
    granted: set[str] = field(default_factory=set)
    commits: dict[str, dict[str, Entry]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    @property
    def owner(self) -> str:
        return self.name.split("/")[0]

    def commit(self, branch: str, files: dict[str, Entry], message: str) -> str:
        sha = hashlib.sha1(f"{self.name}/{branch}/{len(self.commits)}".encode()).hexdigest()
        self.commits[sha], self.branches[branch] = files, sha
        self.messages.append(message)
        return sha

    def files(self, revision: str = "main") -> dict[str, Entry]:
        return self.commits[self.branches.get(revision, revision)]


@dataclass
class Rule:
    """Answer `times` requests whose "METHOD path" the pattern finds with a failure, after letting `after` through.

    `status` 0 closes the connection without an answer; `cut` sends the true answer but only that part of its body;
    `hold` waits for that event, and then answers truly.
    """

    pattern: str
    status: int = 503
    times: int = 1
    after: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: float | None = None
    hold: threading.Event | None = None


class HubServer:
    """The state, and both servers. `endpoint` is what `HF_ENDPOINT` should be."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}  # by kind ("datasets", "models") and name
        self.tokens: dict[str, tuple[str, str]] = {}  # user and role ("read", "write")
        self.stored: dict[str, bytes] = {}  # by sha256
        self.parts: dict[str, dict[int, bytes]] = {}
        self.rules: list[Rule] = []
        self.requests: list[str] = []  # "METHOD path" at the Hub
        self.storage_requests: list[str] = []
        self.leaks: list[str] = []  # requests at the storage that carried a token
        self.chunk: int | None = None  # uploads in parts of so many bytes
        self.page = 1000  # files a page of a listing
        self.lifetime = 60.0  # seconds that a signed URL is good for
        self.relative_redirects = False  # of files that are not in the storage, as the Hub does it of late
        self.warnings: list[str] = []  # what the check of a card says, though it passes
        self.lock = threading.RLock()
        self._servers = [_Server(("127.0.0.1", 0), partial(cls, self)) for cls in (_Hub, _Storage)]
        self.endpoint, self.storage = (f"http://127.0.0.1:{server.server_port}" for server in self._servers)

    @contextmanager
    def running(self) -> Iterator["HubServer"]:
        threads = [threading.Thread(target=server.serve_forever, args=(0.02,)) for server in self._servers]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            for server in self._servers:
                server.shutdown()
                server.server_close()
                server.close_connections()
            for thread in threads:
                thread.join()

    def token(self, user: str, role: str = "write") -> str:
        """A new token of a user."""
        token = f"hf_{user}{role}{len(self.tokens)}"
        self.tokens[token] = (user, role)
        return token

    def dataset(self, name: str) -> Repo:
        return self.repos["datasets", name]

    def create(self, kind: str, name: str, **options: Any) -> Repo:
        """A repository with what the Hub puts in it."""
        repo = self.repos[kind, name] = Repo(name, **options)
        repo.commit(
            "main", {path: Entry(text.encode(), False) for path, text in _FIRST_FILES.items()}, "initial commit"
        )
        return repo

    def put(self, kind: str, name: str, files: dict[str, bytes], **options: Any) -> Repo:
        """A repository that holds these files."""
        repo = self.repos.get((kind, name)) or self.create(kind, name, **options)
        entries = {path: Entry(data, path.endswith(_LFS_SUFFIXES)) for path, data in files.items()}
        self.stored |= {entry.sha256: entry.data for entry in entries.values() if entry.lfs}
        repo.commit("main", repo.files() | entries, "files")
        return repo

    def fail(self, pattern: str, status: int = 503, **options: Any) -> Rule:
        """Answer requests with a failure, by plan: see `Rule`."""
        self.rules.append(Rule(pattern, status, **options))
        return self.rules[-1]

    def count(self, pattern: str) -> int:
        """Requests so far, at both servers, whose "METHOD path" the pattern finds."""
        return sum(bool(re.search(pattern, line)) for line in [*self.requests, *self.storage_requests])

    def forget_requests(self) -> None:
        self.requests.clear()
        self.storage_requests.clear()

    def signed(self, path: str) -> str:
        """A URL of the storage that is good for a while."""
        expires = f"{time.time() + self.lifetime:.3f}"
        return f"{self.storage}{path}?expires={expires}&signature={_signature(path, expires)}"


def _signature(path: str, expires: str) -> str:
    return hmac.new(b"secret", f"{path} {expires}".encode(), "sha256").hexdigest()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.open: set[Any] = set()

    def get_request(self) -> Any:
        connection, address = super().get_request()
        self.open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """End those that clients keep open, which would otherwise hold their threads."""
        for connection in list(self.open):
            self.shutdown_request(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is none of our business."""


class _Answer(Exception):
    """What ends a request from deep inside."""

    def __init__(self, status: int, message: str, code: str = "", **headers: str) -> None:
        super().__init__(message)
        self.status, self.body = status, json.dumps({"error": message, **headers}).encode()
        self.headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one packet: a second would wait for the first to be acknowledged
    disable_nagle_algorithm = True

    def __init__(self, hub: HubServer, *arguments: Any) -> None:
        self.hub = hub
        super().__init__(*arguments)

    def log_message(self, *arguments: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        self.route, self.query = split.path, {key: values[0] for key, values in parse_qs(split.query).items()}
        self.data = self._read_body()
        self.cut: float | None = None
        hold: threading.Event | None = None
        line = f"{self.command} {unquote(self.route)}"
        with self.hub.lock:
            self.log(line)
            rule = next((rule for rule in self.hub.rules if re.search(rule.pattern, line)), None)
            if rule is not None and rule.after:
                rule.after -= 1
            elif rule is not None:
                rule.times -= 1
                if not rule.times:
                    self.hub.rules.remove(rule)
                self.cut, hold = rule.cut, rule.hold
                if rule.cut is None and hold is None:
                    if not rule.status:
                        self.close_connection = True
                        return
                    return self.send(rule.status, rule.body, rule.headers)
        if hold is not None:
            hold.wait(30)
        try:
            self.answer()
        except _Answer as answer:
            self.send(answer.status, answer.body, {"Content-Type": "application/json"} | answer.headers)

    do_HEAD = do_POST = do_PUT = do_GET

    @abstractmethod
    def log(self, line: str) -> None:
        """Note a request."""

    @abstractmethod
    def answer(self) -> None:
        """Answer it, by raising `_Answer` or by itself."""

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            if self.cut is not None:
                body, self.close_connection = body[: int(len(body) * self.cut)], True
            self.wfile.write(body)

    def send_json(self, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send(status, json.dumps(content).encode(), {"Content-Type": "application/json"} | (headers or {}))

    def send_file(self, data: bytes, etag: str, headers: dict[str, str] | None = None) -> None:
        """All of it, or the range that was asked for."""
        found = {"ETag": f'"{etag}"', "Accept-Ranges": "bytes"} | (headers or {})
        if self.headers.get("If-None-Match") == found["ETag"]:
            return self.send(304, b"", found)
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if asked is None or asked.group(0) == "bytes=-":
            return self.send(200, data, found)
        first, last = asked.groups()
        start = int(first) if first else max(0, len(data) - int(last))
        stop = min(len(data), int(last) + 1) if first and last else len(data)
        if start >= stop:
            return self.send(416, b"", found | {"Content-Range": f"bytes */{len(data)}"})
        return self.send(206, data[start:stop], found | {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"})


class _Storage(_Handler):
    def log(self, line: str) -> None:
        self.hub.storage_requests.append(line)
        if "Authorization" in self.headers:
            self.hub.leaks.append(line)

    def answer(self) -> None:
        expires = self.query.get("expires", "0")
        if self.query.get("signature") != _signature(self.route, expires) or float(expires) < time.time():
            return self.send(403, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
        place = self.route.split("/")
        if place[1] == "upload":
            if hashlib.sha256(self.data).hexdigest() != place[2]:
                return self.send(400, b"<Error><Code>BadDigest</Code></Error>")
            self.hub.stored[place[2]] = self.data
            return self.send(200, b"", {"ETag": '"x"'})
        if place[1] == "part":
            self.hub.parts.setdefault(place[2], {})[int(place[3])] = self.data
            return self.send(200, b"", {"ETag": f'"{hashlib.md5(self.data).hexdigest()}"'})
        return self.send_file(self.hub.stored[place[2]], place[2])


class _Hub(_Handler):
    def log(self, line: str) -> None:
        self.hub.requests.append(line)

    def answer(self) -> None:
        sent = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if sent and sent not in self.hub.tokens:
            raise _Answer(401, "Invalid credentials in Authorization header")
        self.user, self.role = self.hub.tokens.get(sent, ("", ""))
        if self.command == "GET" and self.route == "/html":
            return self.send(200, b"<html>", {"Content-Type": "text/html"})
        for pattern, method in _ROUTES:
            if found := re.fullmatch(pattern, f"{self.command} {self.route}"):
                parts = {name: unquote(value or "") for name, value in found.groupdict().items()}
                return method(self, **parts)
        raise _Answer(404, f"Sorry, we can't find {self.route}.")

    # Who may

    def repo(self, kind: str, name: str) -> Repo:
        repo = self.hub.repos.get((kind, name))
        if repo is None or (repo.private and self.user != repo.owner):
            raise _Answer(404 if self.user else 401, "Repository not found", "RepoNotFound")
        return repo

    def readable(self, kind: str, name: str) -> Repo:
        repo = self.repo(kind, name)
        if repo.gated and self.user not in {repo.owner, *repo.granted}:
            message = f"Access to {name} is restricted and you are not in the authorized list. Visit its page to ask."
            raise _Answer(403 if self.user else 401, message, "GatedRepo")
        return repo

    def writable(self, kind: str, name: str) -> Repo:
        if not self.user:
            raise _Answer(401, "Invalid username or password.")
        repo = self.repo(kind, name)
        if self.user != repo.owner or self.role != "write":
            raise _Answer(403, "Forbidden: you must use a write token to upload to a repository.")
        return repo

    def files(self, repo: Repo, revision: str) -> tuple[str, dict[str, Entry]]:
        sha = repo.branches.get(revision or "main", revision)
        if sha not in repo.commits:
            raise _Answer(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return sha, repo.commits[sha]

    # What it does

    def whoami(self) -> None:
        if not self.user:
            raise _Answer(401, "Invalid username or password.")
        token = {"role": self.role, "displayName": "token"}
        self.send_json(
            {"type": "user", "name": self.user, "orgs": [], "auth": {"type": "access_token", "accessToken": token}}
        )

    def create(self) -> None:
        asked = json.loads(self.data)
        kind, owner = asked.get("type", "model") + "s", asked.get("organization") or self.user
        name = f"{owner}/{asked['name']}"
        if not self.user:
            raise _Answer(401, "Invalid username or password.")
        if owner != self.user or self.role != "write":
            raise _Answer(403, f'You don\'t have the rights to create a {kind[:-1]} under the namespace "{owner}"')
        url = f"{self.hub.endpoint}/{'' if kind == 'models' else kind + '/'}{name}"
        with self.hub.lock:
            if (kind, name) in self.hub.repos:
                raise _Answer(409, f"You already created this {kind[:-1]} repo", url=url)
            private = asked.get("private", False) or asked.get("visibility") == "private"
            self.hub.create(kind, name, private=private)
        self.send_json({"url": url, "name": name})

    def branch(self, kind: str, name: str, revision: str) -> None:
        repo = self.writable(kind, name)
        if revision in repo.branches:
            raise _Answer(409, "Reference already exists")
        repo.branches[revision] = self.files(repo, json.loads(self.data or b"{}").get("startingPoint", "main"))[0]
        self.send_json({})

    def refs(self, kind: str, name: str) -> None:
        branches = [
            {"name": branch, "ref": f"refs/heads/{branch}", "targetCommit": sha}
            for branch, sha in self.repo(kind, name).branches.items()
        ]
        self.send_json({"branches": branches, "converts": [], "tags": [], "pullRequests": []})

    def info(self, kind: str, name: str, revision: str = "") -> None:
        repo = self.repo(kind, name)
        sha, files = self.files(repo, revision)
        siblings = [
            {"rfilename": path, "size": len(entry.data), "blobId": entry.git_oid} for path, entry in files.items()
        ]
        self.send_json(
            {
                "_id": "0",
                "id": repo.name,
                "author": repo.owner,
                "sha": sha,
                "private": repo.private,
                "gated": "auto" if repo.gated else False,
                "disabled": False,
                "downloads": 0,
                "likes": 0,
                "tags": [],
                "lastModified": "2026-01-01T00:00:00.000Z",
                "createdAt": "2026-01-01T00:00:00.000Z",
                "siblings": siblings,
            }
        )

    def tree(self, kind: str, name: str, revision: str, folder: str = "") -> None:
        _, files = self.files(self.readable(kind, name), revision)
        inside = folder.strip("/") + "/" if folder.strip("/") else ""
        listed = [describe(path, files[path]) for path in sorted(files) if path.startswith(inside)]
        if inside and not listed:
            raise _Answer(404, f"{folder} does not exist", "EntryNotFound")
        start = int(self.query.get("cursor", 0))
        stop, headers = start + self.hub.page, {}
        if stop < len(listed):
            query = f"recursive={self.query.get('recursive', 'false')}&cursor={stop}"
            headers = {"Link": f'<{self.hub.endpoint}{self.route}?{query}>; rel="next"'}
        self.send_json(listed[start:stop], headers=headers)

    def paths_info(self, kind: str, name: str, revision: str) -> None:
        _, files = self.files(self.readable(kind, name), revision)
        if "json" in self.headers.get("Content-Type", ""):
            paths = json.loads(self.data)["paths"]
        else:
            paths = parse_qs(self.data.decode()).get("paths", [])
        found = [describe(path, files[path]) for path in paths if path in files]
        self.send_json(found)

    def validate_yaml(self) -> None:
        content = json.loads(self.data)["content"]
        head = re.match(r"---\s*\n(.*?)\n---\s*\n", content, re.DOTALL)
        try:
            data = yaml.safe_load(head.group(1)) if head else {}
        except yaml.YAMLError as error:
            return self.send_json({"errors": [{"message": str(error)}], "warnings": []}, 400)
        errors = []
        if "license" in data and data["license"] not in LICENSES:
            errors.append({"message": f'"license" must be one of {sorted(LICENSES)}'})
        for name, kind in (("tags", list), ("configs", list), ("task_categories", list), ("pretty_name", str)):
            if name in data and not isinstance(data[name], kind):
                errors.append({"message": f'"{name}" must be of type {kind.__name__}'})
        warnings = [{"message": message} for message in self.hub.warnings]
        self.send_json({"errors": errors, "warnings": warnings}, 400 if errors else 200)

    def preupload(self, kind: str, name: str, revision: str) -> None:
        _, files = self.files(self.writable(kind, name), revision)
        answers = []
        for asked in json.loads(self.data)["files"]:
            binary = b"\0" in base64.b64decode(asked["sample"])
            lfs = asked["path"].endswith(_LFS_SUFFIXES) or binary or asked["size"] > 10_000_000
            answer = {"path": asked["path"], "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False}
            if asked["path"] in files:
                answer["oid"] = files[asked["path"]].etag
            answers.append(answer)
        self.send_json({"files": answers})

    def lfs_batch(self, name: str, kind: str = "models") -> None:
        self.writable(kind or "models", name)
        objects = []
        for asked in json.loads(self.data)["objects"]:
            oid, found = asked["oid"], {"oid": asked["oid"], "size": asked["size"]}
            if oid not in self.hub.stored:
                verify = {"href": f"{self.hub.endpoint}/api/lfs/verify"}
                upload: dict[str, Any] = {"href": self.hub.signed(f"/upload/{oid}")}
                if self.hub.chunk is not None and asked["size"] > self.hub.chunk:
                    parts = range(1, -(-asked["size"] // self.hub.chunk) + 1)
                    upload = {
                        "href": f"{self.hub.endpoint}/api/lfs/complete/{oid}",
                        "header": {"chunk_size": str(self.hub.chunk)}
                        | {str(number): self.hub.signed(f"/part/{oid}/{number}") for number in parts},
                    }
                found["actions"] = {"upload": upload, "verify": verify}
            objects.append(found)
        transfer = "multipart" if any("header" in o.get("actions", {}).get("upload", {}) for o in objects) else "basic"
        self.send_json({"transfer": transfer, "objects": objects})

    def lfs_complete(self, oid: str) -> None:
        parts = self.hub.parts.pop(oid)
        asked = json.loads(self.data)["parts"]
        data = b"".join(parts[part["partNumber"]] for part in asked)
        if hashlib.sha256(data).hexdigest() != oid or len(asked) != len(parts):
            raise _Answer(400, "The parts are not those of the file")
        self.hub.stored[oid] = data
        self.send_json({})

    def lfs_verify(self) -> None:
        asked = json.loads(self.data)
        if len(self.hub.stored.get(asked["oid"], b"")) != asked["size"]:
            raise _Answer(422, "The file was not uploaded")
        self.send_json({})

    def commit(self, kind: str, name: str, revision: str) -> None:
        repo = self.writable(kind, name)
        with self.hub.lock:
            if revision not in repo.branches:
                raise _Answer(404, f"Invalid rev id: {revision}", "RevisionNotFound")
            files, message = dict(repo.files(revision)), ""
            for line in self.data.splitlines():
                operation = json.loads(line)
                key, value = operation["key"], operation["value"]
                if key == "header":
                    message = value["summary"]
                    if value.get("parentCommit", repo.branches[revision]) != repo.branches[revision]:
                        raise _Answer(412, "A commit has happened since. Please refresh and try again.")
                elif key == "file":
                    files[value["path"]] = Entry(base64.b64decode(value["content"]), False)
                elif key == "lfsFile":
                    if value["oid"] not in self.hub.stored:
                        raise _Answer(400, f"LFS file {value['oid']} was not uploaded")
                    files[value["path"]] = Entry(self.hub.stored[value["oid"]], True)
                elif key == "deletedFile" and files.pop(value["path"], None) is None:
                    raise _Answer(404, "A file with this name doesn't exist", "EntryNotFound")
            sha = repo.commit(revision, files, message)
        url = f"{self.hub.endpoint}/{kind}/{name}/commit/{sha}"
        self.send_json({"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": ""})

    def resolve(self, name: str, revision: str, path: str, kind: str = "models") -> None:
        repo = self.readable(kind or "models", name)
        sha, files = self.files(repo, revision)
        headers = {"X-Repo-Commit": sha}
        if path not in files:
            body = b"Entry not found"
            return self.send(
                404, body, headers | {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
            )
        entry = files[path]
        if entry.lfs:
            headers |= {"X-Linked-Etag": f'"{entry.sha256}"', "X-Linked-Size": str(len(entry.data))}
            self.hub.stored.setdefault(entry.sha256, entry.data)
            return self.send(302, b"", headers | {"Location": self.hub.signed(f"/files/{entry.sha256}")})
        if self.hub.relative_redirects:
            place = f"/api/resolve-cache/{kind or 'models'}/{name}/{sha}/{quote(path, safe='')}"
            return self.send(307, b"", headers | {"Location": place, "X-Linked-Size": str(len(entry.data))})
        return self.send_file(entry.data, entry.etag, headers)

    def resolve_cache(self, kind: str, name: str, revision: str, path: str) -> None:
        sha, files = self.files(self.readable(kind, name), revision)
        self.send_file(files[path].data, files[path].etag, {"X-Repo-Commit": sha})


def describe(path: str, entry: Entry) -> dict[str, Any]:
    """A line of a listing."""
    found = {"type": "file", "oid": entry.git_oid, "size": len(entry.data), "path": path}
    lfs = {"oid": entry.sha256, "size": len(entry.data), "pointerSize": 130}
    return found | ({"lfs": lfs} if entry.lfs else {})


_API = r"/api/(?P<kind>models|datasets)/(?P<name>[^/]+/[^/]+)"
_ROUTES: list[tuple[str, Any]] = [
    (r"GET /api/whoami-v2", _Hub.whoami),
    (r"POST /api/repos/create", _Hub.create),
    (r"POST /api/validate-yaml", _Hub.validate_yaml),
    (r"POST /api/lfs/verify", _Hub.lfs_verify),
    (r"POST /api/lfs/complete/(?P<oid>\w+)", _Hub.lfs_complete),
    (rf"GET {_API}", _Hub.info),
    (rf"GET {_API}/revision/(?P<revision>[^/]+)", _Hub.info),
    (rf"GET {_API}/refs", _Hub.refs),
    (rf"GET {_API}/tree/(?P<revision>[^/]+)(?P<folder>/.*)?", _Hub.tree),
    (rf"POST {_API}/paths-info/(?P<revision>[^/]+)", _Hub.paths_info),
    (rf"POST {_API}/branch/(?P<revision>[^/]+)", _Hub.branch),
    (rf"POST {_API}/preupload/(?P<revision>[^/]+)", _Hub.preupload),
    (rf"POST {_API}/commit/(?P<revision>[^/]+)", _Hub.commit),
    (r"POST /((?P<kind>datasets)/)?(?P<name>[^/]+/[^/]+)\.git/info/lfs/objects/batch", _Hub.lfs_batch),
    (r"(GET|HEAD) /((?P<kind>datasets)/)?(?P<name>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)", _Hub.resolve),
    (
        r"(GET|HEAD) /api/resolve-cache/(?P<kind>models|datasets)/(?P<name>[^/]+/[^/]+)/(?P<revision>\w+)/(?P<path>.+)",
        _Hub.resolve_cache,
    ),
]
