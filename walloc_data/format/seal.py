"""The last line of `walloc.json`: the SHA-256 of all that stands before it, so that a changed byte of it is known."""

import hashlib
import re

__all__ = ["is_sealed", "seal"]

_END = "\n}\n"
_SEAL = re.compile(rb',\n "checksum": "([0-9a-f]{64})"\n}\n\Z')
_REMAINS = re.compile(rb"[0-9a-f]{30}")  # of a seal of which one byte is another
_LENGTH = 100  # bytes, of which a seal takes fewer


def seal(text: str) -> str:
    """The text of a JSON object with its seal."""
    body = text.removesuffix(_END)
    digest = hashlib.sha256(body.encode("utf-8", "backslashreplace")).hexdigest()
    return f'{body},\n "checksum": "{digest}"{_END}'


def is_sealed(data: bytes) -> bool | None:
    """Whether the bytes of such a file are those that were sealed; None where they never were."""
    found = _SEAL.search(data, max(0, len(data) - _LENGTH))
    if found is not None:
        return hashlib.sha256(data[: found.start()]).hexdigest().encode() == found[1]
    return False if _REMAINS.search(data[-_LENGTH:]) else None
