"""What is in tars, by the names of their members: samples, splits, classes."""

import os
from array import array
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SourceError
from walloc_data.sources.addresses import split_of
from walloc_data.sources.listing import repeated
from walloc_data.sources.packed import Texts, some
from walloc_data.sources.places import Place
from walloc_data.sources.source import Source
from walloc_data.sources.split_names import SPLITS, split_named
from walloc_data.sources.tar_index import Member, read_tar_index
from walloc_data.sources.tars import Tars

__all__ = ["scan_tars"]


def scan_tars(places: Sequence[Place], name: str, *, suffixes: frozenset[str], data: str | None = None) -> Source:
    """The samples in tars of WebDataset, by their headers alone.

    Members of one key (the name up to the first dot behind the last folder) are a sample. Its data is the first whose
    suffix is in `suffixes`, or is `data`; all others are fields. Splits are those that the names of the tars say, else
    the folders in them; where tars hold nothing but data, folders in them are classes, as of a folder of files.

    Raises `SourceError` for what is no tar, and where no member is data.
    """
    listing = _Listing(suffixes, data)
    for place in places:
        listing.add(place)
    listing.join_orphans()
    if not listing.names:
        wanted = data or ", ".join(sorted(suffix for suffix in suffixes if suffix)[:6])
        raise SourceError(f"{name}: no member has a suffix of data ({wanted})")
    return listing.source(name)


