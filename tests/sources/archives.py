"""Tars of WebDataset that tests make."""

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path


def write_tar(path: Path, members: Iterable[tuple[str, bytes]], kind: int = tarfile.PAX_FORMAT) -> Path:
    """A tar of members by name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=kind) as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def members_of(photos: Path, split: str) -> list[tuple[str, bytes]]:
    """The photographs of a folder `split/class/name` as members `class/name`, with a `cls` each."""
    files = sorted((photos / split).rglob("*.jpg"))
    classes = sorted({path.parent.name for path in photos.rglob("*.jpg")})
    members = []
    for file in files:
        name = file.relative_to(photos / split).as_posix()
        members += [(name, file.read_bytes()), (name[:-3] + "cls", str(classes.index(file.parent.name)).encode())]
    return members
