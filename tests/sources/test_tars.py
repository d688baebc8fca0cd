import gzip
import io
import json
import pickle
import tarfile

import numpy as np
import pytest

from tests.sources.archives import members_of, write_tar
from walloc_data.errors import SampleError, SourceError
from walloc_data.sources import open_source
from walloc_data.sources.addresses import expand_braces, split_of

JPG = frozenset((".jpg", ".png"))


def opened(address):
    return open_source(address, suffixes=JPG)


def listed(source):
    """Keys, data and fields by split."""
    return {
        name: [(split.key(index), split[index].data, split[index].fields) for index in range(len(split))]
        for name, split in source.splits.items()
    }


def npy(values):
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_of_a_key_are_a_sample(tmp_path, kind):
    long = "d" * 90 + "/" + "n" * 95
    members = [
        ("./a/1.jpg", b"x" * 700),
        ("./a/1.cls", b"3"),
        ("b/1.cls", b"4"),
        ("b/1.jpg", b"y"),
        (f"{long}.png", b"z"),
    ]
    source = opened(write_tar(tmp_path / "data.tar", members, kind))
    assert listed(source) == {
        "train": [("a/1.jpg", b"x" * 700, {"label": 3}), ("b/1.jpg", b"y", {"label": 4}), (f"{long}.png", b"z", {})]
    }
    assert (source.classes, source.notes) == ({}, [])


def test_members_become_fields(tmp_path):
    content = {"caption": "a cat", "boxes": [[1, 2, 3, 4]], "txt": "another", "score": 0.5}
    members = [
        ("1.jpg", b"x"),
        ("1.txt", "eine Katze ж".encode()),
        ("1.json", json.dumps(content).encode()),
        ("1.tags.npy", npy(np.array([0, 1, 1], np.uint8))),
        ("1.seg.png", b"mask"),
        ("1.index", b"17"),
        ("1.id", b"007"),
    ]
    [(key, data, fields)] = listed(opened(write_tar(tmp_path / "x.tar", members)))["train"]
    assert (key, data) == ("1.jpg", b"x")
    assert fields.pop("tags.npy").tolist() == [0, 1, 1]
    assert fields == {
        "txt": "eine Katze ж",
        "seg.png": b"mask",
        "index": 17,
        "id": "007",
        "caption": "a cat",
        "boxes": [[1, 2, 3, 4]],
        "txt_": "another",
        "score": 0.5,
    }


@pytest.mark.parametrize(
    "member", [("1.json", b"{"), ("1.txt", b"\xff"), ("1.npy", b"\x93NUMPY"), ("1.pickle.npy", b"\x80\x04N.")]
)
def test_a_field_that_is_damaged_names_its_sample(tmp_path, member):
    split = opened(write_tar(tmp_path / "x.tar", [("1.jpg", b"x"), member])).splits["train"]
    with pytest.raises(SampleError, match=r"x\.tar/1\.jpg: its .* is damaged"):
        split[0]


def test_splits_by_the_names_of_tars(tmp_path):
    for name in ("train-000", "train-001", "val-000"):
        write_tar(tmp_path / f"{name}.tar", [(f"{name[-1]}.jpg", name.encode())])
    expected = {
        "train": [("train/0.jpg", b"train-000", {}), ("train/1.jpg", b"train-001", {})],
        "val": [("val/0.jpg", b"val-000", {})],
    }
    assert listed(opened(tmp_path)) == expected
    assert listed(opened(f"{tmp_path}/{{train-{{000..001}},val-000}}.tar")) == expected
    assert listed(opened(f"{tmp_path}/*-*.tar")) == expected
    assert list(opened(f"{tmp_path}/val-000.tar").splits) == ["val"]


def test_splits_by_folders_of_tars(tmp_path):
    for split in ("train", "val"):
        write_tar(tmp_path / split / "000.tar", [("a/1.jpg", split.encode()), ("a/1.cls", b"0")])
    assert listed(opened(tmp_path)) == {
        split: [(f"{split}/a/1.jpg", split.encode(), {"label": 0})] for split in ("train", "val")
    }