class _Listing:
    """Samples as they are found, tar by tar."""

    def __init__(self, suffixes: frozenset[str], data: str | None) -> None:
        self.known, self.data = suffixes, data and data.lstrip(".").lower()
        self.tars: list[Place] = []
        self.sizes: list[int] = []
        self.said: list[str | None] = []  # the split that the name of each tar says
        self.suffixes: dict[str, int] = {}
        self.rows = array("q")  # of each member: sample, tar, suffix, start, stop
        self.names = Texts(())
        self.tar_of = array("q")
        self.doubtful: set[int] = set()
        self.orphans: list[tuple[str, int, list[tuple[str, Member]]]] = []
        self.notes: list[str] = []
        self.many: list[str] = []
        self.twice: list[str] = []

    def add(self, place: Place) -> None:
        """List one tar."""
        size = place.size()
        with place.open() as file:
            members, suspects, notes = read_tar_index(file, size, place.where)
        tar = len(self.tars)
        self.tars.append(place)
        self.sizes.append(size)
        self.said.append(split_of(place.name))
        self.notes += notes
        groups: dict[str, dict[str, Member]] = {}
        for member in members:
            key, suffix = _key(member.name)
            if key:
                group = groups.setdefault(key, {})
                if suffix in group:
                    self.twice.append(f"{place.where}/{member.name}")
                group[suffix] = member
        places = {at for behind in suspects for at in (behind - 1, behind) if 0 <= at < len(members)}
        beside = {_key(members[at].name)[0] for at in places}
        usual = Counter(map(frozenset, groups.values())).most_common(1)
        before, names = len(self.names), list[str]()
        for key, group in groups.items():
            chosen = self._chosen(group)
            if not chosen:
                self.orphans.append((key, tar, list(group.items())))
                continue
            if key in beside and not usual[0][0] <= group.keys():
                self.doubtful.add(before + len(names))
            if len(chosen) > 1:
                self.many.append(f"{place.where}/{key} ({', '.join(chosen)})")
            for suffix in (chosen[0], *(suffix for suffix in group if suffix != chosen[0])):
                self._put(before + len(names), tar, suffix, group[suffix])
            names.append(_clean(group[chosen[0]].name))
            self.tar_of.append(tar)
        self.names.extend(Texts(names))

    def _put(self, sample: int, tar: int, suffix: str, member: Member) -> None:
        number = self.suffixes.setdefault(suffix, len(self.suffixes))
        self.rows.extend((sample, tar, number, member.start, member.stop))

    def _chosen(self, group: dict[str, Member]) -> list[str]:
        """The suffixes of members that may be data, the best first."""
        if self.data is not None:
            return [suffix for suffix in group if suffix == self.data]
        plain = [suffix for suffix in group if f".{suffix}" in self.known]
        return plain or [suffix for suffix in group if f".{suffix.rpartition('.')[2]}" in self.known]

    def join_orphans(self) -> None:
        """Give members without data to the sample of their key that another tar holds, if there is just one."""
        if not self.orphans:
            return
        samples: dict[tuple[str | None, str], list[int]] = {}
        for sample, name in enumerate(self.names):
            samples.setdefault((self.said[self.tar_of[sample]], _key(name)[0]), []).append(sample)
        alone = []
        for key, tar, members in self.orphans:
            owners = samples.get((self.said[tar], key), [])
            if len(owners) != 1:
                alone.append(f"{self.tars[tar].where}/{members[0][1].name}")
                continue
            for suffix, member in members:
                self._put(owners[0], tar, suffix, member)
        if alone:
            self.notes.append(f"{len(alone):,} keys without data were passed over, such as {alone[0]}")

    def source(self, name: str) -> Source:
        """All that was found."""
        if self.many:
            self.notes.append(
                f"{len(self.many):,} samples have more than one member of data, such as {self.many[0]}: the first is "
                "taken, the others are kept as fields"
            )
        if self.twice:
            self.notes.append(
                f"{len(self.twice):,} members stand twice in their tar, such as {self.twice[0]}: the later one counts"
            )
        splits, classes, labels = self._by_names()
        keys = self._keys(splits)
        rows = np.frombuffer(self.rows, np.int64).reshape(-1, 5)
        if (rows[1:, 0] < rows[:-1, 0]).any():  # where members came from another tar
            rows = rows[np.argsort(rows[:, 0], kind="stable")]
        counts = np.bincount(rows[:, 0], minlength=len(self.names))
        found: dict[str, Tars] = {}
        of_split = np.array(splits)
        for split in sorted(set(splits), key=lambda split: (split not in SPLITS, SPLITS.index(split))):
            inside = of_split == split
            chosen = np.flatnonzero(inside).tolist()
            found[split] = Tars(
                self.tars,
                self.sizes,
                list(self.suffixes),
                rows[inside[rows[:, 0]], 1:],
                np.cumsum(counts[inside]),
                some(self.names, chosen),
                some(keys, chosen),
                None if labels is None else labels[inside],
                frozenset(place for place, sample in enumerate(chosen) if sample in self.doubtful),
            )
        return Source(name, found, {"label": classes} if classes else {}, self.notes)

    def _by_names(self) -> tuple[list[str], list[str], NDArray[np.int32] | None]:
        """The split of each sample; and classes, with the label of each sample, where folders say them."""
        splits = [self.said[tar] or "train" for tar in self.tar_of]
        unsaid = [place.where for place, split in zip(self.tars, self.said, strict=True) if split is None]
        if unsaid and any(self.said):
            self.notes.append(f"{len(unsaid):,} tars whose names say no split are of train, such as {unsaid[0]}")
        numbers: dict[str, int] = {}
        folder_of = array("q", (numbers.setdefault(name.rpartition("/")[0], len(numbers)) for name in self.names))
        paths = [folder.split("/") if folder else [] for folder in numbers]
        shared = next(
            (depth for depth, (one, other) in enumerate(zip(min(paths), max(paths), strict=False)) if one != other),
            0 if len(paths) == 1 and split_named(paths[0][0] if paths[0] else "") else min(map(len, paths)),
        )
        paths = [path[shared:] for path in paths]
        named = [split_named(path[0]) if path else None for path in paths]
        if all(named):
            paths = [path[1:] for path in paths]
            if not any(self.said):
                splits = [named[folder] or "train" for folder in folder_of]
        elif not any(self.said) and len({*named} - {None}) > 1:
            tops = [folder for folder, split in zip(numbers, named, strict=True) if split]
            beside = min(folder or "files" for folder, split in zip(numbers, named, strict=True) if not split)
            self.notes.append(f"{', '.join(sorted(tops)[:3])} in tars taken for no splits because of {beside} beside")
        if len(self.rows) != 5 * len(self.names) or not all(paths):
            return splits, [], None
        classes = sorted({path[0] for path in paths})
        rank = {name: label for label, name in enumerate(classes)}
        places = np.array([rank[path[0]] for path in paths], np.int32)
        return splits, classes, places[np.frombuffer(folder_of, np.int64)]

    def _keys(self, splits: Sequence[str]) -> Texts:
        """The name of each sample, behind its split where tars say one, and its tar where two tars share it."""
        keys = Texts(
            f"{split}/{name}" if self.said[tar] and not name.startswith(f"{split}/") else name
            for name, split, tar in zip(self.names, splits, self.tar_of, strict=True)
        )
        shared = {keys[place] for place in repeated(keys)}
        if not shared:
            return keys
        stems = [os.path.basename(place.stem) for place in self.tars]
        if len(set(stems)) < len(stems):
            stems = [place.stem for place in self.tars]
        self.notes.append(
            f"{len(shared):,} keys are in more than one tar, such as {min(shared)}: these are called by their tar too"
        )
        return Texts(
            f"{stems[tar]}/{key}" if key in shared else key for key, tar in zip(keys, self.tar_of, strict=True)
        )


def _clean(name: str) -> str:
    return name.lstrip("/") if not name.startswith("./") else name[2:].lstrip("/")


def _key(name: str) -> tuple[str, str]:
    """The key and the suffix of a member; no key for what is hidden, and what systems leave behind."""
    folder, _, base = _clean(name).rpartition("/")
    stem, _, suffix = base.partition(".")
    if not stem or folder.startswith("__MACOSX"):
        return "", ""
    return f"{folder}/{stem}" if folder else stem, suffix.lower()
