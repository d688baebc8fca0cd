import os

import pytest

from walloc_data.errors import SourceError
from walloc_data.sources import ImageFolder, Item


def make(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if name.endswith("/") else path.write_bytes(b"")
    return root


def test_classes(tmp_path):
    source = make(tmp_path, "dog/b.jpg", "cat/a.jpg", "cat/deep/er/c.png", "dog/readme.txt")
    assert source.classes == ["cat", "dog"]
    assert source.splits == {"train": [Item("cat/a.jpg", 0), Item("cat/deep/er/c.png", 0), Item("dog/b.jpg", 1)]}
    assert source.notes == []
    assert source.path(source.splits["train"][0]) == tmp_path / "cat" / "a.jpg"


def test_splits_share_their_classes(tmp_path):
    source = make(tmp_path, "train/dog/a.jpg", "val/cat/a.jpg", "test/dog/a.jpg", "test/eel/a.jpg", "notes.txt")
    assert source.classes == ["cat", "dog", "eel"]
    assert source.splits == {
        "train": [Item("train/dog/a.jpg", 1)],
        "val": [Item("val/cat/a.jpg", 0)],
        "test": [Item("test/dog/a.jpg", 1), Item("test/eel/a.jpg", 2)],
    }


@pytest.mark.parametrize("split", ["train", "val", "valid", "validation", "test"])
def test_one_split(tmp_path, split):
    source = make(tmp_path, f"{split}/a/a.jpg")
    assert (list(source.splits), source.classes) == ([split], ["a"])


def test_flat(tmp_path):
    source = make(tmp_path, "b.jpg", "a.png")
    assert (source.classes, source.splits) == (None, {"train": [Item("a.png", None), Item("b.jpg", None)]})


def test_flat_splits(tmp_path):
    source = make(tmp_path, "train/b.jpg", "val/a.jpg")
    assert source.classes is None
    assert source.splits == {"train": [Item("train/b.jpg", None)], "val": [Item("val/a.jpg", None)]}


def test_a_split_without_images_is_left_out(tmp_path):
    source = make(tmp_path, "train/a/b.jpg", "val/a/readme.txt", "test/")
    assert list(source.splits) == ["train"]


def test_a_class_without_images_is_noted_and_keeps_its_label(tmp_path):
    source = make(tmp_path, "ant/a.jpg", "bee/", "cat/c.jpg", "dog/readme.txt")
    assert source.classes == ["ant", "bee", "cat", "dog"]
    assert [item.label for item in source.splits["train"]] == [0, 2]
    assert source.notes == ["class 'bee' has no images", "class 'dog' has no images"]


def test_loose_images_are_noted(tmp_path):
    source = make(tmp_path, "cat/a.jpg", "stray.jpg", "other.png")
    assert [item.key for item in source.splits["train"]] == ["cat/a.jpg"]
    assert source.notes == ["2 images beside the class folders were passed over"]


def test_hidden_files_and_folders_are_not_there(tmp_path):
    source = make(tmp_path, "cat/a.jpg", "cat/.b.jpg", ".cache/c.jpg", ".d.jpg", "cat/.ipynb_checkpoints/a.jpg")
    assert source.classes == ["cat"]
    assert source.splits == {"train": [Item("cat/a.jpg", 0)]}
    assert source.notes == []


def test_splits_beside_other_folders_are_classes_and_that_is_noted(tmp_path):
    source = make(tmp_path, "train/a.jpg", "bus/b.jpg", "tram/c.jpg")
    assert source.classes == ["bus", "train", "tram"]
    (note,) = source.notes
    assert note.startswith("train taken for classes, not splits, because of bus, tram beside")


@pytest.mark.parametrize(
    "name", ["a.b.c.jpg", "two  words.jpg", "猫 и ёж.jpg", "a'\"\\.jpg", "line\nbreak.jpg", "-x.jpg"]
)
def test_strange_names(tmp_path, name):
    source = make(tmp_path, f"klass ж.x/{name}")
    assert source.splits["train"] == [Item(f"klass ж.x/{name}", 0)]
    assert source.path(source.splits["train"][0]).exists()


def test_names_that_are_no_utf8(tmp_path):
    name = os.fsdecode(b"caf\xe9")
    source = make(tmp_path, f"{name}/{name}.jpg", "z/a.jpg")
    assert source.classes == [name, "z"]
    assert source.path(source.splits["train"][0]).exists()


def test_two_files_of_one_stem_are_two_samples(tmp_path):
    source = make(tmp_path, "cat/a.jpg", "cat/a.png", "cat/a.JPG", "dog/a.jpg")
    assert [item.key for item in source.splits["train"]] == ["cat/a.JPG", "cat/a.jpg", "cat/a.png", "dog/a.jpg"]


def test_a_folder_with_the_name_of_an_image_is_a_folder(tmp_path):
    source = make(tmp_path, "cat/x.jpg/a.jpg")
    assert source.splits["train"] == [Item("cat/x.jpg/a.jpg", 0)]


def test_a_linked_class(tmp_path):
    make(tmp_path / "elsewhere", "a.jpg")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "cat").symlink_to(tmp_path / "elsewhere")
    assert tmp_path / "root".splits["train"] == [Item("cat/a.jpg", 0)]


@pytest.mark.parametrize("names", [(), ("readme.txt",), ("cat/",), ("train/", "val/cat/"), (".a.jpg",)], ids=str)
def test_no_images(tmp_path, names):
    with pytest.raises(SourceError, match="holds no images"):
        make(tmp_path, *names)


def test_no_folder(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for name in ("absent", "file"):
        with pytest.raises(SourceError, match=f"{name} is not a folder"):
            tmp_path / name