def test_a_tar_of_a_folder_is_read_as_the_folder(tmp_path):
    for name in ("train/cat/1.jpg", "train/dog/2.jpg", "val/dog/3.jpg"):
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(name.encode())
    with tarfile.open(tmp_path / "data.tar", "w") as tar:
        tar.add(tmp_path / "folder", arcname=".")
    tars, folder = opened(tmp_path / "data.tar"), opened(tmp_path / "folder")
    assert tars.classes == folder.classes == {"label": ["cat", "dog"]}
    assert {name: sorted(rows) for name, rows in listed(tars).items()} == listed(folder)


def test_splits_by_folders_in_a_tar(tmp_path):
    members = [(f"data/{name}.{kind}", b"1") for name in ("train/1", "Testing/1") for kind in ("jpg", "cls")]
    source = opened(write_tar(tmp_path / "x.tar", members))
    assert listed(source) == {
        split: [(f"data/{folder}/1.jpg", b"1", {"label": 1})]
        for split, folder in (("train", "train"), ("test", "Testing"))
    }
    source = opened(write_tar(tmp_path / "x.tar", [*members, ("data/more/1.jpg", b"")]))
    assert list(source.splits) == ["train"]
    assert source.notes == [
        "data/Testing, data/train in tars taken for no splits because of data/more beside",
    ]


@pytest.mark.parametrize(
    ("names", "classes", "labels"),
    [
        (["train/1.jpg", "bus/1.jpg"], ["bus", "train"], [1, 0]),  # vehicles
        (["images/1.jpg", "images/2.jpg"], [], [None, None]),
        (["val/1.jpg"], [], [None]),
        (["val/cat/1.jpg"], ["cat"], [0]),
        (["a/cat/1.jpg", "a/dog/x/1.jpg"], ["cat", "dog"], [0, 1]),
        (["cat/1.jpg", "2.jpg"], [], [None, None]),
    ],
)
def test_classes_by_folders_in_a_tar(tmp_path, names, classes, labels):
    source = opened(write_tar(tmp_path / "x.tar", [(name, b"") for name in names]))
    assert source.classes == ({"label": classes} if classes else {})
    [(split, rows)] = listed(source).items()
    assert split == ("val" if names[0].startswith("val") else "train")
    assert [row[2].get("label") for row in rows] == labels


def test_a_dataset_that_is_one_already(tmp_path):
    write_tar(tmp_path / "train-00000.tar", [("0.wlc", b"")])
    (tmp_path / "walloc.json").write_text("{}")
    with pytest.raises(SourceError, match="holds a dataset of walloc_data already: give what it was made of"):
        opened(tmp_path)


def test_members_of_a_key_need_not_lie_together_nor_in_one_tar(tmp_path):
    write_tar(tmp_path / "images.tar", [("1.jpg", b"x"), ("2.jpg", b"y"), ("1.txt", b"one")])
    write_tar(tmp_path / "labels.tar", [("2.cls", b"2"), ("1.cls", b"1"), ("3.cls", b"3"), ("README", b"")])
    source = opened(tmp_path)
    assert listed(source)["train"] == [
        ("1.jpg", b"x", {"txt": "one", "label": 1}),
        ("2.jpg", b"y", {"label": 2}),
    ]
    [note] = source.notes
    assert note.startswith("2 keys without data were passed over, such as ")
    assert note.endswith("labels.tar/3.cls")


def test_one_key_in_two_tars_is_two_samples(tmp_path):
    for name in ("a", "b"):
        write_tar(tmp_path / f"{name}.tar", [("0.jpg", name.encode()), (f"{name}.jpg", b"")])
    source = opened(tmp_path)
    assert [row[:2] for row in listed(source)["train"]] == [
        ("a/0.jpg", b"a"),
        ("a.jpg", b""),
        ("b/0.jpg", b"b"),
        ("b.jpg", b""),
    ]
    assert source.notes == ["1 keys are in more than one tar, such as 0.jpg: these are called by their tar too"]


