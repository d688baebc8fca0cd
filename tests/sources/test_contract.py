"""What holds of every source: a factory for each makes the same photographs, labelled by two or three classes."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image

from tests.photographs import CLASSES, window
from tests.sources.archives import write_tar
from walloc_data import ImageReader, LatentDataset, Options, open_source, shard_dataset
from walloc_data.sources import Source

COUNT = 7  # photographs


def written(root: Path, *, labels: tuple[str, ...] = CLASSES) -> list[tuple[str, str]]:
    """Photographs below `root`: the name and class of each."""
    rows = []
    for number in range(COUNT):
        name = labels[number % len(labels)]
        path = root / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        window(name, number).save(path)
        rows.append((f"{name}/{number}.png", name))
    return sorted(rows)


def folder(root: Path, **how: Any) -> Any:
    written(root, **how)
    return root


def folder_with_metadata(root: Path, **how: Any) -> Any:
    rows = [{"file_name": name, "label": label} for name, label in written(root, **how)]
    (root / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return root


def jsonl(root: Path, **how: Any) -> Any:
    rows = [{"path": name, "label": label} for name, label in written(root, **how)]
    (root / "list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return root / "list.jsonl"


def csv(root: Path, **how: Any) -> Any:
    (root / "list.csv").parent.mkdir(parents=True, exist_ok=True)
    rows = written(root, **how)
    (root / "list.csv").write_text("file_name,label\n" + "".join(f"{name},{label}\n" for name, label in rows))
    return root / "list.csv"


def pairs(root: Path, **how: Any) -> Any:
    return [(root / name, label) for name, label in written(root, **how)]


def loaded(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.copy()


def mappings(root: Path, **how: Any) -> Any:
    return [{"image": loaded(root / name), "label": label, "key": name} for name, label in written(root, **how)]


def arrays(root: Path, **how: Any) -> Any:
    return [(np.asarray(loaded(root / name)), {"label": label}) for name, label in written(root, **how)]


class Opaque:
    """As a torch dataset is: nothing is known of a sample but by taking it."""

    def __init__(self, root: Path, rows: list[tuple[str, str]]) -> None:
        self.root, self.rows = root, rows
        self.classes = sorted({label for _, label in rows})

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        name, label = self.rows[index]
        pixels = np.asarray(loaded(self.root / name), np.float32) / 255
        return pixels.transpose(2, 0, 1), self.classes.index(label)


def opaque(root: Path, **how: Any) -> Any:
    return Opaque(root, written(root, **how))


def tar(root: Path, **how: Any) -> Any:
    rows = written(root, **how)
    return write_tar(root / "photos.tar", [(name, (root / name).read_bytes()) for name, _ in rows])


def table(root: Path, **how: Any) -> datasets.Dataset:
    rows = written(root, **how)
    classes = sorted({label for _, label in rows})
    features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=classes), "key": datasets.Value("string")}
    columns = {
        "image": [{"bytes": (root / name).read_bytes(), "path": name} for name, _ in rows],
        "label": [classes.index(label) for _, label in rows],
        "key": [name for name, _ in rows],
    }
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


def parquet(root: Path, **how: Any) -> Any:
    table(root, **how).to_parquet(root / "photos.parquet", batch_size=3)
    return root / "photos.parquet"


def saved(root: Path, **how: Any) -> Any:
    table(root, **how).save_to_disk(root / "saved")
    return root / "saved"


FACTORIES: dict[str, Callable[..., Any]] = {
    "folder": folder,
    "folder with metadata": folder_with_metadata,
    "jsonl": jsonl,
    "csv": csv,
    "pairs": pairs,
    "mappings": mappings,
    "arrays": arrays,
    "opaque": opaque,
    "tar": tar,
    "parquet": parquet,
    "saved": saved,
    "dataset": table,
}


@pytest.fixture(params=FACTORIES)
def make(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return FACTORIES[request.param]


def opened(address: Any) -> Source:
    return open_source(address, suffixes=ImageReader.suffixes)


def test_samples_are_listed_with_keys_of_their_own(make, tmp_path):
    address = make(tmp_path / "a")
    one, other = opened(address), opened(address)
    assert list(one.splits) == ["train"]
    assert one.classes == {"label": sorted(CLASSES)}
    assert one.notes == []
    split = one.splits["train"]
    keys = [split.key(index) for index in range(len(split))]
    assert len(split) == len(set(keys)) == COUNT
    assert keys == [other.splits["train"].key(index) for index in range(COUNT)]
    assert one.digest() == other.digest()


def test_a_sample_is_the_same_whenever_and_wherever_it_is_read(make, tmp_path):
    source = opened(make(tmp_path / "a"))
    split = source.splits["train"]
    copied = pickle.loads(pickle.dumps(split))
    reader = ImageReader(size=None)
    for index in (0, COUNT - 1, 0):
        one, other = split[index], copied[index]
        assert one.fields == other.fields
        assert type(one.fields["label"]) is int
        assert one.name == other.name
        np.testing.assert_array_equal(reader.read(one.data, one.name).values, reader.read(other.data, "").values)
        assert (split.key(index), split.stamp(index)) == (copied.key(index), copied.stamp(index))


def test_what_changes_is_noticed(make, tmp_path):
    source, other = opened(make(tmp_path / "a")), opened(make(tmp_path / "b", labels=CLASSES[:2]))
    assert source.digest() != other.digest() or source.classes != other.classes
    stamps = [source.splits["train"].stamp(index) for index in range(COUNT)]
    assert len(set(stamps)) in (1, COUNT)  # one where nothing is known of each, or all are in one file


def test_it_can_be_sharded(make, tmp_path, codec):
    address = make(tmp_path / "a")
    source = opened(address)
    options, reader = Options(shard_samples=4, block=2), ImageReader(size=32)
    done = shard_dataset(source, tmp_path / "out", codec=codec, reader=reader, options=options, on_error="stop")
    assert (done.samples, done.skipped) == (COUNT, 0)
    again = shard_dataset(address, tmp_path / "out", codec=codec, reader=reader, options=options)
    assert (again.samples, again.written) == (COUNT, 0)
    dataset, split = LatentDataset(tmp_path / "out"), source.splits["train"]
    assert dataset.classes == sorted(CLASSES)
    expected = {split.key(index): split[index].fields["label"] for index in range(COUNT)}
    assert dict(dataset.samples) == expected
    assert all(tuple(x.shape) == (12, 4, 4) for x, _ in dataset)
