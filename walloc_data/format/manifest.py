"""The manifest `walloc.json`: what a dataset holds."""

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from walloc_data.errors import FormatError

__all__ = ["CODEC_FILE", "MANIFEST_FILE", "VERSION", "Manifest", "ShardInfo", "replace_file"]

MANIFEST_FILE = "walloc.json"
CODEC_FILE = "codec.safetensors"
VERSION = 1
_LAYOUTS = ("records", "samples")


@dataclass(frozen=True, kw_only=True)
class ShardInfo:
    """One shard: file name of its tar, samples, records, bytes and sha256 of the tar, bytes of payloads in it."""

    name: str
    samples: int
    records: int
    bytes: int
    payload_bytes: int
    sha256: str

    def __post_init__(self) -> None:
        counts = (self.samples, self.records, self.bytes, self.payload_bytes)
        if not all(isinstance(n, int) and n >= 0 for n in counts):
            raise FormatError(f"shard {self.name!r}: counts must be whole numbers")
        if not isinstance(self.name, str) or Path(self.name).name != self.name or not self.name.endswith(".tar"):
            raise FormatError(f"shard {self.name!r}: not a file name that ends with .tar")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A dataset: codec, coder, layout, splits, classes, and what the write path measured.

    `plan` identifies what was asked for (source, options), so that a second run knows its own.
    """

    codec: str
    fingerprint: str
    coder: str
    layout: str
    splits: dict[str, list[ShardInfo]]
    classes: list[str] | None = None
    plan: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.layout not in _LAYOUTS:
            raise FormatError(f"layout {self.layout!r} is not one of {_LAYOUTS}")
        texts = [self.codec, self.fingerprint, self.coder, self.plan, *self.splits, *(self.classes or [])]
        if not self.splits or not all(isinstance(text, str) for text in texts):
            raise FormatError("it names no split, or what must be text is not")
        if not isinstance(self.options, dict) or not isinstance(self.summary, dict):
            raise FormatError("options and summary must be objects")

    def samples(self, split: str) -> int:
        """Samples of a split."""
        return sum(shard.samples for shard in self.splits[split])

    def write(self, folder: Path) -> None:
        """Write `walloc.json` in a folder, whole or not at all."""
        content = {"format": "walloc", "version": VERSION, **asdict(self)}
        replace_file(folder / MANIFEST_FILE, json.dumps(content, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """The manifest of a dataset folder. Raises `FormatError` where there is none that this version reads."""
        path = folder / MANIFEST_FILE
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise FormatError(f"{folder} is not a dataset: it has no {MANIFEST_FILE}") from error
        except OSError as error:
            raise FormatError(f"{path}: cannot be read ({error})") from error
        return cls.parse(data, str(path))

    @classmethod
    def parse(cls, data: bytes, where: str) -> "Manifest":
        """The manifest in the bytes of a `walloc.json`. Raises `FormatError`, which says `where` they are from."""
        try:
            content = json.loads(data.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise FormatError(f"{where}: cannot be read ({error})") from error
        if not isinstance(content, dict) or content.pop("format", None) != "walloc":
            raise FormatError(f"{where}: not the manifest of a walloc dataset")
        version = content.pop("version", None)
        if version != VERSION:
            raise FormatError(
                f"{where}: format version {version}; this walloc_data reads {VERSION}: upgrade walloc_data"
            )
        try:
            splits = {
                name: [ShardInfo(**_known(ShardInfo, shard)) for shard in shards]
                for name, shards in content.pop("splits").items()
            }
            return cls(splits=splits, **_known(cls, content))
        except (TypeError, KeyError, AttributeError, FormatError) as error:
            raise FormatError(f"{where}: damaged ({error})") from error


def _known(cls: type[ShardInfo | Manifest], content: dict[str, Any]) -> dict[str, Any]:
    """The fields of a class; a later writer of this version may add to them."""
    names = {entry.name for entry in fields(cls)}
    return {key: value for key, value in content.items() if key in names}


def replace_file(path: Path, text: str) -> None:
    """Write a file under a temporary name, settle it on the disk, and only then give it its name."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    # A class may be a file name that is no UTF-8; its bytes then get the form that JSON has for them (\\udcff).
    with temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