def test_two_members_of_data_and_a_member_twice_are_noted(tmp_path):
    members = [("1.jpg", b"x"), ("1.png", b"y"), ("2.rgb.png", b"z"), ("3.jpg", b"old"), ("3.jpg", b"new")]
    source = opened(write_tar(tmp_path / "x.tar", members))
    assert listed(source)["train"] == [
        ("1.jpg", b"x", {"png": b"y"}),
        ("2.rgb.png", b"z", {}),
        ("3.jpg", b"new", {}),
    ]
    more, twice = source.notes
    assert more.startswith("1 samples have more than one member of data, such as ")
    assert twice.startswith("1 members stand twice in their tar, such as ")


def test_the_member_of_data_can_be_named(tmp_path):
    path = write_tar(tmp_path / "x.tar", [("1.jpg", b"x"), ("1.depth.png", b"y"), ("2.jpg", b"z")])
    source = open_source(path, suffixes=JPG, data="depth.png")
    assert listed(source)["train"] == [("1.depth.png", b"y", {"jpg": b"x"})]
    assert source.notes[0].startswith("1 keys without data were passed over, such as ")
    with pytest.raises(SourceError, match=r"no member has a suffix of data \(jpeg\)"):
        open_source(path, suffixes=JPG, data="jpeg")


def test_what_systems_leave_behind_is_no_sample(tmp_path):
    members = [("a/1.jpg", b"x"), ("a/._1.jpg", b""), ("__MACOSX/a/1.jpg", b""), (".hidden.jpg", b"")]
    source = opened(write_tar(tmp_path / "x.tar", members))
    assert (len(source.splits["train"]), source.notes) == (1, [])


def damaged_header(path, member):
    """Write rubbish over the header of a member."""
    with tarfile.open(path) as tar:
        offset = tar.getmember(member).offset
    data = bytearray(path.read_bytes())
    data[offset : offset + 200] = b"\xa5" * 200
    path.write_bytes(data)


def test_behind_a_damaged_header_the_rest_is_read(tmp_path):
    members = [(f"{number}.{kind}", b"7") for number in range(4) for kind in ("jpg", "cls")]
    path = write_tar(tmp_path / "x.tar", members, tarfile.USTAR_FORMAT)
    damaged_header(path, "2.jpg")
    source = opened(path)
    assert [key for key, _, _ in listed(source)["train"]] == ["0.jpg", "1.jpg", "3.jpg"]
    assert "x.tar: damaged from byte 4,096 to 5,120 (behind 1.cls)" in source.notes[0]
    assert source.notes[1].startswith("1 keys without data were passed over")


@pytest.mark.parametrize("shift", [1, 513, 70_000])
def test_bytes_too_many_cost_what_they_stand_in(tmp_path, shift):
    path = write_tar(tmp_path / "x.tar", [(f"{number}.jpg", b"7" * 9) for number in range(4)], tarfile.USTAR_FORMAT)
    data = path.read_bytes()
    path.write_bytes(data[:1024] + b"\xa5" * shift + data[1024:])
    source = opened(path)
    assert listed(source)["train"] == [(f"{number}.jpg", b"7" * 9, {}) for number in range(4)]
    assert f"damaged from byte 1,024 to {1024 + shift:,} (behind 0.jpg)" in source.notes[0]


def test_a_sample_beside_damage_that_lacks_a_field_is_not_stored_without_it(tmp_path):
    members = [(f"{number}.{kind}", b"7") for number in range(4) for kind in ("jpg", "cls")]
    path = write_tar(tmp_path / "x.tar", members, tarfile.USTAR_FORMAT)
    damaged_header(path, "2.cls")
    split = opened(path).splits["train"]
    assert [split[index].fields for index in (0, 1, 3)] == [{"label": 7}] * 3
    with pytest.raises(SampleError, match=r"x\.tar/2\.jpg: the tar is damaged beside it"):
        split[2]


