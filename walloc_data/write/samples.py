"""One sample of a source, as it is stored: its row, and the signal that is encoded; or those of each of its views."""

from functools import partial
from typing import Any, TypeAlias

from walloc_data.errors import SourceError
from walloc_data.signals import Reader, Signal, Viewing, random_crops
from walloc_data.sources import Raw, Split
from walloc_data.write.plan import Options
from walloc_data.write.rows import row_of, text

__all__ = ["KeptSamples", "Rows", "bytes_of", "read_sample"]

Rows: TypeAlias = list[tuple[dict[str, Any], Signal]]
_MOST = 1 << 25  # bytes of samples that are kept


class KeptSamples:
    """Samples that have been read and will be wanted once more, by the same process: as many as 32 MiB hold.

    Those that a coder is fitted to are so written without being decoded twice. A pickled one holds none.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], tuple[str, Raw, Rows]] = {}
        self._room = _MOST

    def __reduce__(self) -> tuple[Any, ...]:
        return KeptSamples, ()

    def keep(self, split: str, index: int, stamp: str, raw: Raw, rows: Rows) -> None:
        """Keep what `read_sample` gave, if there is room; `stamp` is what its split said before that."""
        size = bytes_of(raw) + sum(signal.values.nbytes for _, signal in rows)
        if size <= self._room:
            self._room -= size
            self._kept[split, index] = stamp, raw, rows

    def take(self, name: str, split: Split, index: int) -> tuple[Raw, Rows] | None:
        """What was kept of a sample of a split of this name, which then is no more; None where it has changed since."""
        found = self._kept.pop((name, index), None)
        return found[1:] if found is not None and found[0] == split.stamp(index) else None


def read_sample(split: Split, index: int, reader: Reader, options: Options) -> tuple[Raw, Rows]:
    """A sample as it was read, its row (its key, what the reader says, the fields that are kept, and None for each
    figure that is measured later), and its signal; or as many of both as `options` want views.

    Raises `SampleError` where its content cannot be decoded, and `SourceError` for what the machine, a disk or the
    network says: then the sample is not to blame, and passing it over would lose it.
    """
    key = split.key(index)
    try:
        raw = split[index]
    except OSError as error:
        raise SourceError(
            f"{key}: cannot be read ({error.strerror or error}). Nothing is lost: see that the source is whole and may "
            "be read, then run the same command again to go on"
        ) from error
    if options.views > 1 and isinstance(reader, Viewing):
        seed = f"{options.seed}/{text(key)}"
        signals = reader.views(raw.data, raw.name, partial(random_crops, options.views, seed=seed))
    else:
        signals = [reader.read(raw.data, raw.name)]
    later = dict.fromkeys(options.measure)
    return raw, [(row_of(key, raw.fields, {**one.fields, **later}, options.columns), one) for one in signals]


def bytes_of(raw: Raw) -> int:
    """Bytes of what was read: of the file, or of the numbers of an array."""
    return len(raw.data) if isinstance(raw.data, bytes) else getattr(raw.data, "nbytes", 0)
