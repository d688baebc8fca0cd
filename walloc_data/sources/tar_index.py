"""Where the members of a tar lie, by its headers alone; what is damaged is passed over and named.

Headers are those of POSIX.1-1988 ustar, POSIX.1-2001 pax and GNU tar: 512 bytes each, then the member's, padded to 512.
"""

from typing import BinaryIO, NamedTuple

from walloc_data.errors import SourceError

__all__ = ["Member", "TarIndex", "read_tar_index"]

_BLOCK = 512
_FILES, _LONG_NAME, _PAX = b"0\07", b"L", b"x"
_LINKS = b"12S"  # and sparse files, whose bytes are not as they were
_MARK, _MARK_AT = b"ustar", 257  # what every header since POSIX.1-1988 has, and where
_WINDOW = 1 << 16
_EXTRA = 1 << 20  # what names and attributes may take at most
_LONGEST, _DIGITS = 1 << 62, 18  # bytes of a file, and digits of a number; more would fit no 64 bits
_PACKED = {b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz", b"\x28\xb5\x2f\xfd": "unzstd"}


class Member(NamedTuple):
    """A file in a tar: its name, and the bytes `start` up to `stop` that it takes."""

    name: str
    start: int
    stop: int


class TarIndex(NamedTuple):
    """The files of a tar in order, and what a person should know of it.

    `suspects` are the members between which something is damaged, by the number of the one behind.
    """

    members: list[Member]
    suspects: list[int]
    notes: list[str]


def read_tar_index(file: BinaryIO, size: int, where: str) -> TarIndex:
    """The index of a tar of `size` bytes; `where` is what messages call it.

    Reads headers alone. A member that ends behind the file is listed all the same. Raises `SourceError` for what is no
    tar, or a compressed one.
    """
    members, suspects, notes = list[Member](), list[int](), list[str]()
    links, ended = list[str](), False
    extra: dict[str, str] = {}
    at = 0
    while at + _BLOCK <= size:
        file.seek(at)
        header = file.read(_BLOCK)
        if header.count(0) == _BLOCK:  # the end; or tars one behind the other, as `cat` puts them
            ended, at = True, at + _BLOCK
            continue
        if not _is_header(header):
            found = _next_header(file, at + 1, size)
            if not members and found == size:
                raise SourceError(_no_tar(header, where))
            behind = f" (behind {members[-1].name})" if members else ""
            notes.append(f"{where}: damaged from byte {at:,} to {found:,}{behind}; what stood there is left out")
            suspects.append(len(members))
            extra, at = {}, found
            continue
        kind, start = header[156:157], at + _BLOCK
        length = _number(header[124:136])
        if kind in (_PAX, _LONG_NAME):
            content = file.read(min(length, _EXTRA))
            extra |= _attributes(content) if kind == _PAX else {"path": _text(content)}
        else:
            if kind in _FILES:
                length = int(extra.get("size", length))
                members.append(Member(extra.get("path") or _name(header), start, start + length))
            elif kind in _LINKS:
                links.append(_name(header))
            if kind not in b"Kg":
                extra = {}
            ended = False
        at = start + -(-length // _BLOCK) * _BLOCK
    if size and not ended and (not members or members[-1].stop <= size):
        notes.append(f"{where}: has no end mark, and may have been cut short")
    if links:
        notes.append(f"{where}: {len(links)} links or sparse files were passed over, such as {links[0]}")
    if not size:
        notes.append(f"{where}: is empty")
    return TarIndex(members, suspects, notes)


def _next_header(file: BinaryIO, at: int, size: int) -> int:
    """Where the next header is, at whatever byte; `size` if there is none."""
    while at + _BLOCK <= size:
        file.seek(at)
        window = file.read(_WINDOW)
        mark = window.find(_MARK, _MARK_AT)
        while mark >= 0 and mark - _MARK_AT + _BLOCK <= len(window):
            if _is_header(window[mark - _MARK_AT : mark - _MARK_AT + _BLOCK]):
                return at + mark - _MARK_AT
            mark = window.find(_MARK, mark + 1)
        if len(window) < _WINDOW:
            break
        at += _WINDOW - _BLOCK + 1
    return size


def _is_header(header: bytes) -> bool:
    try:
        return int(header[148:156].strip(b" \0") or b"0", 8) == sum(header) - sum(header[148:156]) + 8 * 32
    except ValueError:
        return False


def _number(field: bytes) -> int:
    """A number as octal digits, or of base 256 where the first bit is set; at most one that no file reaches."""
    if field[0] & 0x80:
        return min(int.from_bytes(field, "big") & ((1 << 88) - 1), _LONGEST)
    digits = field.strip(b" \0")
    return int(digits, 8) if digits.isdigit() and not {*digits} & {*b"89"} else 0  # int takes signs, too


def _name(header: bytes) -> str:
    name = _text(header[:100])
    folder = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{folder}/{name}" if folder else name


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _attributes(content: bytes) -> dict[str, str]:
    """Attributes of pax: `LENGTH NAME=VALUE` and a line break each, the length that of all."""
    found, at = {}, 0
    while at < len(content):
        digits = content[at : content.find(b" ", at)]
        if not digits.isdigit() or len(digits) > _DIGITS or not int(digits):
            break
        name, _, value = content[at + len(digits) + 1 : at + int(digits) - 1].partition(b"=")
        found[_text(name)] = _text(value)
        at += int(digits)
    size = found.get("size", "0")
    if not (size.isascii() and size.isdigit() and len(size) <= _DIGITS):
        del found["size"]
    return found


def _no_tar(header: bytes, where: str) -> str:
    for magic, tool in _PACKED.items():
        if header.startswith(magic):
            return (
                f"{where} is compressed, so that its samples cannot be reached one by one: unpack it first "
                f"({tool} {where})"
            )
    return f"{where} is no tar, or one that is damaged at its beginning"
