"""A field `split` means the same in every source of one split: lists, metadata, tables, samples in Python, names."""

import csv
import json
from pathlib import Path

import datasets
import pandas
import pyarrow
import pytest
from pyarrow import parquet

from walloc_data import open_source
from walloc_data.errors import SourceError

JPG = frozenset((".jpg", ".jpeg"))
SPLITS, LABELS = ["val", "train", "extra", "train", "val"], ["b", "a", "a", "b", "a"]
FILES = [f"{number}.jpg" for number in range(5)]


def content(number: int) -> bytes:
    return bytes([65 + number])


def files(root: Path) -> Path:
    root.mkdir()
    for number, name in enumerate(FILES):
        (root / name).write_bytes(content(number))
    return root


def rows(**data):
    return [
        dict(zip((*data, "split", "label"), row, strict=True))
        for row in zip(*data.values(), SPLITS, LABELS, strict=True)
    ]


def as_csv(root, name="list.csv"):
    with (files(root) / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, ["file_name", "split", "label"])
        writer.writeheader()
        writer.writerows(rows(file_name=FILES))
    return root / name


def as_jsonl(root):
    (files(root) / "list.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(path=FILES)))
    return root / "list.jsonl"


def as_parquet(root):
    root.mkdir()
    table = pyarrow.table({"image": list(map(content, range(5))), "split": SPLITS, "label": LABELS})
    for start in (0, 3):
        parquet.write_table(table.slice(start, 3), root / f"{start}.parquet", row_group_size=2)
    return root


def as_list(root):
    return rows(image=list(map(content, range(5))))


def as_pairs(root):
    return [(row.pop("image"), row) for row in as_list(root)]


def as_pandas(root):
    return pandas.DataFrame(as_list(root))


def as_hugging_face(root):
    return datasets.Dataset.from_list(as_list(root))


def as_named(root):
    root.mkdir()
    for number, (split, label) in enumerate(zip(SPLITS, LABELS, strict=True)):
        (root / f"{number}_{split}_{label}.jpg").write_bytes(content(number))
    return root


WAYS = {
    "a list in CSV": as_csv,
    "a list in JSONL": as_jsonl,
    "metadata": lambda root: as_csv(root, "metadata.csv").parent,
    "parquet": as_parquet,
    "mappings": as_list,
    "pairs": as_pairs,
    "pandas": as_pandas,
    "Hugging Face": as_hugging_face,
}


@pytest.mark.parametrize("way", [*WAYS, "names"])
def test_a_field_of_one_split_says_the_splits(way, tmp_path):
    made = as_named(tmp_path / "x") if way == "names" else WAYS[way](tmp_path / "x")
    source = open_source(made, suffixes=JPG, names="*_{split}_{label}" if way == "names" else None)
    expected = {split: [n for n in range(5) if SPLITS[n] == split] for split in ("train", "val", "extra")}
    assert list(source.splits) == list(expected)
    keys = []
    for split, numbers in expected.items():
        raws = [source.splits[split][place] for place in range(len(source.splits[split]))]
        keys += [source.splits[split].key(place) for place in range(len(raws))]
        assert [raw.data for raw in raws] == list(map(content, numbers))
        assert [raw.fields for raw in raws] == [{"label": "ab".index(LABELS[number])} for number in numbers]
    assert source.classes == {"label": ["a", "b"]}
    assert len(set(keys)) == 5


@pytest.mark.parametrize("way", ["parquet", "mappings", "pandas", "Hugging Face", "a list in CSV"])
def test_what_names_no_split_is_refused_by_its_row(way, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.sources.test_split_column.SPLITS", ["val", "train", "a/b", "train", "val"])
    with pytest.raises(SourceError, match="the split of row 3 is 'a/b': a split is named by"):
        open_source(WAYS[way](tmp_path / "x"), suffixes=JPG)


def test_where_files_or_a_mapping_say_the_splits_it_is_a_field(tmp_path):
    whole = as_parquet(tmp_path / "x")
    (whole / "0.parquet").rename(whole / "train.parquet")
    (whole / "3.parquet").rename(whole / "val.parquet")
    source = open_source(whole, suffixes=JPG)
    assert [raw.fields["split"] for raw in map(source.splits["val"].__getitem__, range(2))] == ["train", "val"]
    source = open_source({"train": as_list(tmp_path)}, suffixes=JPG)
    assert source.splits["train"][0].fields["split"] == "val"


def test_splits_may_be_said_of_parquet_files(tmp_path):
    one = as_parquet(tmp_path / "x")
    source = open_source({"held-out": one / "3.parquet", "train": f"{one}/0.parquet"}, suffixes=JPG)
    assert {split: len(samples) for split, samples in source.splits.items()} == {"train": 3, "held-out": 2}
    with pytest.raises(SourceError, match=r"a mapping of splits is to lists .*, not to .*/x: give a folder"):
        open_source({"train": one, "val": one}, suffixes=JPG)


def test_a_field_is_said_once(tmp_path):
    listed = as_csv(tmp_path / "x")
    with pytest.raises(SourceError, match="field 'label' is said by its list and by the names of its files"):
        open_source(listed, suffixes=JPG, names="{label}")
    assert open_source(listed, suffixes=JPG, names="{number}").splits["val"][0].fields == {"label": 1, "number": 0}
    for name in ("cat/a_1.jpg", "dog/b_2.jpg"):
        path = tmp_path / "folders" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    source = open_source(tmp_path / "folders", suffixes=JPG, names="{label}_{n}")
    assert source.notes == ["labels are those in the names of files, not those that folders or metadata say"]
    assert source.classes == {"label": ["a", "b"]}
