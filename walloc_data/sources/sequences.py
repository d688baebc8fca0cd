"""Samples that Python holds: lists, arrays, torch datasets, whatever has a length and gives samples by number."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from walloc_data.errors import SampleError, SourceError
from walloc_data.sources.items import DATA, Columns, Items, field_of, parts_of
from walloc_data.sources.listing import numbered_classes, repeated, split_places
from walloc_data.sources.packed import whole
from walloc_data.sources.source import Source

__all__ = ["read_sequence"]


def read_sequence(samples: Any) -> Source:
    """The samples of what has `len` and `[i]`: a list, an array `[N, ...]`, a torch dataset; or of a mapping of splits
    to such; or of columns, `{"image": images, "label": labels}`.

    A sample is a path, the bytes of a file, an image of Pillow, an array or a tensor; a pair of such a thing and its
    label, or its fields by name; or a mapping of fields, of which `image`, `audio`, `video`, `array`, `data`,
    `file_name` or `path` is such a thing. Keys are the numbers of samples, behind the name of their split in a mapping;
    in lists and tuples, `key` of a mapping is, a field `split` becomes the splits, and labels that are texts become
    classes.

    Raises `SourceError` for what has no length, and for two samples of one key.
    """
    samples = _columns(samples)
    if isinstance(samples, Mapping):
        if not samples or not all(isinstance(name, str) for name in samples):
            raise SourceError("a mapping is taken for splits by name, such as {'train': [...], 'val': [...]}")
        splits = {name: _items(_columns(one), name, f"{name}/") for name, one in samples.items()}
    elif (found := _by_split(samples)) is not None:
        splits = {name: _items(one, name, f"{name}/") for name, one in found.items()}
    else:
        splits = {"train": _items(samples, type(samples).__name__, "")}
    return _with_classes(_with_keys(splits))


def _columns(samples: Any) -> Any:
    """Samples that come as columns, which a mapping of them, a table of pandas, and a pair of data and labels are."""
    if type(samples).__module__.split(".")[0] == "pandas" and hasattr(samples, "columns"):
        samples = {str(name): _values(samples[name]) for name in samples.columns}
        if not any(name in samples for name in DATA):
            raise SourceError(
                f"a table of {', '.join(samples)}: call the column of what is to be encoded one of {', '.join(DATA)}"
            )
    elif isinstance(samples, tuple) and len(samples) == 2 and all(map(_is_column, samples)):
        data, labels = samples
        if getattr(data, "ndim", 3) < 3 or not _are_labels(labels):
            return samples  # two samples
        samples = {"data": data, "label": labels}
    if not isinstance(samples, Mapping) or not any(name in samples for name in DATA):
        return samples
    lengths = {name: len(values) for name, values in samples.items() if hasattr(values, "__len__")}
    if len(set(lengths.values())) > 1 or len(lengths) < len(samples):
        raise SourceError(f"columns of samples are of one length each, not {lengths or 'none'}")
    return Columns(samples)


def _values(column: Any) -> list[Any]:
    """Those of a column of pandas, with None for what is missing, but of floats, where NaN is a number as any."""
    missing = column.isna()
    if getattr(column.dtype, "kind", "f") == "f" or not missing.any():
        return list(column.tolist())
    return list(column.astype(object).where(~missing, None).tolist())


def _by_split(samples: Any) -> dict[str, Any] | None:
    """Samples at hand by their field `split`, which they then have no more; None where none has one."""
    if not isinstance(samples, list | tuple | Columns):
        return None
    if isinstance(samples, Columns):
        values = list(map(field_of, samples.columns.get("split", ())))
    else:
        values = [_field(sample, "split") for sample in samples]
    if not any(value is not None for value in values):
        return None
    places = split_places(values, type(samples).__name__)
    if isinstance(samples, Columns):
        rest = {name: column for name, column in samples.columns.items() if name != "split"}
        return {
            split: Columns({name: [column[row] for row in rows] for name, column in rest.items()})
            for split, rows in places.items()
        }
    return {split: [_without_split(samples[row]) for row in rows] for split, rows in places.items()}


def _without_split(sample: Any) -> Any:
    if isinstance(sample, Mapping):
        return {name: value for name, value in sample.items() if name != "split"}
    return sample[0], _without_split(sample[1])


def _all(items: Items) -> Iterator[Any]:
    return (items.samples[index] for index in range(len(items)))


def _items(samples: Any, name: str, before: str) -> Items:
    kind = type(samples).__name__
    if isinstance(samples, str | bytes | bytearray) or not (
        hasattr(samples, "__len__") or hasattr(samples, "__getitem__") or hasattr(samples, "__iter__")
    ):
        raise SourceError(
            f"{kind} is no source: give the path of a folder or of a list, a list of samples, or a dataset with len "
            "and [i]"
        )
    if not (hasattr(samples, "__len__") and hasattr(samples, "__getitem__")):
        raise SourceError(
            f"{kind} has no length and no [i], so what goes to which shard cannot be planned: give list(...) of it if "
            "that fits in memory, or write its samples to files first and give their folder"
        )
    try:
        length = len(samples)
    except Exception as error:  # as PyTorch's datasets without a length say it
        raise SourceError(f"{kind} does not know its length ({error}): give list(...) of it, or files") from error
    if not length:
        raise SourceError(f"{name} holds no samples")
    return Items(samples, name, before, isinstance(samples, list | tuple | Columns) or hasattr(samples, "__array__"))


def _with_keys(splits: dict[str, Items]) -> dict[str, Items]:
    """Items of lists with the keys that their mappings hold."""
    for name, items in splits.items():
        if isinstance(items.samples, list | tuple | Columns):
            own = [one.get("key") if isinstance(one, Mapping) else None for one in _all(items)]
            if any(key is not None for key in own):
                keys = [items.key(index) if key is None else whole(str(key)) for index, key in enumerate(own)]
                splits[name] = replace(items, keys=keys)
    if any(items.keys is not None for items in splits.values()):
        keys = [items.key(index) for items in splits.values() for index in range(len(items))]
        again = repeated(keys)
        if again:
            few = ", ".join(repr(keys[place]) for place in again[:3])
            raise SourceError(f"{len(again)} samples have the key of another, such as {few}: each needs its own")
    return splits


def _with_classes(splits: dict[str, Items]) -> Source:
    """Labels of lists that are names, as places in the list of classes; of others, what a dataset calls its classes."""
    labels = {}
    for name, items in splits.items():
        if isinstance(items.samples, list | tuple | Columns):
            labels[name] = [_field(one, "label") for one in _all(items)]
    found = numbered_classes(labels) if len(labels) == len(splits) else None
    classes: dict[str, list[str]] = {}
    if found is not None:
        numbers, classes["label"] = found
        splits = {name: replace(items, labels=numbers[name]) for name, items in splits.items()}
    elif not labels:
        named = [_class_names(items.samples) for items in splits.values()]
        if named[0] and all(names == named[0] for names in named):
            classes["label"] = named[0]
    return Source(", ".join(items.name for items in splits.values()), splits, classes)


def _field(sample: Any, name: str) -> Any:
    try:
        return field_of(parts_of(sample)[1].get(name))
    except SampleError:
        return None


def _class_names(samples: Any) -> list[str]:
    """What the datasets of torchvision, and parts of them, call their classes."""
    while not hasattr(samples, "classes") and hasattr(samples, "dataset"):
        samples = samples.dataset
    names = getattr(samples, "classes", None)
    return list(names) if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names) else []


def _is_column(values: Any) -> bool:
    """Whether these are values of many samples: a list, an array, a tensor."""
    return isinstance(values, list) or hasattr(values, "ndim")


def _are_labels(values: Any) -> bool:
    """Whether these are numbers or names of classes; two texts may be a path and its label."""
    if not isinstance(values, list):
        return bool(values.ndim == 1)
    kinds = set(map(type, values))
    return kinds == {int} or (kinds == {str} and len(values) != 2)
