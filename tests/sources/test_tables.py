import pickle
import sys

import datasets
import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from tests.sources.as_tables import as_dataset, as_parquet, as_saved
from walloc_data.errors import SampleError, SourceError
from walloc_data.sources import open_source

JPG = frozenset((".jpg", ".png"))
FILES = [{"bytes": bytes([65 + number]), "path": f"{number}.jpg"} for number in range(5)]
PATHS = [{"bytes": None, "path": name} for name in ("a.jpg", "../out.jpg", "gone.jpg", "https://x.org/a.jpg", None)]


def opened(address):
    return pickle.loads(pickle.dumps(open_source(address, suffixes=JPG)))


def listed(source):
    return {
        name: [(split.key(index), split[index].data, split[index].fields) for index in range(len(split))]
        for name, split in source.splits.items()
    }


def write(path, columns, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = columns if isinstance(columns, pyarrow.Table) else pyarrow.table(columns)
    parquet.write_table(table, path, **options)
    return path


@pytest.mark.parametrize("stored", [as_parquet, as_saved], ids=lambda stored: stored.__name__)
def test_the_photographs_in_tables_are_those_of_the_folder(photos, tmp_path, stored):
    tables, folder = opened(stored(photos, tmp_path / "tables")), opened(photos)
    assert listed(tables) == listed(folder)
    assert tables.classes == (folder.classes if stored is as_saved else {})
    assert tables.splits["train"][0].name.endswith(", row 1, 000.jpg")
    assert tables.digest() == open_source(tmp_path / "tables", suffixes=JPG).digest()


@pytest.mark.parametrize("form", ["torch", "numpy", None])
def test_objects_are_read_undecoded_whatever_their_format(photos, form):
    whole = as_dataset(photos)
    assert listed(opened(whole.with_format(form))) == listed(opened(photos))
    chosen = whole["train"].with_format(form).select([5, 3]).cast_column("image", datasets.Image(mode="L"))
    assert listed(opened(chosen))["train"] == [listed(opened(photos))["train"][place] for place in (5, 3)]


def test_rows_without_keys_are_called_by_their_number(tmp_path):
    source = opened(write(tmp_path / "val.parquet", {"image": FILES, "n": range(5)}, row_group_size=2))
    assert listed(source) == {"val": [(f"val/{row:08d}", bytes([65 + row]), {"n": row}) for row in range(5)]}
    assert source.notes == []


@pytest.mark.parametrize(
    ("keys", "note"),
    [
        (["a", "a", "b", "c", "d"], "1 keys come more than once, such as 'a', so that"),
        (["a", None, "b", "c", "d"], "some keys are missing, so that"),
    ],
)
def test_keys_that_are_none(tmp_path, keys, note):
    source = opened(write(tmp_path / "x.parquet", {"image": FILES, "key": keys}))
    assert source.splits["train"].key(1) == "train/00000001"
    assert source.notes[0].startswith(note)


def test_columns_of_any_type_become_fields(tmp_path):
    columns = {
        "jpg": [b"x"],
        "mask": pyarrow.array([{"bytes": b"mask", "path": None}]),
        "boxes": [[[1.0, 2.0], [3.0, 4.0]]],
        "facts": [{"a": [1, None], "b": "ж"}],
        "kind": pyarrow.array(["cat"]).dictionary_encode(),
        "when": pyarrow.array([0], pyarrow.timestamp("s")),
        "none": pyarrow.nulls(1),
    }
    columns["jpg"] = [{"bytes": b"x", "path": "a.jpg"}]
    [(_, data, fields)] = listed(opened(write(tmp_path / "x.parquet", columns)))["train"]
    assert data == b"x"
    assert str(fields.pop("when")) == "1970-01-01 00:00:00"
    assert fields == {
        "mask": b"mask",
        "boxes": [[1.0, 2.0], [3.0, 4.0]],
        "facts": {"a": [1, None], "b": "ж"},
        "kind": "cat",
        "none": None,
    }


def test_labels_that_are_names_become_classes(tmp_path):
    write(tmp_path / "train.parquet", {"image": FILES[:3], "label": ["dog", "cat", None]})
    write(tmp_path / "val.parquet", {"image": FILES[:2], "label": pyarrow.array(["eel", "cat"]).dictionary_encode()})
    tables = {split: parquet.read_table(tmp_path / f"{split}.parquet") for split in ("train", "val")}
    whole = {split: datasets.Dataset(table) for split, table in tables.items()}
    for source in (opened(tmp_path), opened(datasets.DatasetDict(whole))):
        assert source.classes == {"label": ["cat", "dog", "eel"]}
        assert {name: [row[2]["label"] for row in rows] for name, rows in listed(source).items()} == {
            "train": [1, 0, -1],
            "val": [2, 0],
        }
    before = opened(tmp_path).digest()
    write(tmp_path / "train.parquet", {"image": FILES[:3], "label": ["cat", "dog", None]})
    assert opened(tmp_path).digest() != before
    write(tmp_path / "val.parquet", {"image": FILES[:2], "label": [2, 0]})
    with pytest.raises(
        SourceError, match=r"val\.parquet: column 'label' is of names here or in .*train\.parquet, not in both"
    ):
        opened(tmp_path)


def test_large_row_groups_are_noted(tmp_path, monkeypatch):
    path = write(tmp_path / "x.parquet", {"image": [bytes([row]) * 1000 for row in range(9)]}, row_group_size=3)
    assert opened(path).notes == []
    monkeypatch.setattr("walloc_data.sources.tables._KEPT", 200)
    monkeypatch.setattr("walloc_data.sources.tables._LARGE", 100)
    source = open_source(path, suffixes=JPG)
    assert source.notes[0].startswith("row groups take 0 MB each, and most samples of a shuffled order cost one: ")
    split = source.splits["train"]
    assert [split[row].data[:1] for row in (8, 0, 4, 1, 7)] == [bytes([row]) for row in (8, 0, 4, 1, 7)]
    assert list(split._kept) == [2]


def test_which_column_is_data(tmp_path):
    for names, chosen in ((("x",), "x"), (("mask", "image"), "image"), (("image", "png"), "png")):
        split = opened(write(tmp_path / "x.parquet", {name: [name.encode()] for name in names})).splits["train"]
        assert split[0].data == chosen.encode()
        assert split[0].fields == {name: name.encode() for name in names if name != chosen}
    for columns, reason in (
        ({"a": [b""], "b": [b""]}, "columns a, b all hold bytes; its columns are a, b: say which"),
        ({"a": [1], "b": ["x"]}, "no column holds bytes of files; its columns are a, b"),
    ):
        with pytest.raises(SourceError, match=reason):
            opened(write(tmp_path / "x.parquet", columns))


def test_the_column_of_data_can_be_named(tmp_path):
    pixels = [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]
    columns = {
        "a": [b"a", b"b"],
        "b": [b"c", b"d"],
        "pixels": pyarrow.array(pixels, pyarrow.list_(pyarrow.list_(pyarrow.uint8()))),
    }
    path = write(tmp_path / "x.parquet", columns)
    split = open_source(path, suffixes=JPG, data="b").splits["train"]
    assert (split[1].data, split[1].fields["a"]) == (b"d", b"b")
    array = open_source(path, suffixes=JPG, data="pixels").splits["train"][1].data
    assert (array.dtype, array.tolist()) == (np.uint8, [[4, 5], [6, 7]])
    with pytest.raises(SourceError, match="has no column 'c'; its columns are a, b, pixels"):
        open_source(path, suffixes=JPG, data="c")
    with pytest.raises(SourceError, match=r"data='b' says which .* the files of the folder .* have none: leave it out"):
        open_source(write(tmp_path / "f" / "a.jpg", columns).parent, suffixes=JPG, data="b")


def test_tables_that_name_files_are_lists(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    columns = {"file_name": ["a.jpg", "b.jpg"], "label": ["dog", "cat"]}
    write(tmp_path / "lists" / "train.parquet", columns | {"file_name": ["../a.jpg", "../b.jpg"]})
    source = opened(write(tmp_path / "x.parquet", columns))
    assert listed(source) == {"train": [("a.jpg", b"a.jpg", {"label": 1}), ("b.jpg", b"b.jpg", {"label": 0})]}
    assert source.classes == {"label": ["cat", "dog"]}
    write(tmp_path / "lists" / "val.parquet", {"file_name": ["../b.jpg"], "label": ["cat"]})
    assert {name: len(split) for name, split in opened(tmp_path / "lists").splits.items()} == {"train": 2, "val": 1}
    write(tmp_path / "lists" / "train-1.parquet", columns)
    with pytest.raises(SourceError, match="lists of files are one a split, and there are 3: join them"):
        opened(tmp_path / "lists")


def test_a_file_that_lacks_the_column_of_data(tmp_path):
    write(tmp_path / "train-0.parquet", {"image": FILES})
    write(tmp_path / "train-1.parquet", {"picture": FILES})
    with pytest.raises(SourceError, match=r"train-1\.parquet: has no column 'image'; its columns are picture"):
        opened(tmp_path)


def test_nulls_are_samples_that_cannot_be_read(tmp_path):
    nothing = {"bytes": None, "path": None}
    split = opened(write(tmp_path / "x.parquet", {"image": [FILES[0], None, nothing, FILES[1]]})).splits["train"]
    assert (split[0].data, split[3].data) == (b"A", b"B")
    for row in (1, 2):
        with pytest.raises(SampleError, match=rf"x\.parquet, row {row + 1}: column 'image' is null"):
            split[row]


def test_files_that_rows_name(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("in/a.jpg", "out.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    split = opened(write(tmp_path / "in" / "x.parquet", {"image": PATHS})).splits["train"]
    assert split[0].data == b"in/a.jpg"
    for row, reason in ((1, "is outside"), (2, "is not there"), (3, "holds no bytes of it"), (4, "is null")):
        with pytest.raises(SampleError, match=reason):
            split[row]
    rows = [{"bytes": None, "path": str(tmp_path / "out.jpg")}]
    whole = datasets.Dataset.from_dict({"image": rows}, features=datasets.Features({"image": datasets.Image()}))
    assert opened(whole).splits["train"][0].data == b"out.jpg"


def test_files_cut_short_or_damaged(tmp_path):
    noise = [np.random.default_rng(row).bytes(5000) for row in range(4)]
    path = write(tmp_path / "x.parquet", {"image": noise}, row_group_size=2, compression="gzip")
    whole = path.read_bytes()
    path.write_bytes(whole[:9000])
    with pytest.raises(SourceError, match=r"x\.parquet: no parquet file, or one that was cut short .*: copy it again"):
        opened(path)
    path.write_bytes(whole[:2000] + b"\xff" * 2000 + whole[4000:])
    split = opened(path).splits["train"]
    assert split[2].data == noise[2]
    with pytest.raises(SampleError, match=r"x\.parquet, row 1: row group 1 is damaged"):
        split[0]
    path.unlink()
    with pytest.raises(SourceError, match=r"x\.parquet: cannot be read"):
        pickle.loads(pickle.dumps(split))[0]


def test_classes_that_differ(tmp_path):
    for split, names in (("train", ["a", "b"]), ("val", ["b", "a"])):
        features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
        rows = {"image": FILES[:1], "label": [0]}
        datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / f"{split}.parquet")
    assert opened(tmp_path / "val.parquet").classes == {"label": ["b", "a"]}
    with pytest.raises(SourceError, match=r"val\.parquet: the classes of column 'label' are others than in "):
        opened(tmp_path)


def test_what_is_streamed_is_refused(photos):
    stream = as_dataset(photos)["val"].to_iterable_dataset()
    for dataset in (stream, datasets.IterableDatasetDict({"val": stream})):
        with pytest.raises(SourceError, match=r"has no length, .* without streaming=True; or keep .*from_generator"):
            open_source(dataset, suffixes=JPG)
    with pytest.raises(SourceError, match="holds no rows"):
        open_source(as_dataset(photos)["val"].select([]), suffixes=JPG)


def test_a_saved_dataset_that_is_damaged(photos, tmp_path):
    root = as_saved(photos, tmp_path / "saved")
    (root / "train" / "dataset_info.json").unlink()
    with pytest.raises(SourceError, match=r"saved: the dataset that was saved there cannot be read"):
        opened(root)


@pytest.mark.parametrize(("package", "stored"), [("pyarrow", as_parquet), ("datasets", as_saved)])
def test_a_package_that_is_not_installed_is_named(photos, tmp_path, monkeypatch, package, stored):
    root = stored(photos, tmp_path / "tables")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SourceError, match=r"pip install 'walloc-data\[tables\]'"):
        open_source(root, suffixes=JPG)


def test_tables_and_tars_in_one_folder(tmp_path):
    write(tmp_path / "x.parquet", {"image": FILES})
    (tmp_path / "x.tar").write_bytes(b"\0" * 1024)
    with pytest.raises(
        SourceError, match=r"holds files of \.parquet and of \.tar: give those of one, as in .*/\*\.parquet"
    ):
        opened(tmp_path)
    assert len(opened(f"{tmp_path}/*.parquet").splits["train"]) == 5
