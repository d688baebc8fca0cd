"""A dataset beside what it was made of: the samples of both, and what some of them hold."""

import json
import math
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.codec import one_thread
from walloc_data.errors import DatasetError, SampleError
from walloc_data.numbers import whole_number
from walloc_data.read.opened import OpenedDataset, open_dataset
from walloc_data.read.reader import SplitReader
from walloc_data.replan import plan_again
from walloc_data.signals import Signal
from walloc_data.storage import Storage, StorageOptions, UnreachableError
from walloc_data.verify import Damage
from walloc_data.write.encode_shard import encode_signals
from walloc_data.write.finish import ERRORS_FILE
from walloc_data.write.measure import measured_psnr
from walloc_data.write.plan import Plan
from walloc_data.write.rows import text
from walloc_data.write.samples import read_sample

__all__ = ["Comparison", "compare_dataset"]

_FEW = 0.001  # of latents that another processor may round otherwise, by one


@dataclass(frozen=True)
class Comparison:
    """What `differs`, and of the samples that were encoded again, by split and key, the PSNR in dB of what is stored
    against the source. `unreadable` are the samples that cannot be read, in the source."""

    differs: list[Damage] = field(default_factory=list)
    psnr: dict[tuple[str, str], float] = field(default_factory=dict)
    unreadable: dict[tuple[str, str], str] = field(default_factory=dict)


def compare_dataset(
    root: str | os.PathLike[str],
    source: Any,
    *,
    samples: int = 100,
    seed: int = 0,
    data: str | None = None,
    names: str | None = None,
    storage: StorageOptions | None = None,
) -> Comparison:
    """Hold a dataset, in a folder or at a URL, against the `source` that it was made of.

    The keys of all samples are compared, and of `samples` of them, drawn by `seed` from all that both have, the latents
    and every column, encoded and read again as the manifest says. `data` and `names` are as `open_source` takes them.

    Raises `FormatError`, `CodecError`, `CoderError` or `DatasetError` for a dataset that is damaged or out of reach, or
    does not say how it was made, and `SourceError` for what is no source.
    """
    samples = whole_number("samples", samples, least=1)
    opened = open_dataset(root, storage)
    plan = plan_again(opened.codec, opened.manifest.options, source, data=data, names=names, where=opened.storage.url)
    found = Comparison()
    splits = {name: _Split(opened, plan, name) for name in opened.manifest.splits}
    passed_over = _passed_over(opened.storage)
    lacking = [one for split in splits.values() for one in split.lacking() if one.key not in passed_over]
    absent = {name: _planned(plan, name).keys() - passed_over for name in plan.source.splits if name not in splits}
    missing = len(lacking) + sum(map(len, absent.values()))
    if passed_over or missing != opened.manifest.summary.skipped:  # it may have been copied without their list
        where = opened.storage.url
        found.differs.extend(
            Damage("", f"split {name} of the source is not in {where}") for name in absent if absent[name]
        )
        found.differs.extend(lacking)
    for split in splits.values():
        found.differs.extend(split.foreign())
    common = [(name, key) for name, split in splits.items() for key in split.stored if key in split.originals]
    with one_thread():
        for name, key in sorted(random.Random(seed).sample(common, min(samples, len(common)))):
            splits[name].compare(key, found)
    return found


def _passed_over(storage: Storage) -> set[str]:
    """Keys of samples that could not be read when the dataset was made, as far as it says."""
    try:
        lines = storage.read(ERRORS_FILE).splitlines()
        return {text(str(json.loads(line)["key"])) for line in lines}
    except UnreachableError:
        raise
    except (DatasetError, ValueError, KeyError, TypeError):
        return set()


def _planned(plan: Plan, name: str) -> dict[str, int]:
    """Numbers of the samples of a split in the source, by their keys in a dataset."""
    split = plan.source.splits[name]
    return {text(split.key(index)): index for task in plan.tasks if task.split == name for index in task.indices}