@pytest.mark.parametrize("cut", [100, 600, 1700])
def test_a_tar_that_was_cut_short(tmp_path, cut):
    path = write_tar(
        tmp_path / "x.tar", [("1.jpg", b"x" * 100), ("2.jpg", b"y" * 1000), ("3.jpg", b"z")], tarfile.USTAR_FORMAT
    )
    path.write_bytes(path.read_bytes()[: 1024 + cut])
    source = opened(path)
    split = source.splits["train"]
    assert split[0].data == b"x" * 100
    if cut == 600:
        with pytest.raises(SampleError, match=r"x\.tar/2\.jpg: the tar is cut short in its jpg"):
            split[1]
    else:
        assert len(split) == (1 if cut == 100 else 2)
        assert "has no end mark, and may have been cut short" in source.notes[-1]


def test_a_tar_that_shrinks_while_it_is_read(tmp_path):
    path = write_tar(tmp_path / "x.tar", [("1.jpg", b"x" * 100), ("2.jpg", b"y" * 1000)])
    split = opened(path).splits["train"]
    path.write_bytes(path.read_bytes()[:1200])
    with pytest.raises(SourceError, match="cut short since it was listed"):
        split[1]
    path.unlink()
    with pytest.raises(SourceError, match=r"x\.tar: cannot be read .* run the same command again"):
        split[0]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no tar" * 200, "is no tar, or one that is damaged at its beginning"),
        (b"", "no member has a suffix of data"),
        (gzip.compress(b"x" * 2000, 0), r"is compressed, .* unpack it first \(gunzip"),
        (None, "no member has a suffix of data"),
    ],
)
def test_what_is_no_tar_of_samples(tmp_path, content, reason):
    path = write_tar(tmp_path / "x.tar", [("readme.txt", b"")])
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=reason):
        opened(path)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("data-{000..012}.tar", r"13 of 13 files are not there, such as .*data-000\.tar"),
        ("data.tar", "there is no .*data.tar"),
        ("data.tar.gz", "is not there: check the path"),
        ("packed.tar.gz", r"unpack it first \(gunzip .*packed\.tar\.gz\)"),
        ("data.bin", "is no kind of file that holds samples: a source is a folder of files, "),
        ("data-{0..99999999}.tar", "stands for more than 1,000,000 files"),
    ],
)
def test_addresses_of_nothing(tmp_path, address, reason):
    for name in ("packed.tar.gz", "data.bin"):
        (tmp_path / name).touch()
    with pytest.raises(SourceError, match=reason):
        opened(f"{tmp_path}/{address}")


def test_braces():
    assert expand_braces("a.tar") == ["a.tar"]
    assert expand_braces("{x}.tar") == ["{x}.tar"]
    assert expand_braces("{a,b{8..10}}") == ["a", "b8", "b9", "b10"]
    assert expand_braces("{010..8}") == ["010", "009", "008"]


def test_splits_of_names():
    names = {
        "train-000.tar": "train",
        "x/val/0.tar": "val",
        "Imagenet_Test_3.tar": "test",
        "my-test/valley.tar": None,
        "train/val-0.tar": "val",
        "Training_Set/0.tar": "train",
    }
    assert {name: split_of(name) for name in names} == names


def test_tars_beside_a_folder_of_files_are_no_samples(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    write_tar(tmp_path / "backup.tar", [("b.jpg", b"")])
    assert [key for key, _, _ in listed(opened(tmp_path))["train"]] == ["a.jpg"]


def test_the_photographs_in_tars_are_those_of_the_folder(photos, tmp_path):
    for split in ("train", "val"):
        write_tar(tmp_path / f"{split}-000.tar", members_of(photos, split))
    source = pickle.loads(pickle.dumps(opened(tmp_path)))
    assert listed(source) == listed(opened(photos))
    assert source.digest() == opened(tmp_path).digest()
    before = source.splits["train"].stamp(0)
    write_tar(tmp_path / "train-000.tar", members_of(photos, "train")[:-2])
    assert opened(tmp_path).digest() != source.digest()
    assert source.splits["train"].stamp(0) != before != ""
