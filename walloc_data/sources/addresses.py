"""Addresses of files that hold many samples: paths and URLs, brace notation, patterns, folders."""

import fnmatch
import glob
import os
import re
from pathlib import Path, PurePosixPath

from walloc_data.errors import SourceError, WallocError
from walloc_data.sources.places import Place
from walloc_data.sources.split_names import split_named
from walloc_data.sources.walk import list_files
from walloc_data.storage import hub_failures, hub_refusal, hub_unreachable, open_storage
from walloc_data.storage.urls import shown

__all__ = ["expand_braces", "find_places", "is_url", "split_of", "suffix_of"]

_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}|\{([^{}]*,[^{}]*)\}")
_HUB = re.compile(r"hf://(?:datasets/)?([\w.-]+/[\w.-]+?)(?:@([^/]+))?(?:/(.*))?", re.ASCII | re.IGNORECASE)
_MANY = 1_000_000


def is_url(address: str) -> bool:
    """Whether an address names a scheme, such as `https://`."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", address) is not None


def suffix_of(address: str) -> str:
    """The suffix of the file that an address names, in lower case with its dot."""
    path = re.split(r"[?#]", address, maxsplit=1)[0] if is_url(address) else address
    return PurePosixPath(path).suffix.lower()


def expand_braces(address: str) -> list[str]:
    """What the brace notation of shells stands for: `{000..012}` and `{a,b}`, once or more.

    >>> expand_braces("{train,val}-{08..10}.tar")[:4]
    ['train-08.tar', 'train-09.tar', 'train-10.tar', 'val-08.tar']
    """
    found = _BRACES.search(address)
    if found is None:
        return [address]
    first, last, several = found.groups()
    if several is not None:
        choices = several.split(",")
    else:
        if abs(int(last) - int(first)) >= _MANY:
            raise SourceError(f"{address}: stands for more than {_MANY:,} files")
        width = max(len(first), len(last)) if first.startswith("0") or last.startswith("0") else 0
        step = 1 if int(first) <= int(last) else -1
        choices = [f"{number:0{width}d}" for number in range(int(first), int(last) + step, step)]
    before, after = address[: found.start()], address[found.end() :]
    return list(dict.fromkeys(one for choice in choices for one in expand_braces(before + choice + after)))


def split_of(name: str) -> str | None:
    """The split that a file is of, or None: by a word of its name (`train-000.tar`), or a folder that is called so."""
    *folders, file = PurePosixPath(name).parts
    called = [folder for folder in reversed(folders) if split_named(re.split("[_ -]", folder)[0])]  # not `my-test`
    return next(filter(None, map(split_named, [*re.findall("[a-z]+", file.lower()), *called])), None)


def find_places(address: str, suffixes: frozenset[str]) -> list[Place]:
    """The files that an address stands for, in order; of a folder or a pattern, those with one of the `suffixes`.

    Raises `SourceError` where there are none, or not all that brace notation names.
    """
    if is_url(address):
        places = [place for one in expand_braces(address) for place in _elsewhere(one, suffixes)]
    elif os.path.isdir(address):
        files = list_files(address, suffixes)
        places = [Place(file.relative_to(address).as_posix(), str(file)) for file in files]
    elif os.path.exists(address):
        places = [_local(address)]
    else:
        places, absent = [], []
        names = expand_braces(address)
        for one in names:
            found = sorted(glob.glob(one, recursive=True)) if glob.has_magic(one) else [one][: os.path.exists(one)]
            places += [_local(path) for path in found]
            absent += [] if found else [one]
        if absent:
            count = f"{len(absent)} of {len(names)} files are not there, such as" if len(names) > 1 else "there is no"
            raise SourceError(f"{address}: {count} {absent[0]}: check the address")
    if not places:
        elsewhere = ": download it, and give its folder, or what datasets.load_dataset makes of it"
        raise SourceError(
            f"{shown(address)} holds no files of {' or '.join(sorted(suffixes))}" + elsewhere * is_url(address)
        )
    return places


def _local(path: str) -> Place:
    return Place("/".join(Path(path).parts[-2:]).lstrip("/"), path)


def _elsewhere(url: str, suffixes: frozenset[str]) -> list[Place]:
    """The files of one URL."""
    hub = _HUB.fullmatch(url)
    path = (hub[3] or "") if hub else re.split(r"[?#]", url, maxsplit=1)[0].rstrip("/")
    if suffix_of(path) in suffixes and "*" not in path:
        names = [path]
    elif hub:
        names = [name for name in _list_hub(hub[1], hub[2]) if _wanted(name, path, suffixes)]
    else:
        names = _list_others(url, path, suffixes)
    try:
        if hub:
            storage = open_storage(f"hf://{hub[1]}" + (f"@{hub[2]}" if hub[2] else ""))
            return [Place(name, f"{storage.url}/{name}", storage, name) for name in names]
        query = url[len(path) :] if names == [path] else ""
        places = []
        for name in names:
            folder, _, file = name.rpartition("/")
            storage = open_storage(folder + query)
            places.append(Place("/".join(name.split("/")[-2:]), f"{storage.url}/{file}", storage, file))
    except WallocError as error:
        raise SourceError(str(error)) from error
    return places


def _wanted(name: str, path: str, suffixes: frozenset[str]) -> bool:
    inside = not path or name.startswith(path.rstrip("/") + "/")
    return suffix_of(name) in suffixes and (fnmatch.fnmatch(name, path) if "*" in path else inside)


def _list_hub(repo: str, revision: str | None) -> list[str]:
    """The names of the files of a dataset repository."""
    from huggingface_hub import HfApi, constants

    failures = hub_failures()
    others: tuple[type[Exception], ...] = (*failures.setting, ValueError, OSError)
    try:
        return sorted(HfApi().list_repo_files(repo, repo_type="dataset", revision=revision))
    except failures.http as error:
        answer = getattr(error, "response", None)
        page = f"{constants.ENDPOINT}/datasets/{repo}"
        if answer is None:
            raise SourceError(hub_unreachable(f"hf://{repo}", error)) from error
        code, message = (answer.headers.get(f"X-Error-{name}", "") for name in ("Code", "Message"))
        known = "Authorization" in getattr(answer.request, "headers", {})
        raise SourceError(
            hub_refusal(answer.status_code, code, message, page=page, revision=revision, known=known)
        ) from error
    except others as error:
        raise SourceError(f"hf://{repo}: cannot be listed ({error})") from error


def _list_others(url: str, path: str, suffixes: frozenset[str]) -> list[str]:
    """The URLs of files below one that fsspec lists."""
    if url.lower().startswith(("http://", "https://")):
        raise SourceError(
            f"{path}: a web server lists no folders; name the files, as in {shown(path)}/train-{{000..012}}.tar"
        )
    import fsspec

    try:
        system, folder = fsspec.core.url_to_fs(path)
        found = system.glob(folder) if "*" in path else system.find(folder)
        return sorted(system.unstrip_protocol(name) for name in found if suffix_of(name) in suffixes)
    except Exception as error:  # drivers raise what they like
        raise SourceError(
            f"{shown(path)}: cannot be listed ({type(error).__name__}: {error}): check the URL"
        ) from error
