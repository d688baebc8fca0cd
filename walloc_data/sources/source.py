"""Where raw samples are: splits of samples that are listed without being read."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

__all__ = ["Raw", "Source", "Split", "evenly", "samples_of"]

_T = TypeVar("_T")


class Raw(NamedTuple):
    """One raw sample: `data` as a reader takes it (the bytes of a file, an array), and its `fields` by name.

    `name` is what messages call it; its suffix, if it has one, is the format.
    """

    data: Any
    name: str
    fields: dict[str, Any]


class Split(Protocol):
    """The samples of one split by number. It can be pickled; worker processes open files themselves."""

    def __len__(self) -> int: ...

    def key(self, index: int) -> str:
        """What a sample is called for ever: unique in its source. Reads no data."""

    def stamp(self, index: int) -> str:
        """What changes when a sample's data does, such as size and time of its file; empty where that is not known."""

    def digest(self) -> str:
        """What changes when other samples are listed, or their fields as far as they are known without reading."""

    def __getitem__(self, index: int) -> Raw:
        """A sample. Raises `SampleError` for one that is damaged, `SourceError` where reading itself fails."""


@dataclass(frozen=True)
class Source:
    """Raw samples by split.

    `name` is what messages call it: the path of what lies in files. `classes` are the names of classes by field (a
    value of that field is a place in the list), `notes` what a person should know, such as files passed over.
    """

    name: str
    splits: Mapping[str, Split]
    classes: Mapping[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def digest(self) -> str:
        """64 hex digits that change when what is listed changes."""
        digest = hashlib.sha256()
        for split, samples in self.splits.items():
            digest.update(f"{split}\0{len(samples)}\0{samples.digest()}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


def samples_of(splits: Iterable[Split]) -> list[tuple[Split, int]]:
    """All samples of some splits, by split and number, in order."""
    return [(split, index) for split in splits for index in range(len(split))]


def evenly(samples: Sequence[_T], most: int) -> list[_T]:
    """At most so many of some samples, evenly from all, in order."""
    count = min(most, len(samples))
    return [samples[number * len(samples) // count] for number in range(count)]
