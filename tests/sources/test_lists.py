import json
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from walloc_data import ImageReader, open_source, read_list
from walloc_data.errors import SampleError, SourceError
from walloc_data.sources import Files
from walloc_data.sources.listing import parted
from walloc_data.sources.packed import Texts


def listed(source):
    """Keys and fields by split."""
    return {name: [(split.key(i), split[i].fields) for i in range(len(split))] for name, split in source.splits.items()}


@pytest.fixture
def root(tmp_path):
    for name in ("a.jpg", "b.jpg", "deep/c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def jsonl(root, *rows, name="list.jsonl"):
    path = root / name
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def csv(root, text, name="list.csv"):
    (root / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return root / name


def test_any_field_of_any_type(root):
    fields = {
        "caption": "a cat, 猫",
        "boxes": [[1, 2, 3.5, 4], [5, 6, 7, 8]],
        "tags": [0, 1, 1],
        "score": 0.5,
        "count": 1 << 40,
        "huge": 1 << 70,
        "good": True,
        "meta": {"by": None},
    }
    source = read_list(jsonl(root, {"file_name": "a.jpg", **fields}, "\n", {"file_name": "deep/c.jpg", **fields}))
    assert listed(source) == {"train": [("a.jpg", fields), ("deep/c.jpg", fields)]}
    split = source.splits["train"]
    assert split[1].data == b"deep/c.jpg"
    assert type(split[0].fields["good"]) is bool
    assert (source.classes, source.notes) == ({}, [])


def test_fields_that_differ_between_samples(root):
    rows = [{"path": "a.jpg", "score": 1}, {"path": "b.jpg", "score": 0.5, "x": "y"}, {"path": "deep/c.jpg", "x": None}]
    assert [fields for _, fields in listed(read_list(jsonl(root, *rows)))["train"]] == [
        {"score": 1, "x": None},
        {"score": 0.5, "x": "y"},
        {"score": None, "x": None},
    ]


def test_numbers_are_of_one_type_in_a_column(root):
    source = read_list(jsonl(root, {"path": "a.jpg", "score": 1}, {"path": "b.jpg", "score": 0.5}))
    assert [type(fields["score"]) for _, fields in listed(source)["train"]] == [float, float]


def test_cells_are_numbers_where_all_of_a_column_are(root):
    text = "file_name,n,x,zip,word,gap,long\na.jpg,1,.5,0123,1,,12345678901234567890\n'b.jpg',-20,1e3,4,x,7,1\n"
    source = read_list(csv(root, "\ufeff" + text.replace("'", '"').replace("\n", "\r\n")))
    assert listed(source)["train"] == [
        ("a.jpg", {"n": 1, "x": 0.5, "zip": "0123", "word": "1", "gap": None, "long": "12345678901234567890"}),
        ("b.jpg", {"n": -20, "x": 1000.0, "zip": "4", "word": "x", "gap": 7, "long": "1"}),
    ]


def test_cells_with_commas_and_lines_and_tabs_between(root):
    text = 'file_name,caption\na.jpg,"one, two\nthree"\nb.jpg,\n'
    rows = [("a.jpg", {"caption": "one, two\nthree"}), ("b.jpg", {"caption": ""})]
    assert listed(read_list(csv(root, text)))["train"] == rows
    semicolons = text.replace("name,", "name;").replace("jpg,", "jpg;")
    assert listed(read_list(csv(root, semicolons)))["train"] == rows
    tabs = "file_name\tcaption\na.jpg\tone, two\n"
    assert listed(read_list(csv(root, tabs, "list.tsv")))["train"] == [("a.jpg", {"caption": "one, two"})]


def test_parquet(root):
    table = pyarrow.table(
        {"image": ["a.jpg", "b.jpg"], "label": ["dog", "cat"], "mask": [b"\0", b"\1"], "boxes": [[[1, 2]], []]}
    )
    pyarrow.parquet.write_table(table, root / "list.parquet")
    source = read_list(root / "list.parquet")
    assert listed(source)["train"] == [
        ("a.jpg", {"label": 1, "mask": b"\0", "boxes": [[1, 2]]}),
        ("b.jpg", {"label": 0, "mask": b"\1", "boxes": []}),
    ]
    (root / "list.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(SourceError, match=r"list\.parquet: no parquet file that can be read"):
        read_list(root / "list.parquet")


@pytest.mark.parametrize("column", ["file_name", "path", "image", "audio", "video"])
def test_the_column_of_files(root, column):
    assert list(listed(read_list(jsonl(root, {"z": 1, column: "a.jpg"})))["train"]) == [("a.jpg", {"z": 1})]


def test_a_column_of_files_that_is_asked_for(root):
    path = jsonl(root, {"path": "elsewhere", "scan": "a.jpg"})
    assert listed(read_list(path, data="scan"))["train"] == [("a.jpg", {"path": "elsewhere"})]


def test_whole_paths_are_keys_below_the_list(root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "x.jpg"
    elsewhere.write_bytes(b"x")
    rows = [
        {"path": path} for path in (str(root / "a.jpg"), "./b.jpg", "/nowhere/x.jpg", str(elsewhere), str(elsewhere))
    ]
    split = read_list(jsonl(root, *rows)).splits["train"]
    assert [split.key(i) for i in range(3)] == ["a.jpg", "b.jpg", "nowhere/x.jpg"]
    assert (split[0].data, split[1].data, split[3].data) == (b"a.jpg", b"b.jpg", b"x")
    assert [split.key(i) for i in (3, 4)] == [f"{elsewhere}"[1:], f"{elsewhere}#2"[1:]]  # joined to a folder, below it


def test_splits_and_classes(root):
    rows = [("b.jpg", "test", "dog"), ("a.jpg", "train", "cat"), ("deep/c.jpg", "extra", "dog")]
    path = jsonl(root, *({"path": name, "split": split, "label": label} for name, split, label in rows))
    source = read_list(path)
    assert source.classes == {"label": ["cat", "dog"]}
    assert listed(source) == {
        "train": [("a.jpg", {"label": 0})],
        "test": [("b.jpg", {"label": 1})],
        "extra": [("deep/c.jpg", {"label": 1})],
    }


def test_a_list_a_split(root):
    (root / "two").mkdir()
    (root / "two" / "a.jpg").write_bytes(b"two")
    lists = {
        "train": jsonl(root, {"path": "a.jpg", "label": "x"}),
        "val": csv(root / "two", "path,label\na.jpg,y\n"),
    }
    for source in (read_list(lists), open_source(lists, suffixes=frozenset())):
        assert listed(source) == {"train": [("a.jpg", {"label": 0})], "val": [("two/a.jpg", {"label": 1})]}
        assert source.splits["val"][0].data == b"two"
        assert source.classes == {"label": ["x", "y"]}


def test_labels_that_are_numbers_stay(root):
    assert listed(read_list(csv(root, "path,label\na.jpg,7\nb.jpg,3\n")))["train"] == [
        ("a.jpg", {"label": 7}),
        ("b.jpg", {"label": 3}),
    ]
    rows = [{"path": "a.jpg", "label": [1, 0]}, {"path": "b.jpg", "label": [0, 1]}]
    source = read_list(jsonl(root, *rows))
    assert source.classes == {}
    assert [fields["label"] for _, fields in listed(source)["train"]] == [[1, 0], [0, 1]]


def test_samples_without_a_label_among_classes(root):
    source = read_list(jsonl(root, {"path": "a.jpg", "label": "x"}, {"path": "b.jpg"}))
    assert [fields["label"] for _, fields in listed(source)["train"]] == [0, -1]


def test_empty_cells_among_classes_are_no_label(root):
    source = read_list(csv(root, "path,label\na.jpg,x\nb.jpg,\n"))
    assert source.classes == {"label": ["x"]}
    assert [fields["label"] for _, fields in listed(source)["train"]] == [0, -1]


def test_one_file_in_several_rows(root):
    rows = [{"path": "a.jpg", "caption": n} for n in "xyz"] + [{"path": "a.jpg#2", "caption": "w"}]
    source = read_list(jsonl(root, *rows))
    assert [source.splits["train"].key(i) for i in range(4)] == ["a.jpg", "a.jpg#3", "a.jpg#4", "a.jpg#2"]
    assert source.splits["train"][1].data == b"a.jpg"
    assert source.notes == ["2 samples are of files listed before: the keys of these end in #2 and so on"]


def test_keys_of_the_list(root):
    rows = [{"path": "a.jpg", "key": "one"}, {"path": "a.jpg", "key": 2}, {"path": "b.jpg"}]
    assert listed(read_list(jsonl(root, *rows)))["train"] == [("one", {}), ("2", {}), ("b.jpg", {})]
    rows += [{"path": "b.jpg", "key": "one"}]
    with pytest.raises(SourceError, match="1 rows have the key of another, such as 'one': each sample needs its own"):
        read_list(jsonl(root, *rows))


def test_files_that_are_not_there_cost_their_samples(root):
    split = read_list(jsonl(root, {"path": "a.jpg"}, {"path": "gone.jpg"})).splits["train"]
    with pytest.raises(SampleError, match=r"gone\.jpg': named by list\.jsonl, and no file \(No such file"):
        split[1]
    assert (split.stamp(1), bool(split.stamp(0))) == ("", True)
    (root / "list.jsonl").unlink()  # the machine lost it all
    with pytest.raises(SourceError, match=r"gone\.jpg: cannot be read"):
        split[1]


@pytest.mark.parametrize("name", ["a\0b.jpg", "\ud83d.jpg", "deep", "a.jpg/x", "x" * 300])
def test_names_that_no_file_can_have_cost_their_samples(root, name):
    source = read_list(jsonl(root, {"path": name}))
    split = source.splits["train"]
    with pytest.raises(SampleError, match=r"named by list\.jsonl, and no file \("):
        split[0]
    assert split.stamp(0) == "" or name == "deep"
    assert source.digest()
    split.key(0).encode("utf-8", "surrogateescape")


def test_halves_of_characters_and_names_that_are_no_utf8(root):
    name = os.fsdecode(b"caf\xe9.jpg")
    (root / name).write_bytes(b"found")
    row = {"path": name, "\ud83dx": "y\ud83d", "key": "z\ud83d"}
    [(key, fields)] = listed(read_list(jsonl(root, row)))["train"]
    assert (key, fields) == ("z\ufffd", {"\ufffdx": "y\ufffd"})
    assert read_list(jsonl(root, row)).splits["train"][0].data == b"found"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"path": "a"}\n{"path": \n7\n', r"list\.jsonl: 2 lines \(such as 2, 3\) are no JSON object"),
        ('{"path": "a"}\n\n{"path": "a"}}\n', r"list\.jsonl: line 3 is no JSON object"),
        ("", r"list\.jsonl lists nothing"),
        (
            '{"file": "a.jpg", "label": 3}\n',
            "no column file_name or path or image or audio or video or array names the",
        ),
        ('{"path": "a.jpg"}\n{"x": 3}\n', r"list\.jsonl: row 2 names no file in column 'path', but None"),
        ('{"path": ""}\n', "row 1 names no file"),
        ('{"path": ["a"]}\n', "row 1 names no file"),
        ('{"path": "https://example.org/a.jpg"}\n', "column 'path' holds URLs, such as https://example.org/a.jpg"),
        ('{"path": "a", "split": "../x"}\n', r"the split of row 1 is '\.\./x'"),
        ('{"path": "a", "split": "x"}\n{"path": "b"}\n', "the split of row 2 is None"),
    ],
)
def test_no_such_list(root, content, message):
    with pytest.raises(SourceError, match=message):
        read_list(jsonl(root, content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"list\.csv lists nothing"),
        (b"path,label\n", r"list\.csv lists nothing"),
        (b"path,x,x\na,1,2\n", "its first line has to name each column, and once, not path, x, x"),
        (b"path,x\na,1\nb\nc,1,2\n", r"2 lines \(such as 3, 4\) are of another number of cells"),
        (b'path,x\na,"1\n', r"line 3 is no CSV|line 2 is no CSV"),
        (b"path,x\ncaf\xe9,1\n", r"list\.csv is not UTF-8 \(byte 10\): save it as UTF-8"),
        (b"path,x\n,1\n", "row 1 names no file"),
    ],
)
def test_no_such_csv(root, content, message):
    with pytest.raises(SourceError, match=message):
        read_list(csv(root, content))


def test_a_list_that_is_not_there(root):
    for name in ("none.csv", "none.jsonl", "none.parquet"):
        with pytest.raises(SourceError, match=f"{name} is not there: check the path"):
            read_list(root / name)


def test_many_rows_are_packed_block_by_block(tmp_path):
    count = 70_000
    rows = ({"path": f"{i}.jpg", "n": i, **({"late": [i]} if i > 40_000 else {})} for i in range(count))
    split = read_list(jsonl(tmp_path, *rows)).splits["train"]
    assert isinstance(split.fields["n"], np.ndarray)
    assert [split.names[i] for i in (0, 40_000, count - 1)] == ["0.jpg", "40000.jpg", "69999.jpg"]
    assert [split.fields["late"][i] for i in (0, 40_000, 40_001, count - 1)] == [None, None, [40_001], [69_999]]
    assert split.fields["n"].tolist() == list(range(count))


def test_the_door_knows_lists(root):
    path = jsonl(root, {"path": "a.jpg"})
    for address in (path, str(path)):
        assert len(open_source(address, suffixes=ImageReader.suffixes).splits["train"]) == 1


def test_columns_are_in_memory_once_while_they_are_dealt_to_splits():
    """Eight columns of 160 bytes a row: dealt all at once, they took as much memory again."""
    rows = 20_000
    tracemalloc.start()
    fields = {f"column{number}": Texts(f"{row:0160d}" for row in range(rows)) for number in range(8)}
    splits = Texts("val" if row % 10 == 0 else "train" for row in range(rows))
    files = Files(Path("/"), Texts(map(str, range(rows))), {**fields, "split": splits})
    del fields, splits
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    found = parted(files, "a list")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert {name: len(split) for name, split in found.items()} == {"train": 18_000, "val": 2_000}
    assert found["val"].fields["column7"][3] == f"{30:0160d}"
    assert peak < 1.5 * before