class _Split:
    """A split of a dataset and of its source: numbers of samples by key, in both."""

    def __init__(self, opened: OpenedDataset, plan: Plan, name: str) -> None:
        self._opened, self._plan, self._name = opened, plan, name
        self._reader = SplitReader([opened], name)
        self.stored = {str(key): number for number, key in enumerate(self._reader.column("key"))}
        self.originals = _planned(plan, name) if name in plan.source.splits else {}

    def lacking(self) -> list[Damage]:
        """Samples of the source that are not in the dataset."""
        where = f"{self._opened.storage.url}, split {self._name}"
        return [
            Damage("", f"{where}: {key!r} of the source is missing", key=key)
            for key in self.originals
            if key not in self.stored
        ]

    def foreign(self) -> Iterator[Damage]:
        """Samples of the dataset that are not in the source."""
        for key in self.stored:
            if key not in self.originals:
                yield self._damage(key, "is not in the source")

    def compare(self, key: str, found: Comparison) -> None:
        """Encode a sample again, and hold it against what is stored."""
        plan, split = self._plan, self._plan.source.splits[self._name]
        try:
            views = read_sample(split, self.originals[key], plan.reader, plan.options)[1]
        except SampleError as error:
            found.unreadable[self._name, key] = str(error)
            found.differs.append(self._damage(key, f"cannot be read in the source any more ({error})"))
            return
        for entry, (row, signal) in enumerate(views, self._reader.views * self.stored[key]):
            self._compare(key, entry, row, signal, found)

    def _compare(self, key: str, entry: int, row: Mapping[str, Any], signal: Signal, found: Comparison) -> None:
        """One view of it."""
        plan, codec = self._plan, self._plan.codec
        again = encode_signals(codec, [signal])[0]
        latents = np.asarray(self._reader.read(np.array([entry]), ()).latents[0])
        stored = self._reader.columns(entry)
        if latents.shape != again.shape:
            found.differs.append(self._damage(key, f"has latents {latents.shape}, and the source gives {again.shape}"))
        else:
            psnr = measured_psnr(codec, signal.values, latents, length=signal.fields.get("length"))
            found.psnr[self._name, key] = min(psnr, found.psnr.get((self._name, key), psnr))
            count = _differing(latents, again)
            if count:
                found.differs.append(
                    self._damage(key, f"has {count:,} of {latents.size:,} latents that differ ({psnr:.2f} dB)")
                )
        for name in sorted({*stored, *row} - {*plan.options.measure}):
            was, now = stored.get(name), row.get(name)
            if name == "label" and now is None:
                now = -1 if name in stored else None
            if not _same(was, now):
                found.differs.append(
                    self._damage(key, f"has {name} {_shown(was)}, and in the source it is {_shown(now)}")
                )

    def _damage(self, key: str, what: str) -> Damage:
        places = self._reader.places
        [group] = places.groups(places.stored(np.array([self.stored[key] * places.views])))
        shard = self._opened.manifest.splits[self._name][group.shard].name
        what = f"{self._opened.storage.url}/{shard}: {key!r} {what}"
        return Damage(shard, what, group.number, int(group.slots[0]), key)


def _differing(stored: NDArray[np.int8], again: NDArray[np.int8]) -> int:
    """Latents that differ; 0 where that is no more than how another processor rounds."""
    apart = np.abs(stored.astype(np.int16) - again)
    count = int(np.count_nonzero(apart))
    return 0 if apart.max(initial=0) <= 1 and count <= max(1, _FEW * stored.size) else count


def _same(was: Any, now: Any) -> bool:
    """Whether two values are one, whatever the types that a column gave them."""
    was, now = (value.tolist() if isinstance(value, np.ndarray | np.generic) else value for value in (was, now))
    if isinstance(was, bytes) and not isinstance(now, bytes):
        return was == (now.encode() if isinstance(now, str) else b"" if now is None else now)
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        return was.keys() == now.keys() and all(_same(was[name], now[name]) for name in was)
    if isinstance(was, str | bytes) or isinstance(now, str | bytes):
        return bool(was == now)
    if isinstance(was, Sequence) and isinstance(now, Sequence):
        return len(was) == len(now) and all(map(_same, was, now))
    if isinstance(was, float) and isinstance(now, float) and math.isnan(was):
        return math.isnan(now)
    return bool(was == now)


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:60]}..."
