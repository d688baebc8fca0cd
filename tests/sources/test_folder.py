import os

import pytest

from walloc_data import ImageReader
from walloc_data.errors import SourceError
from walloc_data.sources import list_files
from walloc_data.sources.folder import scan_folder

OTHERS = "files that are not read here were passed over: 1 .txt"


def scan(root):
    return scan_folder(root, suffixes=ImageReader.suffixes)


def listed(source):
    """Keys and labels by split."""
    return {
        name: [(split.key(i), split.fields["label"][i] if "label" in split.fields else None) for i in range(len(split))]
        for name, split in source.splits.items()
    }


def make(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if name.endswith("/") else path.write_bytes(b"")
    return scan(root)


def test_classes(tmp_path):
    source = make(tmp_path, "dog/b.jpg", "cat/a.jpg", "cat/deep/er/c.png")
    assert source.classes == {"label": ["cat", "dog"]}
    assert listed(source) == {"train": [("cat/a.jpg", 0), ("cat/deep/er/c.png", 0), ("dog/b.jpg", 1)]}
    assert source.notes == []
    assert source.splits["train"].path(0) == tmp_path / "cat" / "a.jpg"


def test_splits_share_their_classes(tmp_path):
    source = make(tmp_path, "train/dog/a.jpg", "val/cat/a.jpg", "test/dog/a.jpg", "test/eel/a.jpg", "notes.txt")
    assert source.classes == {"label": ["cat", "dog", "eel"]}
    assert listed(source) == {
        "train": [("train/dog/a.jpg", 1)],
        "val": [("val/cat/a.jpg", 0)],
        "test": [("test/dog/a.jpg", 1), ("test/eel/a.jpg", 2)],
    }


@pytest.mark.parametrize("split", ["train", "val", "valid", "validation", "test"])
def test_one_split(tmp_path, split):
    source = make(tmp_path, f"{split}/a/a.jpg")
    assert (list(source.splits), source.classes) == ([split], {"label": ["a"]})


def test_flat(tmp_path):
    source = make(tmp_path, "b.jpg", "a.png")
    assert (source.classes, listed(source)) == ({}, {"train": [("a.png", None), ("b.jpg", None)]})


def test_flat_splits(tmp_path):
    source = make(tmp_path, "train/b.jpg", "val/a.jpg")
    assert source.classes == {}
    assert listed(source) == {"train": [("train/b.jpg", None)], "val": [("val/a.jpg", None)]}


def test_a_split_without_images_is_left_out(tmp_path):
    source = make(tmp_path, "train/a/b.jpg", "val/a/readme.txt", "test/")
    assert list(source.splits) == ["train"]


def test_a_class_without_images_is_noted_and_keeps_its_label(tmp_path):
    source = make(tmp_path, "ant/a.jpg", "bee/", "cat/c.jpg", "dog/readme.txt")
    assert source.classes == {"label": ["ant", "bee", "cat", "dog"]}
    assert [label for _, label in listed(source)["train"]] == [0, 2]
    assert source.notes == ["2 classes have no files: bee, dog", OTHERS]


def test_loose_images_are_noted(tmp_path):
    source = make(tmp_path, "cat/a.jpg", "stray.jpg", "other.png")
    assert [key for key, _ in listed(source)["train"]] == ["cat/a.jpg"]
    assert source.notes == ["2 files beside the class folders were passed over"]


def test_hidden_files_and_folders_are_not_there(tmp_path):
    source = make(tmp_path, "cat/a.jpg", "cat/.b.jpg", ".cache/c.jpg", ".d.jpg", "cat/.ipynb_checkpoints/a.jpg")
    assert source.classes == {"label": ["cat"]}
    assert listed(source) == {"train": [("cat/a.jpg", 0)]}
    assert source.notes == []


def test_splits_beside_other_folders_are_classes_and_that_is_noted(tmp_path):
    source = make(tmp_path, "train/a.jpg", "bus/b.jpg", "tram/c.jpg")
    assert source.classes == {"label": ["bus", "train", "tram"]}
    (note,) = source.notes
    assert note.startswith("train taken for a class, not a split, because of bus, tram beside")


@pytest.mark.parametrize(
    "name", ["a.b.c.jpg", "two  words.jpg", "猫 и ёж.jpg", "a'\"\\.jpg", "line\nbreak.jpg", "-x.jpg"]
)
def test_strange_names(tmp_path, name):
    source = make(tmp_path, f"klass ж.x/{name}")
    assert listed(source)["train"] == [(f"klass ж.x/{name}", 0)]
    assert source.splits["train"].path(0).exists()


def test_names_that_are_no_utf8(tmp_path):
    name = os.fsdecode(b"caf\xe9")
    source = make(tmp_path, f"{name}/{name}.jpg", "z/a.jpg")
    assert source.classes == {"label": [name, "z"]}
    assert source.splits["train"].path(0).exists()


def test_two_files_of_one_stem_are_two_samples(tmp_path):
    source = make(tmp_path, "cat/a.jpg", "cat/a.png", "cat/a.JPG", "dog/a.jpg")
    assert [key for key, _ in listed(source)["train"]] == ["cat/a.JPG", "cat/a.jpg", "cat/a.png", "dog/a.jpg"]


def test_a_folder_with_the_name_of_an_image_is_a_folder(tmp_path):
    source = make(tmp_path, "cat/x.jpg/a.jpg")
    assert listed(source)["train"] == [("cat/x.jpg/a.jpg", 0)]


def test_a_linked_class(tmp_path):
    make(tmp_path / "elsewhere", "a.jpg")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "cat").symlink_to(tmp_path / "elsewhere")
    assert listed(scan(tmp_path / "root"))["train"] == [("cat/a.jpg", 0)]


@pytest.mark.parametrize("names", [(), ("readme.txt",), ("cat/",), ("train/", "val/cat/"), (".a.jpg",)], ids=str)
def test_no_images(tmp_path, names):
    with pytest.raises(SourceError, match="holds no files"):
        make(tmp_path, *names)


def test_what_is_there_instead_is_said(tmp_path):
    with pytest.raises(
        SourceError, match=r"none has a suffix that the codec's reader takes \(\.apng, .*; there are 2 \.wav\)"
    ):
        make(tmp_path, "a.wav", "b.wav")


def test_no_folder(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for name in ("absent", "file"):
        with pytest.raises(SourceError, match=f"{name} is not a folder"):
            scan(tmp_path / name)


def test_files_are_listed_by_suffix_in_order(tmp_path):
    for name in ("b.JPG", "a.jpeg", "c.txt", ".hidden.jpg", "d/e.png", ".cache/f.png", "d/.x/g.png", "z.webp", "noext"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "dangling.gif").symlink_to(tmp_path / "nowhere")
    found = [path.relative_to(tmp_path).as_posix() for path in list_files(tmp_path, ImageReader.suffixes)]
    assert found == ["a.jpeg", "b.JPG", "d/e.png", "z.webp"]


def test_linked_folders_are_walked_once(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.jpg").write_bytes(b"")
    (tmp_path / "root" / "sub").mkdir(parents=True)
    (tmp_path / "root" / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "root" / "sub" / "round").symlink_to(tmp_path / "root")
    (tmp_path / "root" / "self").symlink_to(".")
    assert list_files(tmp_path / "root", ImageReader.suffixes) == [tmp_path / "root" / "linked" / "a.jpg"]


def test_no_folder_to_list():
    with pytest.raises(SourceError, match="not a folder"):
        list_files(os.devnull, ImageReader.suffixes)
