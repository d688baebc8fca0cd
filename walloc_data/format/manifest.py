"""The manifest `walloc.json`: what a dataset holds."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from walloc_data.errors import FormatError
from walloc_data.format.seal import seal

__all__ = [
    "CODEC_FILE",
    "JOURNAL_FILE",
    "MANIFEST_FILE",
    "VERSION",
    "Manifest",
    "ShardInfo",
    "Summary",
    "differing",
    "no_manifest",
    "replace_file",
]

MANIFEST_FILE = "walloc.json"
CODEC_FILE = "codec.safetensors"
JOURNAL_FILE = ".walloc-journal.jsonl"  # of runs that write a dataset
VERSION, _VIEWED = 1, 2  # the second of datasets with views, which readers that know of none must not take for others
_LAYOUTS = ("records", "samples")
_NAME = re.compile(r"[^/\\\0\ud800-\udfff]+")  # of this folder alone, on whatever system
_SHA256 = re.compile(r"[0-9a-f]*")


@dataclass(frozen=True, kw_only=True)
class ShardInfo:
    """One shard: file name of its tar, samples (each view of one counts), records, bytes and sha256 of the tar, bytes
    of payloads in it.

    `source` changes when a file it was made of does (empty: not known).
    """

    name: str
    samples: int
    records: int
    bytes: int
    payload_bytes: int
    sha256: str
    source: str = ""

    def __post_init__(self) -> None:
        counts = (self.samples, self.records, self.bytes, self.payload_bytes)
        if not all(isinstance(n, int) and n >= 0 for n in counts):
            raise FormatError(f"shard {self.name!r}: counts must be whole numbers")
        name = self.name
        if not (isinstance(name, str) and Path(name).name == name and name.endswith(".tar") and _NAME.fullmatch(name)):
            raise FormatError(f"shard {self.name!r}: not a file name that ends with .tar")
        if not isinstance(self.sha256, str) or not _SHA256.fullmatch(self.sha256) or not isinstance(self.source, str):
            raise FormatError(f"shard {self.name!r}: its sha256 is no hex digits, or its source no text")

    @property
    def index(self) -> str:
        """File name of its index."""
        return self.name.removesuffix(".tar") + ".idx"

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "ShardInfo":
        """The shard that JSON describes; a later version may have said more of it."""
        return cls(**_known(cls, content))


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What the write path measured.

    `samples` of all splits, `skipped` ones that could not be read; `source_bytes` of the samples' files and
    `payload_bytes` of their payloads; `latents`, and the `saturated` ones among them; `psnr` in dB, the mean over at
    most 128 samples, of large ones over their middle (None if none was decoded).
    """

    samples: int = 0
    skipped: int = 0
    source_bytes: int = 0
    payload_bytes: int = 0
    latents: int = 0
    saturated: int = 0
    psnr: float | None = None

    def __post_init__(self) -> None:
        counts = (self.samples, self.skipped, self.source_bytes, self.payload_bytes, self.latents, self.saturated)
        if not all(isinstance(n, int) and n >= 0 for n in counts) or not isinstance(self.psnr, float | int | None):
            raise FormatError("the summary's counts must be whole numbers, and its psnr a number or null")

    @property
    def bits_per_latent(self) -> float:
        """Bits of payload a latent."""
        return 8 * self.payload_bytes / max(1, self.latents)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A dataset: codec (and the sha256 of the file with it and the coder's tables), coder, layout, splits, classes,
    and what the write path measured.

    `block` is the samples of every record but a shard's last, which may hold fewer; in the layout `samples`,
    of every run of records that is shuffled as one. A shard of more records than that has blocks that were too much
    for one record, and its index says how many samples each record holds. With `views`, every sample is stored as many
    times: a run of `block` samples is as many records in a row, one for each view. `classes` are the names of classes
    by column (a value is a place in the list), `columns` the type of each column: `int32`, `float32[4]`, `str`,
    `bytes` or `json`, and of `latents`: `int8[12,32,32]`, or `json` where shapes differ (datasets of version 0.1 do not
    say).
    `plan` identifies what was asked for (source, options), so that a second run knows its own. `lineage` is what was
    done since the source was read, oldest first: a `verb`, its `options`, and the datasets it was done to (`of`).
    `statistics` are numbers by channel: `mean` and `std` of all latents as they are stored, `bits` a latent of some.
    One that is `sealed` ends with the SHA-256 of the rest of its file; earlier versions wrote none.
    """

    codec: str
    fingerprint: str
    codec_sha256: str
    coder: str
    layout: str
    block: int
    splits: dict[str, list[ShardInfo]]
    classes: dict[str, list[str]] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    plan: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    summary: Summary = Summary()
    lineage: list[dict[str, Any]] = field(default_factory=list)
    statistics: dict[str, list[float]] = field(default_factory=dict)
    views: int = 1
    sealed: bool = False

    def __post_init__(self) -> None:
        if self.layout not in _LAYOUTS:
            raise FormatError(f"layout {self.layout!r} is not one of {_LAYOUTS}")
        if not all(isinstance(part, dict) for part in (self.splits, self.classes, self.columns, self.options)):
            raise FormatError("splits, classes, columns and options must be objects")
        if not all(isinstance(names, list) for names in self.classes.values()):
            raise FormatError("classes must be lists of names")
        texts = [
            self.codec,
            self.fingerprint,
            self.codec_sha256,
            self.coder,
            self.plan,
            *self.splits,
            *(name for names in self.classes.values() for name in names),
            *self.columns.values(),
        ]
        if not self.splits or not all(isinstance(text, str) for text in texts):
            raise FormatError("it names no split, or what must be text is not")
        if not all(_NAME.fullmatch(split) for split in self.splits):
            raise FormatError("a split has a name that none of its files can begin with")
        if not isinstance(self.block, int) or self.block < 1:
            raise FormatError(f"block {self.block!r} is not a number of samples")
        if not isinstance(self.views, int) or self.views < 1:
            raise FormatError(f"views {self.views!r} is not a number of views a sample")
        for shard in (shard for shards in self.splits.values() for shard in shards):
            if shard.samples % self.views:
                raise FormatError(f"{shard.name}: {shard.samples} samples are not {self.views} views of each")
            fewest = shard.samples if self.layout == "samples" else -(-shard.samples // self.block)
            if not fewest <= shard.records <= shard.samples:
                raise FormatError(f"{shard.name}: {shard.samples} samples in {shard.records} records of {self.block}")
        if not isinstance(self.lineage, list) or not all(isinstance(step, dict) for step in self.lineage):
            raise FormatError("lineage must be a list of objects")
        if not isinstance(self.statistics, dict) or not all(
            isinstance(numbers, list) and all(isinstance(number, int | float) for number in numbers)
            for numbers in self.statistics.values()
        ):
            raise FormatError("statistics must be lists of numbers")

    @property
    def digest(self) -> str:
        """16 hex digits that are another's where a byte of a shard is, or what the samples are called by it."""
        content = [
            [self.fingerprint, self.coder, self.layout, self.block, self.classes],
            *([split, [[s.name, s.samples, s.sha256] for s in shards]] for split, shards in self.splits.items()),
        ]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def samples(self, split: str) -> int:
        """Samples of a split, however many views of each there are."""
        return sum(shard.samples for shard in self.splits[split]) // self.views

    def write(self, folder: Path) -> None:
        """Write `walloc.json` in a folder, whole or not at all."""
        content = {"format": "walloc", "version": VERSION if self.views == 1 else _VIEWED, **asdict(self)}
        del content["sealed"]
        if self.classes.keys() <= {"label"}:  # as version 0.1 has it
            content["classes"] = self.classes.get("label")
        for name in ("columns", "lineage", "statistics"):
            if not content[name]:
                del content[name]
        if self.views == 1:
            del content["views"]
        for shard in (shard for shards in content["splits"].values() for shard in shards if not shard["source"]):
            del shard["source"]
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        replace_file(folder / MANIFEST_FILE, seal(text) if self.sealed else text)

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """The manifest of a dataset folder. Raises `FormatError` where there is none that this version reads."""
        path = folder / MANIFEST_FILE
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FormatError(no_manifest(folder)) from error
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
        if version not in (VERSION, _VIEWED):
            raise FormatError(
                f"{where}: format version {version}; this walloc_data reads {VERSION} and {_VIEWED}: upgrade "
                "walloc_data"
            )
        try:
            splits = {name: [ShardInfo.of(shard) for shard in shards] for name, shards in content.pop("splits").items()}
            summary = Summary(**_known(Summary, content.pop("summary", {})))
            classes = content.pop("classes", None) or {}
            classes = {"label": classes} if isinstance(classes, list) else dict(classes)
            content["sealed"] = "checksum" in content
            found = cls(splits=splits, summary=summary, classes=classes, **_known(cls, content))
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise FormatError(f"{where}: damaged ({error})") from error
        if (version == _VIEWED) != (found.views > 1):
            raise FormatError(f"{where}: damaged (version {version} with {found.views} views of a sample)")
        return found


def no_manifest(folder: Path) -> str:
    """What to say of a folder without a manifest: it is not there, no dataset, or one that is not finished."""
    if folder.is_file():
        return f"{folder} is not a dataset but a file: give the folder of one"
    if not folder.exists():
        return f"{folder} is not there: check the path"
    if (folder / JOURNAL_FILE).exists():
        return (
            f"{folder} is an unfinished dataset, without {MANIFEST_FILE}: run the command that made it "
            "again, and it goes on where it stopped"
        )
    return f"{folder} is not a dataset: it has no {MANIFEST_FILE}"


def differing(options: Mapping[str, Any]) -> list[str]:
    """Options of reading, and `limit`, that were not the same in all datasets that one was merged of, by the options
    of its manifest."""
    said = options.get("differ")
    return [name for name in said if isinstance(name, str)] if isinstance(said, list) else []


def _known(cls: type[ShardInfo | Summary | Manifest], content: Mapping[str, Any]) -> dict[str, Any]:
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
