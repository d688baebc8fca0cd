import json

import pyarrow
import pyarrow.parquet
import pytest

from tests.sources.test_lists import listed
from walloc_data import ImageReader
from walloc_data.errors import SourceError
from walloc_data.sources.folder import scan_folder


@pytest.fixture
def make(tmp_path):
    """Makes empty files and those with text, and scans their folder."""

    def make(*names, **tables):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(b"")
        for name, rows in tables.items():
            path = tmp_path / name.replace("__", "/").replace("_jsonl", ".jsonl").replace("_csv", ".csv")
            text = rows if isinstance(rows, str) else "\n".join(map(json.dumps, rows))
            path.write_text(text)
        return scan_folder(tmp_path, suffixes=ImageReader.suffixes)

    return make


def test_fields_of_a_flat_folder(make):
    source = make("a.jpg", "b.jpg", metadata_csv="file_name,caption,n\nb.jpg,two,2\na.jpg,one,1\n")
    assert listed(source) == {"train": [("a.jpg", {"caption": "one", "n": 1}), ("b.jpg", {"caption": "two", "n": 2})]}
    assert (source.notes, source.classes) == ([], {})


def test_a_folder_of_files_is_no_class(make):
    source = make("images/a.jpg", metadata_jsonl=[{"file_name": "images/a.jpg", "boxes": [[1, 2]]}])
    assert listed(source) == {"train": [("images/a.jpg", {"boxes": [[1, 2]]})]}


def test_folders_that_are_classes_stay_so(make):
    rows = [{"file_name": f"{name}.jpg", "n": 1} for name in ("cat/a", "dog/b")]
    source = make("cat/a.jpg", "dog/b.jpg", metadata_jsonl=rows)
    assert source.classes == {"label": ["cat", "dog"]}
    assert listed(source) == {"train": [("cat/a.jpg", {"label": 0, "n": 1}), ("dog/b.jpg", {"label": 1, "n": 1})]}


def test_a_label_of_the_metadata_is_the_label(make):
    rows = [{"file_name": name, "label": label} for name, label in (("x/a.jpg", "dog"), ("y/b.jpg", "cat"))]
    source = make("x/a.jpg", "y/b.jpg", metadata_jsonl=rows)
    assert source.classes == {"label": ["cat", "dog"]}
    assert listed(source) == {"train": [("x/a.jpg", {"label": 1}), ("y/b.jpg", {"label": 0})]}


def test_splits_by_folder_each_with_metadata(make):
    source = make(
        "train/a.jpg",
        "test/a.jpg",
        train__metadata_csv="file_name,n,split\na.jpg,1,x\n",
        test__metadata_jsonl=[{"file_name": "a.jpg", "m": 2}],
    )
    assert listed(source) == {
        "train": [("train/a.jpg", {"n": 1, "split": "x", "m": None})],
        "test": [("test/a.jpg", {"n": None, "split": None, "m": 2})],
    }


def test_the_nearer_metadata_counts(make, tmp_path):
    table = pyarrow.table({"image": ["a.jpg"], "n": [2]})
    make("x/a.jpg", "y/a.jpg", metadata_csv="file_name,n\nx/a.jpg,1\ny/a.jpg,1\n")
    pyarrow.parquet.write_table(table, tmp_path / "y" / "metadata.parquet")
    assert [fields["n"] for _, fields in listed(make())["train"]] == [1, 2]


def test_a_column_of_splits(make):
    source = make("a.jpg", "b.jpg", "c.jpg", metadata_csv="file_name,split\na.jpg,val\nb.jpg,train\n")
    assert listed(source) == {"train": [("b.jpg", {}), ("c.jpg", {})], "val": [("a.jpg", {})]}


def test_what_is_named_and_not_there_and_what_is_there_and_not_named(make):
    rows = [{"file_name": name, "label": "x"} for name in ("a.jpg", "gone.jpg", "away.jpg")]
    source = make("a.jpg", "b.jpg", metadata_jsonl=rows)
    assert listed(source) == {"train": [("a.jpg", {"label": 0}), ("b.jpg", {"label": -1})]}
    missing, unnamed = source.notes
    assert missing == "metadata.jsonl: 2 files are named and not there, such as away.jpg"
    assert unnamed.startswith("metadata.jsonl: 1 files are not named, such as b.jpg: they have no fields")


def test_what_metadata_cannot_be(make, tmp_path):
    with pytest.raises(SourceError, match=r"metadata\.csv: no column file_name or path"):
        make("a.jpg", metadata_csv="name,n\na.jpg,1\n")
    with pytest.raises(SourceError, match=r"holds metadata\.csv and metadata\.jsonl: keep one of them"):
        make(metadata_jsonl=[{"file_name": "a.jpg"}])
    (tmp_path / "metadata.csv").unlink()
    with pytest.raises(SourceError, match=r"metadata\.jsonl: line 1 is no JSON object"):
        make(metadata_jsonl="{")
    assert listed(make(metadata_jsonl="\n"))["train"] == [("a.jpg", {})]
