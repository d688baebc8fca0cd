"""The answer to an HTTP request, and what makes its body the file, or the range, that was asked for."""

import logging
import re

import urllib3

from walloc_data.errors import DatasetError, MissingError
from walloc_data.storage.retry import TransientError

__all__ = ["Answer", "read_body"]

_LOG = logging.getLogger("walloc_data")
_WHOLE = 1 << 30  # bytes: manifests, indices and codecs are far smaller
_SKIP = 64 << 20  # bytes read and thrown away, at most, where a server does not serve ranges
_CHUNK = 1 << 20
_DRAIN = 1 << 16
_WARNED: set[str] = set()  # folders whose server has been spoken of


class Answer:
    """Status and headers of an answer, whose body has not been read."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self.status = response.status
        self._response = response

    def header(self, name: str) -> str:
        """A header, or ""."""
        return self._response.headers.get(name, "")

    @property
    def total(self) -> int | None:
        """Bytes of the file that the body is, or is a part of; None where the answer does not say."""
        said = self.header("Content-Range").rpartition("/")[2] if self.status == 206 else self.header("Content-Length")
        return int(said) if said.isdecimal() else None

    def read(self, size: int) -> bytes:
        """The next bytes of the body: `size` of them, or as many as there are. Raises `TransientError`."""
        try:
            return self._response.read(size)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            timed_out = isinstance(error, urllib3.exceptions.TimeoutError)
            raise TransientError("timed out" if timed_out else f"cut short ({type(error).__name__})") from error

    def close(self) -> None:
        """Give the connection back, or close it where more of the body is left than a new one costs."""
        left = "0" if self.status == 304 else self.header("Content-Length")
        if not self._response.closed and left.isdecimal() and int(left) <= _DRAIN:
            self._response.drain_conn()
        self._response.close()


def read_body(answer: Answer, span: tuple[int, int] | None, *, where: str) -> bytes:
    """The file, or exactly its bytes `span`, from an answer of status 200 or 206.

    Raises `TransientError` for what another attempt may mend and `DatasetError`, which says `where`, for the rest.
    """
    if re.match(r"(text/html|application/xhtml)", answer.header("Content-Type").lower()):
        raise DatasetError(
            f"{where}: a web page came instead of the file (a login or error page); check the URL, and that it can be "
            "read without logging in"
        )
    if answer.header("Content-Encoding").lower() not in ("", "identity"):
        raise DatasetError(f"{where}: the server compresses it; have it serve files as they are")
    if span is None:
        if answer.status == 206:
            raise TransientError("a part came instead of the file")
        return _exactly(answer, None, where)
    if answer.status == 200:
        return _cut_out(answer, span, where)
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", answer.header("Content-Range").strip())
    if not found:
        raise TransientError(f"no range that can be read came ({answer.header('Content-Range')!r:.80})")
    if found[3] != "*" and int(found[3]) < span[1]:
        raise MissingError(_too_short(where, int(found[3]), span))
    if (int(found[1]), int(found[2]) + 1) != span:
        raise TransientError(f"bytes {found[1]} to {found[2]} came instead of {span[0]} to {span[1] - 1}")
    return _exactly(answer, span[1] - span[0], where)


def _too_short(where: str, size: int, span: tuple[int, int]) -> str:
    """What to say of a file that ends before a range does."""
    return (
        f"{where} has {size} bytes, and bytes {span[0]} to {span[1]} were asked for: cut short or replaced; "
        "upload it again"
    )


def _exactly(answer: Answer, size: int | None, where: str) -> bytes:
    """The body, which has `size` bytes or any number."""
    declared = answer.header("Content-Length")
    if size is None and declared.isdecimal():
        size = int(declared)
    if (size or 0) > _WHOLE:
        raise DatasetError(f"{where} has {size} bytes: too large to be read as a whole; check the URL")
    if size is not None:
        data = answer.read(size + 1)
        if len(data) != size:
            raise TransientError(f"{len(data)} bytes came instead of {size}")
        return data
    parts, total = [], 0
    while part := answer.read(_CHUNK):
        parts.append(part)
        total += len(part)
        if total > _WHOLE:
            raise DatasetError(f"{where} does not end within {_WHOLE} bytes; check the URL")
    return b"".join(parts)


def _cut_out(answer: Answer, span: tuple[int, int], where: str) -> bytes:
    """A range from a server that sends everything: what is before it is read and thrown away."""
    declared = answer.header("Content-Length")
    if declared.isdecimal() and int(declared) < span[1]:
        raise MissingError(_too_short(where, int(declared), span))
    if span[1] > _SKIP:
        raise DatasetError(
            f"{where}: the server does not serve ranges, and would send {span[1]} bytes for {span[1] - span[0]}; "
            "use one that does (most do, and object stores), or copy the dataset to a local folder"
        )
    folder = where.rpartition("/")[0]
    if folder not in _WARNED:
        _WARNED.add(folder)
        _LOG.warning("%s: the server does not serve ranges, so each record is read from the start of its shard", folder)
    left = span[0]
    while left:
        skipped = len(answer.read(min(left, _CHUNK)))
        if not skipped:
            raise TransientError("cut short")
        left -= skipped
    data = answer.read(span[1] - span[0])
    if len(data) != span[1] - span[0]:
        raise TransientError(f"{len(data)} bytes came instead of {span[1] - span[0]}")
    return data
